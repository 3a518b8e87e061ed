/** Entry of boards with the chip's own Ethernet. */

import { run } from '../esp32/firmware/run.js';
import { EthernetUplink } from './ethernet.js';

export default function main(): void {
  run((_settings, log, edge) => new EthernetUplink(log, edge));
}
