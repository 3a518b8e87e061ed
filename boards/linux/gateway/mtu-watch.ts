import type { Timer } from '../../../src/ports.js';
import { linkMtu } from '../drivers/netlink.js';

/** How often an interface's MTU is looked at, ms: operators and wg-quick change it with `ip link set mtu`. */
const INTERVAL = 2_000;

/** Tells of another MTU than the last one, in bytes. */
export class MtuWatch {
  readonly #name: string;
  readonly #timer: Timer;
  readonly #changed: (mtu: number) => void;
  #last = 0;

  constructor(name: string, timer: Timer, changed: (mtu: number) => void) {
    this.#name = name;
    this.#timer = timer;
    this.#changed = changed;
  }

  start(): void {
    this.#timer.schedule(INTERVAL, () => this.#look());
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    this.start();
    const mtu = linkMtu(this.#name);
    if (mtu <= 0 || mtu === this.#last) return;
    this.#last = mtu;
    this.#changed(mtu);
  }
}
