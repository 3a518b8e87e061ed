/** The left end moves about; the right one has to notice. */

import type { TunnelEnd } from '../lab/tunnel-end.js';
import { sleep } from '../lab/wait.js';
import { LEFT, type Wire } from './wire.js';

/** ms in which the other end must send to the new place. Only data tells it, and a moved TCP flow may pause for a second. */
const PATIENCE = 10_000;
const PORTS = 8_000;

export class Roaming {
  readonly #wire: Wire;
  readonly #left: TunnelEnd;
  readonly #right: TunnelEnd;
  #port = LEFT.port;
  /** Moves so far, all of which were followed. */
  moves = 0;

  constructor(wire: Wire, left: TunnelEnd, right: TunnelEnd) {
    this.#wire = wire;
    this.#left = left;
    this.#right = right;
  }

  /** In turn another address and another port. Gives a fault when the other end does not follow. */
  async move(): Promise<string | undefined> {
    if (this.moves % 2 === 0) this.#wire.moveLeft();
    else {
      this.#port = this.#port >= LEFT.port + PORTS ? LEFT.port : this.#port + 1;
      await this.#left.set('listen-port', `${this.#port}`);
    }
    const expected = `${this.#wire.leftAddress}:${this.#port}`;
    const end = performance.now() + PATIENCE;
    let known: string | undefined;
    do {
      await sleep(100);
      known = (await this.#right.status(this.#left.publicKey)).endpoint;
      if (known === expected) {
        this.moves++;
        return undefined;
      }
    } while (performance.now() < end);
    return `move ${this.moves + 1} was not followed: the left end is at ${expected}, the right one sends to ${known}`;
  }
}
