import { Reader } from '../../packet/read-everything.js';
import { SAMPLES } from '../../packet/samples.js';
import type { Random } from '../random.js';
import { demand, type Target } from '../target.js';

const BEFORE = 48;
const AFTER = 80;

/** The views over IP, UDP, TCP and ICMP: the same is read whatever stands around the packet. */
export class Packets implements Target {
  readonly name = 'packets';
  readonly weight = 50;
  readonly samples = SAMPLES.map(({ packet }) => packet);
  readonly words = [];
  readonly #reader = new Reader();
  readonly #room = new Uint8Array(4096);

  run(message: Uint8Array, random: Random): void {
    const { length } = message;
    const alone = this.#reader.read(message, 0, length);
    const room = this.#room;
    room.fill(random.next(), 0, BEFORE);
    room.set(message, BEFORE);
    room.fill(random.next(), BEFORE + length, BEFORE + length + AFTER);
    demand(this.#reader.read(room, BEFORE, length) === alone, 'what was read depends on foreign bytes');
  }

  finish(): Readonly<Record<string, number>> {
    return { understood: this.#reader.understood };
  }
}
