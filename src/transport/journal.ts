/** Every decision of a path with its reason and numbers: the last ones, for whoever asks "why?". */

/** What was decided, or why a change that seemed due was not made. */
export type PathReason =
  | 'race-started'
  | 'transport-opened'
  | 'transport-failed'
  | 'transport-closed-unneeded'
  | 'first-that-works'
  | 'better-path'
  | 'active-suspected'
  | 'active-answered'
  | 'active-silent'
  | 'active-closed'
  | 'all-silent'
  | 'peer-moved'
  | 'network-changed'
  | 'endpoint-configured'
  | 'returns-to-probe'
  | 'skipped-in-this-network'
  // Not changed, because:
  | 'waits-for-dwell'
  | 'waits-for-cooldown'
  | 'waits-for-stability'
  | 'gain-too-small'
  | 'budget-used-up';

export interface Decision {
  /** Monotonic ms of the first time. */
  readonly at: number;
  readonly reason: PathReason;
  /** The transport concerned, by name; empty when it is about all. */
  readonly transport: string;
  /** What it was decided on: ms, scores, counts. */
  readonly numbers: Readonly<Record<string, number>>;
  /** How often in a row, and the last time. */
  times: number;
  last: number;
}

export class Journal {
  readonly #most: number;
  readonly #decisions: Decision[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Oldest first. */
  get decisions(): readonly Decision[] {
    return this.#decisions;
  }

  /** Keeps a decision; the same about the same transport in a row is counted. True when it is a new one. */
  note(
    at: number,
    reason: PathReason,
    transport: string,
    numbers: Readonly<Record<string, number>> = {},
  ): boolean {
    const last = this.#decisions.at(-1);
    if (last && last.reason === reason && last.transport === transport) {
      last.times++;
      last.last = at;
      return false;
    }
    this.#decisions.push({ at, reason, transport, numbers, times: 1, last: at });
    if (this.#decisions.length > this.#most) this.#decisions.shift();
    return true;
  }
}
