/** What an agent is made with, what it tells, and what it counts. */

import type { Digests } from '../crypto/digests.js';
import type { LocalCandidate } from './candidate.js';
import type { CandidatePair } from './candidate-pair.js';
import type { IceAgent } from './ice-agent.js';
import type { IceLimits } from './ice-limits.js';
import type { LocalBases } from './local-base.js';
import type { StunTransactions } from './stun-transactions.js';

export interface IceHandlers {
  /**
   * `local` is new and is to be signaled, together with all candidates that the host knows by now and whether those are
   * all; the ones that follow come by `candidate`.
   */
  described(agent: IceAgent): void;
  /** One more candidate to signal to the peer. */
  candidate(candidate: LocalCandidate, agent: IceAgent): void;
  /** No further candidate will come for now: "end of candidates" (RFC 8838 section 13). */
  gathered(agent: IceAgent): void;
  /** Where traffic goes from now on; undefined is nowhere. */
  selected(pair: CandidatePair | undefined, agent: IceAgent, now: number): void;
  /** State or reason have changed. */
  changed(agent: IceAgent, now: number): void;
  /** A pair has begun or ceased to be valid. */
  pairChanged?(pair: CandidatePair, agent: IceAgent, now: number): void;
}

export interface IceAgentOptions {
  readonly digests: Digests;
  readonly random: (out: Uint8Array) => void;
  readonly transactions: StunTransactions;
  readonly bases: LocalBases;
  /** The side that made the offer controls (RFC 8445 section 6.1.1); a conflict mends itself. */
  readonly controlling: boolean;
  readonly handlers: IceHandlers;
  readonly limits?: Partial<IceLimits>;
}

export class IceCounters {
  /** Requests whose integrity was wrong; nobody was answered. */
  rejected = 0;
  /** Remote candidates that were refused, for whatever reason. */
  refusedCandidates = 0;
  restarts = 0;
}
