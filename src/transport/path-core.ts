/** What the parts of a path know of it and may do to it. Inside `transport/` only. */

import type { Clock, Log } from '../ports.js';
import type { Peer } from '../wireguard/peer.js';
import type { PathReason } from './journal.js';
import type { NegativeCache } from './negative-cache.js';
import type { PathOptions } from './path-options.js';
import type { Slot } from './slot.js';
import type { Transport } from './transport.js';

export interface PathSetup {
  /** Names the path in endpoint records. */
  readonly id: number;
  readonly peer: Peer;
  /** In the order in which a race opens them; `place` is the transport's in the decision table. */
  readonly transports: readonly { readonly transport: Transport; readonly place: number }[];
  readonly options: PathOptions;
  readonly clock: Clock;
  readonly negative: NegativeCache;
  /** Sends from the gateway's own UDP socket. */
  readonly sendUdp: (
    bytes: Uint8Array,
    offset: number,
    length: number,
    endpoints: Uint8Array,
    at: number,
  ) => void;
  /** A datagram came through a transport; `record` names it. */
  readonly deliver: (bytes: Uint8Array, offset: number, length: number, record: Uint8Array) => void;
  /** What came together was handed over. */
  readonly delivered: () => void;
  /** `nextDeadline` moved nearer. */
  readonly onDeadline: () => void;
  readonly log?: Log | undefined;
  /** For logs: the peer, shortened. */
  readonly label: string;
}

export interface PathCore {
  readonly peer: Peer;
  readonly options: PathOptions;
  readonly negative: NegativeCache;
  readonly slots: readonly Slot[];
  readonly network: string;
  /** The one in use; undefined during a race. */
  readonly active: Slot | undefined;
  /** Monotonic ms; -Infinity while there was none. */
  readonly activeSince: number;
  readonly lastChange: number;
  /** Carries everything, too. */
  companion: Slot | undefined;
  /** Until when it does after a planned change, or on trial. */
  overlapUntil: number;
  /** Whether the peer answers probes; undefined while nobody knows. */
  probesAnswered: boolean | undefined;
  readonly suspected: boolean;
  /** The last packet either way. */
  readonly lastTraffic: number;
  /** False when nobody has used the session for long: it is left to end. */
  awake(now: number): boolean;
  note(now: number, reason: PathReason, slot?: Slot, numbers?: Record<string, number>): void;
  /** Asks the peer whether it hears us through this transport; false without a session. */
  probe(slot: Slot, now: number): boolean;
  /** Whether the budget allows it. */
  mayProbe(slot: Slot, now: number): boolean;
  /** The best that is open besides this one; undefined: none is any good. */
  bestOther(active: Slot): Slot | undefined;
  /** Sends the initiation that is not answered yet once more, through this transport. */
  resendInitiation(slot: Slot): void;
  /** Everything is tried anew. */
  race(now: number, reason: PathReason): void;
  /** A planned change: both carry everything for a while. */
  change(now: number, to: Slot, from: Slot, numbers: Record<string, number>): void;
  /** The active transport is of no use any more: the best other one takes over at once. */
  leave(now: number, active: Slot, reason: PathReason): void;
}
