const DAY = 86_400_000;
/** A probe and its answer over UDP: each 16 bytes of content, 32 of WireGuard, 28 of IPv4 and UDP. */
export const PROBE_COST = 2 * (16 + 32 + 28);
/** The same over a TCP stream: TLS, framing, TCP with options, and an acknowledgement each way. */
export const STREAM_PROBE_COST = 2 * (16 + 32 + 4 + 22 + 52 + 52);

/** A daily allowance, earned evenly, of which a tenth can be saved up. */
export class ProbeBudget {
  readonly #perDay: number;
  #credit: number;
  #at: number;

  /** `perDay` in bytes; `now` monotonic ms. */
  constructor(perDay: number, now: number) {
    this.#perDay = perDay;
    this.#credit = perDay / 10;
    this.#at = now;
  }

  get credit(): number {
    return this.#credit;
  }

  /** True when so many bytes may be spent; they are then. */
  take(bytes: number, now: number): boolean {
    const earned = ((now - this.#at) / DAY) * this.#perDay;
    this.#credit = Math.min(this.#perDay / 10, this.#credit + earned);
    this.#at = now;
    if (this.#credit < bytes) return false;
    this.#credit -= bytes;
    return true;
  }
}
