/** Entry of boards with Wi-Fi. */

import { run } from './firmware/run.js';
import { WifiUplink } from './firmware/wifi.js';

export default function main(): void {
  run((settings, log, edge) => new WifiUplink(settings, log, edge));
}
