/**
 * Controlled delay (RFC 8289): tells which of the frames that waited in a queue is to be dropped, or marked, so that a
 * queue drains instead of standing. A queue that is long for a moment is left alone.
 */

/** Acceptable standing delay, and the time within which it must have been undercut once; RFC 8289 section 4.4, in ms. */
export const CODEL_TARGET = 5;
export const CODEL_INTERVAL = 100;

export class Codel {
  readonly #target: number;
  readonly #interval: number;
  /** When the delay will have been above the target for an interval; 0: it is not above. */
  #firstAbove = 0;
  #dropping = false;
  #dropNext = 0;
  /** Drops since dropping began, and of the time before. */
  #count = 0;
  #lastCount = 0;

  constructor(target = CODEL_TARGET, interval = CODEL_INTERVAL) {
    this.#target = target;
    this.#interval = interval;
  }

  /**
   * For the frame taken out at `now` (ms) after `waited` ms, with `left` bytes still behind it: true when it is to be
   * dropped. Call it for each frame in order. A queue of less than one `frame` (bytes) is never long.
   */
  drops(now: number, waited: number, left: number, frame: number): boolean {
    const over = this.#isOver(now, waited, left, frame);
    if (!this.#dropping) {
      if (!over) return false;
      this.#dropping = true;
      // Section 5.5: soon after the last time the rate that controlled the queue then is a good start.
      const delta = this.#count - this.#lastCount;
      const recent = now - this.#dropNext < 16 * this.#interval;
      this.#count = delta > 1 && recent ? delta : 1;
      this.#lastCount = this.#count;
      this.#dropNext = this.#after(now);
      return true;
    }
    if (!over) {
      this.#dropping = false;
      return false;
    }
    if (now < this.#dropNext) return false;
    this.#count++;
    this.#dropNext = this.#after(this.#dropNext);
    return true;
  }

  #isOver(now: number, waited: number, left: number, frame: number): boolean {
    if (waited < this.#target || left <= frame) {
      this.#firstAbove = 0;
      return false;
    }
    if (this.#firstAbove === 0) {
      this.#firstAbove = now + this.#interval;
      return false;
    }
    return now >= this.#firstAbove;
  }

  /** The control law of section 5.3. */
  #after(time: number): number {
    return time + this.#interval / Math.sqrt(this.#count);
  }
}
