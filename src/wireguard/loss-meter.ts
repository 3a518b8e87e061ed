/**
 * What share of a peer's messages does not arrive, from what WireGuard has anyway: every message under a key pair has
 * the next counter, so what is missing between those accepted was lost on its way, or is still late.
 */

import type { Keypair, KeypairRing } from './keypair.js';

/** Fewer messages tell nothing about a share. */
const LEAST = 50;
/** From so many on the older ones count half: the share is about lately. */
const MEMORY = 2_000;

interface Seen {
  heard: number;
  heardUpTo: number;
}

export class LossMeter {
  readonly #seen = new Map<Keypair, Seen>();
  #expected = 0;
  #heard = 0;

  /** 0 to 1; undefined until enough was heard. Looks at what came since it was asked last. */
  measure({ older, previous, current, next }: KeypairRing): number | undefined {
    const present = [older, previous, current, next];
    for (const pair of present) if (pair) this.#take(pair);
    for (const pair of this.#seen.keys()) if (!present.includes(pair)) this.#seen.delete(pair);
    while (this.#expected > MEMORY) {
      this.#expected /= 2;
      this.#heard /= 2;
    }
    if (this.#expected < LEAST) return undefined;
    // What comes late may be counted in a later look than its gap.
    return Math.min(1, Math.max(0, 1 - this.#heard / this.#expected));
  }

  #take(pair: Keypair): void {
    let seen = this.#seen.get(pair);
    if (!seen) {
      seen = { heard: 0, heardUpTo: 0 };
      this.#seen.set(pair, seen);
    }
    this.#expected += pair.heardUpTo - seen.heardUpTo;
    this.#heard += pair.heard - seen.heard;
    seen.heard = pair.heard;
    seen.heardUpTo = pair.heardUpTo;
  }
}
