import type { Log } from '../../src/ports.js';

/**
 * Where callbacks of the system enter the program. XS ends the process (a board: restarts) on an exception that
 * nobody caught, so every one is caught here, told with its cause, and the gateway goes on.
 */
export class Edge {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** `where` names the callback. */
  caught(where: string, error: unknown): void {
    this.#log.write('error', 'callback-failed', { where, reason: messageOf(error) });
  }
}

/** An error's own words, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
