/** What a heartbeat tells: everything when something has changed, and once in a while; the data budget is small. */

import type { RecordValue } from './shape.js';

/** Every so many heartbeats all facts are told. */
const FULL_EVERY = 10;

export class HeartbeatFacts {
  /** Heartbeats until all facts are told again, and what they said last. */
  #briefLeft = 0;
  #told = '';

  /** The next one is a full one: who hears it knows nothing yet. */
  reset(): void {
    this.#briefLeft = 0;
  }

  /**
   * `measured` by the tunnel's owner, `own` by the agent. `undecided`: the server waits for what they say. `phase`: of
   * a rotation; a change of it is told at once.
   */
  next(measured: RecordValue, undecided: boolean, phase: string, own: RecordValue): RecordValue {
    const now = `${phase} ${own.tunnel_key} ${own.configuration} ${statesOf(measured)}`;
    if (this.#briefLeft > 0 && now === this.#told && !undecided) {
      this.#briefLeft--;
      return { uptime: measured.uptime, version: own.version };
    }
    this.#briefLeft = FULL_EVERY - 1;
    this.#told = now;
    return { ...measured, ...own };
  }
}

/** What of the peers is worth telling at once: their states, not their counters. */
function statesOf({ peers }: RecordValue): string {
  return ((peers ?? []) as RecordValue[]).map(({ id, state, reason }) => `${id} ${state} ${reason}`).join();
}
