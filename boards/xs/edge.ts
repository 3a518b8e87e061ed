import type { Clock, Log } from '../../src/ports.js';

/** A callback that fails again and again is told of this often, ms. */
const TELL_INTERVAL = 1_000;

/**
 * Where callbacks of the system enter the program. XS ends the process (a board: restarts) on an exception that
 * nobody caught, so every one is caught here, told with its cause, and the gateway goes on.
 */
export class Edge {
  readonly #log: Log;
  readonly #clock: Clock;
  #toldAt = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `where` names the callback. */
  caught(where: string, error: unknown): void {
    const now = this.#clock.monotonic();
    if (now - this.#toldAt < TELL_INTERVAL) {
      this.#untold++;
      return;
    }
    const more = this.#untold > 0 ? this.#untold : undefined;
    this.#toldAt = now;
    this.#untold = 0;
    this.#log.write('error', 'callback-failed', { where, reason: messageOf(error), more });
  }
}

/** An error's own words, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
