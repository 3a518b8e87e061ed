/** A pair of candidates and its place in the order of checks (RFC 8445 section 6.1.2). */

import type { Candidate, LocalCandidate } from './candidate.js';
import type { IceCredentials } from './ice-credentials.js';
import type { StunTransaction } from './stun-transactions.js';

/** RFC 8445 section 6.1.2.6. */
export type PairState = 'frozen' | 'waiting' | 'in-progress' | 'succeeded' | 'failed';

/** The credentials that checks are made with; a restart begins new ones (RFC 8445 section 9). */
export interface Generation {
  readonly local: IceCredentials;
  readonly localKey: Uint8Array;
  remote: IceCredentials | undefined;
  remoteKey: Uint8Array | undefined;
}

export class CandidatePair {
  readonly local: LocalCandidate;
  /** Replaced when a peer-reflexive candidate turns out to be one that the peer also names. */
  remote: Candidate;
  state: PairState = 'frozen';
  /** RFC 8445 section 8.1: chosen by the controlling side, and valid. */
  nominated = false;
  /** The controlled side: the peer nominated it before our own check of it succeeded (section 7.3.1.5). */
  nominateOnSuccess = false;
  /** The controlling side: the next check of it nominates. */
  useCandidate = false;
  /** Check or consent request in flight. */
  transaction: StunTransaction | undefined;
  /** Monotonic ms of the last authenticated answer. */
  lastAnswer = Number.NEGATIVE_INFINITY;
  /** Monotonic ms of the peer's last authenticated request by this pair. */
  lastHeard = Number.NEGATIVE_INFINITY;
  /** ms of the last round trip without retransmission. */
  roundTrip: number | undefined;
  /** Monotonic ms when the next consent request is due. */
  consentAt = Number.POSITIVE_INFINITY;
  /** Checks sent and answered. */
  sent = 0;
  answered = 0;

  readonly generation: Generation;

  constructor(local: LocalCandidate, remote: Candidate, generation: Generation) {
    this.generation = generation;
    this.local = local;
    this.remote = remote;
  }

  /** RFC 8445 section 6.1.2.6: the pair's foundation is that of both. */
  get foundation(): string {
    return `${this.local.foundation} ${this.remote.foundation}`;
  }

  get valid(): boolean {
    return this.state === 'succeeded';
  }

  /** Whether its datagrams go through a TURN server on either side. */
  get relayed(): boolean {
    return this.local.type === 'relay' || this.remote.type === 'relay';
  }
}

/**
 * Negative when `a` goes before `b`. RFC 8445 section 6.1.2.3: with G and D the priorities of the controlling and the
 * controlled side's candidate, 2^32 * MIN(G, D) + 2 * MAX(G, D) + (G > D ? 1 : 0); compared by its parts, because a
 * Number has 53 bits only.
 */
export function comparePairs(a: CandidatePair, b: CandidatePair, controlling: boolean): number {
  const least = Math.min(b.local.priority, b.remote.priority) - Math.min(a.local.priority, a.remote.priority);
  if (least !== 0) return least;
  const most = Math.max(b.local.priority, b.remote.priority) - Math.max(a.local.priority, a.remote.priority);
  return most !== 0 ? most : tie(b, controlling) - tie(a, controlling);
}

function tie(pair: CandidatePair, controlling: boolean): number {
  const g = controlling ? pair.local.priority : pair.remote.priority;
  const d = controlling ? pair.remote.priority : pair.local.priority;
  return g > d ? 1 : 0;
}
