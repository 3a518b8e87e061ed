/** Keeps a gateway below the server's limit of messages a second (seed: 100), so that it is never thrown out. */
export class MessageLimiter {
  readonly #perSecond: number;
  readonly #burst: number;
  #credit: number;
  #seen = Number.NEGATIVE_INFINITY;

  constructor(perSecond = 50, burst = 50) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#credit = burst;
  }

  /** True when one more message may go at `now` (monotonic ms). */
  take(now: number): boolean {
    if (now > this.#seen) {
      const earned =
        this.#seen === Number.NEGATIVE_INFINITY ? this.#burst : ((now - this.#seen) * this.#perSecond) / 1000;
      this.#credit = Math.min(this.#burst, this.#credit + earned);
      this.#seen = now;
    }
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }
}
