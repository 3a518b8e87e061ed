/** Whether a planned change may be made now. Changes because of a failure do not ask. */

import type { PathReason } from './journal.js';
import type { PathOptions } from './path-options.js';
import type { Slot } from './slot.js';

export interface Situation {
  readonly from: Slot;
  readonly to: Slot;
  /** Since when `from` is active, and when the last change was; monotonic ms. */
  readonly activeSince: number;
  readonly lastChange: number;
  readonly now: number;
}

/** Undefined: it may; otherwise why it has to wait. */
export function refusal(situation: Situation, options: PathOptions): PathReason | undefined {
  const { from, to, activeSince, lastChange, now } = situation;
  if (to.score < from.score * (1 + options.gain)) return 'gain-too-small';
  if (now - to.answersSince < to.stability) return 'waits-for-stability';
  // The first climb from whatever worked first is what everybody waits for: nothing has swung yet.
  if (lastChange === -Infinity && to.failures === 0) return undefined;
  if (now - lastChange < options.cooldown) return 'waits-for-cooldown';
  // A way of a better kind that has never failed is not what makes a path swing to and fro.
  if (to.place < from.place && to.failures === 0) return undefined;
  if (now - activeSince < options.dwell) return 'waits-for-dwell';
  return undefined;
}
