/** When pairs are asked for a sign of life, and when they count as dead: consent freshness (RFC 7675) and keepalives. */

import type { CandidatePair } from './candidate-pair.js';
import type { IceLimits } from './ice-limits.js';

export class Consent {
  readonly #limits: IceLimits;
  readonly #random: (out: Uint8Array) => void;
  readonly #byte = new Uint8Array(1);
  /** Monotonic ms when data was last sent, and since when without a pause. */
  #activeAt = Number.NEGATIVE_INFINITY;
  #activeSince = Number.NEGATIVE_INFINITY;

  constructor(limits: IceLimits, random: (out: Uint8Array) => void) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Data is being sent. True when it begins after a pause, so that consent has to be asked for now. */
  active(now: number): boolean {
    const paused = !this.isActive(now);
    this.#activeAt = now;
    if (paused) this.#activeSince = now;
    return paused;
  }

  isActive(now: number): boolean {
    return now - this.#activeAt < 2 * this.#limits.consentInterval;
  }

  /** Until a pair's next request, ms, moved at random (RFC 7675 section 5.1: 0.8 to 1.2 times). */
  interval(inUse: boolean, now: number): number {
    const { consentInterval, standbyInterval } = this.#limits;
    this.#random(this.#byte);
    const interval = inUse ? this.#usual(now) : standbyInterval || consentInterval;
    return interval * (0.8 + (0.4 * this.#byte[0]) / 255);
  }

  /** Monotonic ms when the pair is dead unless it gives a sign of life before. */
  deadAt(pair: CandidatePair, inUse: boolean, now: number): number {
    const { consentTimeout, idleInterval, standbyInterval } = this.#limits;
    const lastSign = Math.max(pair.lastAnswer, pair.lastHeard);
    if (!inUse) return lastSign + Math.max(consentTimeout, 3 * standbyInterval);
    if (!this.isActive(now)) return lastSign + Math.max(consentTimeout, 3 * idleInterval);
    // A pause without questions is not held against it.
    return Math.max(pair.lastAnswer, this.#activeSince) + consentTimeout;
  }

  /** While no data flows the controlling side's questions keep the pair for both. */
  hasToAsk(pair: CandidatePair, inUse: boolean, controlling: boolean, now: number): boolean {
    if (controlling || (inUse && this.isActive(now))) return true;
    const { idleInterval, standbyInterval } = this.#limits;
    return now - pair.lastHeard >= 1.5 * (inUse ? idleInterval : standbyInterval);
  }

  #usual(now: number): number {
    return this.isActive(now) ? this.#limits.consentInterval : this.#limits.idleInterval;
  }
}
