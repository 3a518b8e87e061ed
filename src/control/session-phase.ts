/** Where a session is, why, and until when it may stay there. */

import type { Clock } from '../ports.js';

export type SessionState = 'stopped' | 'waiting' | 'logging-in' | 'connecting' | 'greeting' | 'live';

export class SessionPhase {
  state: SessionState = 'stopped';
  /** For people. */
  reason = 'not started';
  /** Monotonic ms. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `timeout` in ms. */
  enter(state: SessionState, reason: string, timeout = Number.POSITIVE_INFINITY): void {
    this.state = state;
    this.reason = reason;
    this.deadline = this.#clock.monotonic() + timeout;
  }
}
