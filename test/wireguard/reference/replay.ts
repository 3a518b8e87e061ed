/**
 * The replay window as a set: every counter ever accepted is remembered. RFC 6479 with a bitmap of 8192 bits and words
 * of 64 keeps at least 8192 - 64 counters behind the greatest one.
 */
export const WINDOW = 8192n - 64n;
/** The paper's section 6.1, Reject-After-Messages. */
export const REJECT_AFTER_MESSAGES = 2n ** 64n - 2n ** 13n - 1n;

export class ReplaySet {
  greatest = -1n;
  readonly #seen = new Set<bigint>();

  /** True once for each counter that is inside the window and below the limit. */
  accept(counter: bigint): boolean {
    if (counter >= REJECT_AFTER_MESSAGES) return false;
    if (counter + WINDOW < this.greatest || this.#seen.has(counter)) return false;
    this.#seen.add(counter);
    if (counter > this.greatest) this.greatest = counter;
    return true;
  }
}
