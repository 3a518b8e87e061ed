import type { Timer } from '../../src/ports.js';

/** `setTimeout` fires at once for delays above this (2^31 - 1 ms), so longer ones are cut; the core asks again. */
const LONGEST_DELAY = 0x7fff_ffff;

/** One-shot wake-up on Node's event loop. */
export class NodeTimer implements Timer {
  private handle: NodeJS.Timeout | undefined;

  schedule(delay: number, wake: () => void): void {
    this.cancel();
    // `setTimeout` works in whole milliseconds and drops the fraction: rounded up, so as not to wake too early.
    const whole = Math.min(Math.max(Math.ceil(delay), 0), LONGEST_DELAY);
    this.handle = setTimeout(() => {
      this.handle = undefined;
      wake();
    }, whole);
  }

  cancel(): void {
    if (this.handle !== undefined) clearTimeout(this.handle);
    this.handle = undefined;
  }
}
