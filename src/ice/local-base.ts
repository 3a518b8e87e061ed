/** What candidates are sent from, and what an agent sees of it (RFC 8445 section 4, "base"). */

import type { LocalCandidate } from './candidate.js';
import type { IceAgent } from './ice-agent.js';

/** A socket of one address family, or the allocation on one TURN server. */
export interface LocalBase {
  /** Unique and never used again. */
  readonly id: number;
  /** Of the priority of peer-reflexive candidates found by its checks. */
  readonly localPreference: number;
  /** What pairs are formed with: its host or relay candidate. */
  readonly candidate: LocalCandidate;
}

/** What all agents of a gateway share, as one of them sees it. */
export interface LocalBases {
  readonly bases: readonly LocalBase[];
  /** Every local candidate so far, those that only tell the peer more about a base included. */
  readonly candidates: readonly LocalCandidate[];
  /** No further candidate is expected for now. */
  readonly gathered: boolean;
  /** False when it could not be sent, for example because a TURN server has given no permission. */
  send(
    base: number,
    to: Uint8Array,
    toAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): boolean;
  /** A relay asks its server for a permission, or for a channel when `channel`; a socket does nothing. */
  permit(base: number, remote: Uint8Array, channel: boolean, now: number): void;
  release(base: number, remote: Uint8Array): void;
  /** The way of this pair is silent: a relay asks its server whether it still exists. */
  suspect(base: number, now: number): void;
  /** The agent's deadline may have moved. */
  schedule(agent: IceAgent): void;
  /** The agent's user fragments have changed. */
  renamed(agent: IceAgent): void;
}
