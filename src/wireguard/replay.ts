/**
 * Sliding replay window of RFC 6479: a ring of blocks, of which one is always spare, so that moving the window
 * clears whole blocks instead of shifting bits. Counters are 64 bits wide, given as two uint32.
 */

import { REJECT_AFTER_MESSAGES_HIGH, REJECT_AFTER_MESSAGES_LOW } from './constants.js';

const BLOCK_BITS = 64;
const WORDS_PER_BLOCK = BLOCK_BITS / 32;

export class ReplayFilter {
  readonly #ring: Uint32Array;
  readonly #wordMask: number;
  readonly #blocks: number;
  /** Counters this far behind the greatest one are still told apart. */
  readonly windowSize: number;
  #lastLow = 0;
  #lastHigh = 0;

  /** `bits` is a power of two, at least 128. */
  constructor(bits = 8192) {
    this.#ring = new Uint32Array(bits / 32);
    this.#wordMask = bits / 32 - 1;
    this.#blocks = bits / BLOCK_BITS;
    this.windowSize = bits - BLOCK_BITS;
  }

  reset(): void {
    this.#ring.fill(0);
    this.#lastLow = 0;
    this.#lastHigh = 0;
  }

  /**
   * True when this counter is seen for the first time and lies inside or ahead of the window; it is then marked.
   * Call only for messages whose tag has been verified.
   */
  accept(low: number, high: number): boolean {
    if (high === REJECT_AFTER_MESSAGES_HIGH && low >= REJECT_AFTER_MESSAGES_LOW) return false;
    const newer = high > this.#lastHigh || (high === this.#lastHigh && low > this.#lastLow);
    if (newer) this.#advance(low, high);
    else if (this.#distance(low, high) > this.windowSize) return false;
    // RFC 6479 section 3.3: the bit's place depends on the counter's low bits only.
    const word = (low >>> 5) & this.#wordMask;
    const bit = 1 << (low & 31);
    const seen = (this.#ring[word] & bit) !== 0;
    this.#ring[word] |= bit;
    return !seen;
  }

  #advance(low: number, high: number): void {
    // Exact while small; beyond the ring's size only "large" matters.
    const ahead = (high - this.#lastHigh) * 0x400_0000 + ((low >>> 6) - (this.#lastLow >>> 6));
    const clear = Math.min(ahead, this.#blocks);
    let word = (((this.#lastLow >>> 6) + 1) * WORDS_PER_BLOCK) & this.#wordMask;
    for (let i = 0; i < clear; i++) {
      this.#ring[word] = 0;
      this.#ring[word + 1] = 0;
      word = (word + WORDS_PER_BLOCK) & this.#wordMask;
    }
    this.#lastLow = low;
    this.#lastHigh = high;
  }

  /** Last minus counter for a counter not newer than the last; anything of 2^32 or more is "far". */
  #distance(low: number, high: number): number {
    return (this.#lastHigh - high) * 0x1_0000_0000 + (this.#lastLow - low);
  }
}
