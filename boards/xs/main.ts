import { Batch } from '../../src/packet/batch.js';
import { ReplayFilter } from '../../src/wireguard/replay.js';

export default function main(): void {
  const batch = new Batch(1500);
  const replay = new ReplayFilter();
  trace(`batch of ${batch.capacity}, replay ${replay.accept(5, 0)} ${replay.accept(5, 0)}\n`);
}
