/** A token bucket of bytes that holds what a quarter of a second earns, and one large datagram at the least. */
export class Bandwidth {
  readonly #perSecond: number;
  readonly #burst: number;
  #credit: number;
  #at: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(65_535, perSecond / 4);
    this.#credit = this.#burst;
    this.#at = now;
  }

  /** True when so many bytes may pass at `now` (ms). */
  take(bytes: number, now: number): boolean {
    this.#credit = Math.min(this.#burst, this.#credit + ((now - this.#at) * this.#perSecond) / 1000);
    this.#at = now;
    if (this.#credit < bytes) return false;
    this.#credit -= bytes;
    return true;
  }
}
