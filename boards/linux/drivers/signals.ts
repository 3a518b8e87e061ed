import type { Edge } from '../../xs/edge.js';
import { SystemError } from './system-error.js';

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGTERM = 15;

/** SIGHUP, SIGINT and SIGTERM as events of the main loop. */
export class Signals extends Native('xs_signals_destructor') {
  onSignal: ((signal: number) => void) | undefined;
  readonly #edge: Edge;

  /** Throws a {@link SystemError}. */
  constructor(edge: Edge) {
    super();
    this.#edge = edge;
    const result = this.#openNative();
    if (result < 0) throw new SystemError('cannot take signals', -result);
  }

  close(): void {
    native('xs_signals_close').call(this);
  }

  /** Called by the main loop. */
  wake(_condition: number): void {
    try {
      const signal = this.#nextNative();
      if (signal !== 0) this.onSignal?.(signal);
    } catch (error) {
      this.#edge.caught('signal', error);
    }
  }

  #openNative(): number {
    return native('xs_signals_open').call(this);
  }

  #nextNative(): number {
    return native('xs_signals_next').call(this);
  }
}
