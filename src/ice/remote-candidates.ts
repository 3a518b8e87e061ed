/** The peer's candidates: those it signals, and peer-reflexive ones that its checks teach (RFC 8445 section 7.3.1.3). */

import { ENDPOINT_BYTES, sameEndpoint } from '../packet/endpoint.js';
import type { Candidate } from './candidate.js';
import { type CandidateRefusal, parseCandidate } from './candidate-text.js';
import type { IceLimits } from './ice-limits.js';

/** `too-many`: over the limit; `stale`: it names a user fragment from before a restart. */
export type RemoteRefusal = CandidateRefusal | 'too-many' | 'stale';

export type RemoteOutcome =
  | { readonly kind: 'added' | 'known' | 'improved'; readonly candidate: Candidate }
  | { readonly kind: 'refused'; readonly reason: RemoteRefusal };

export class RemoteCandidates {
  /** The peer has named all it has (RFC 8838 section 14). */
  ended = false;
  readonly #limits: IceLimits;
  #list: Candidate[] = [];

  constructor(limits: IceLimits) {
    this.#limits = limits;
  }

  get list(): readonly Candidate[] {
    return this.#list;
  }

  clear(): void {
    this.#list = [];
    this.ended = false;
  }

  /** One candidate as text; `ufrag` is the peer's, once it is known. */
  add(text: string, ufrag: string | undefined): RemoteOutcome {
    const parsed = parseCandidate(text, this.#limits.loopback);
    const { candidate } = parsed;
    if (candidate === undefined) return { kind: 'refused', reason: parsed.refusal };
    if (parsed.ufrag !== undefined && ufrag !== undefined && parsed.ufrag !== ufrag)
      return { kind: 'refused', reason: 'stale' };
    const at = this.#list.findIndex((one) => sameEndpoint(one.endpoint, 0, candidate.endpoint, 0));
    if (at >= 0) {
      const known = this.#list[at];
      if (known.type !== 'prflx') return { kind: 'known', candidate: known };
      // A peer-reflexive one gets its real type and foundation now.
      this.#list[at] = candidate;
      return { kind: 'improved', candidate };
    }
    if (this.#count(false) >= this.#limits.remoteCandidates) return { kind: 'refused', reason: 'too-many' };
    this.#list.push(candidate);
    return { kind: 'added', candidate };
  }

  /** Where an authenticated check came from; undefined when too many places were learned already. */
  learn(from: Uint8Array, fromAt: number, priority: number): Candidate | undefined {
    const known = this.#list.find((one) => sameEndpoint(one.endpoint, 0, from, fromAt));
    if (known !== undefined) return known;
    if (this.#count(true) >= this.#limits.peerReflexive) return undefined;
    const candidate: Candidate = {
      type: 'prflx',
      // Different from all others, as the section asks: its base is unknown.
      foundation: `prflx${this.#list.length}`,
      priority,
      endpoint: from.slice(fromAt, fromAt + ENDPOINT_BYTES),
      related: undefined,
    };
    this.#list.push(candidate);
    return candidate;
  }

  #count(learned: boolean): number {
    let count = 0;
    for (const { type } of this.#list) if ((type === 'prflx') === learned) count++;
    return count;
  }
}
