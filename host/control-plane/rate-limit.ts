/** Token buckets, one for each name, in bounded memory. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #mostNames: number;
  readonly #buckets = new Map<string, { credit: number; at: number }>();

  constructor(perSecond: number, burst: number, mostNames = 10_000) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#mostNames = mostNames;
  }

  /** True when `name` may do one more thing at `now` (ms). */
  take(name: string, now: number): boolean {
    const known = this.#buckets.get(name);
    const earned = known ? ((now - known.at) * this.#perSecond) / 1000 : 0;
    const credit = known ? Math.min(this.#burst, known.credit + earned) : this.#burst;
    // Written last, read last: who has been quiet for longest is forgotten first.
    this.#buckets.delete(name);
    this.#buckets.set(name, { credit: credit < 1 ? credit : credit - 1, at: now });
    if (this.#buckets.size > this.#mostNames) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return credit >= 1;
  }
}
