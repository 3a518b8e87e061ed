/**
 * Exponential backoff with full jitter: the delay is drawn evenly from nothing to a ceiling that doubles up to a
 * cap, so that a fleet which lost its server together does not come back together. It never gives up.
 */

export interface BackoffOptions {
  /** Ceiling of the first delay, ms. */
  readonly first: number;
  /** Ceiling that is never exceeded, ms. */
  readonly cap: number;
  /** Least delay, ms; a server that accepts and drops at once must not be hammered either. */
  readonly least: number;
}

export const BACKOFF: BackoffOptions = Object.freeze({ first: 4_000, cap: 300_000, least: 500 });

export class Backoff {
  readonly #options: BackoffOptions;
  /** A number from 0 to below 1. */
  readonly #random: () => number;
  #attempts = 0;

  constructor(random: () => number, options: BackoffOptions = BACKOFF) {
    this.#random = random;
    this.#options = options;
  }

  /** Failures since the last `succeeded`. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The delay before the next attempt, ms; `atLeast` is what the other end asked for. */
  next(atLeast = 0): number {
    const { first, cap, least } = this.#options;
    const ceiling = Math.min(cap, first * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    const delay = least + this.#random() * Math.max(0, ceiling - least);
    // What was asked for is honoured and spread, for it was asked of many.
    return delay < atLeast ? atLeast + this.#random() * Math.min(ceiling, atLeast) : delay;
  }

  succeeded(): void {
    this.#attempts = 0;
  }
}
