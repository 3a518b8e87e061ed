/** The check list (RFC 8445 section 6.1.2) of one stream with one component, growing as candidates trickle in. */

import { endpointFamily, sameEndpoint } from '../packet/endpoint.js';
import type { Candidate, LocalCandidate } from './candidate.js';
import { CandidatePair, comparePairs, type Generation } from './candidate-pair.js';

export class CheckList {
  /** Highest priority first. */
  readonly pairs: CandidatePair[] = [];
  /** Pairs to check before all others (RFC 8445 section 6.1.4.1). */
  readonly triggered: CandidatePair[] = [];
  /** Pairs that were left out because there were too many (section 6.1.2.5). */
  leftOut = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  find(base: number, remote: Uint8Array, remoteAt: number): CandidatePair | undefined {
    for (const pair of this.pairs) {
      if (pair.local.base === base && sameEndpoint(pair.remote.endpoint, 0, remote, remoteAt)) return pair;
    }
    return undefined;
  }

  /**
   * Adds a pair unless its base already has one for the remote address: candidates of one base are checked by the same
   * packets (section 6.1.2.4). Undefined when nothing was added.
   */
  add(
    local: LocalCandidate,
    remote: Candidate,
    generation: Generation,
    controlling: boolean,
  ): CandidatePair | undefined {
    // Section 6.1.2.2.
    if (endpointFamily(local.endpoint, 0) !== endpointFamily(remote.endpoint, 0)) return undefined;
    if (this.find(local.base, remote.endpoint, 0) !== undefined) return undefined;
    const pair = new CandidatePair(local, remote, generation);
    let at = this.pairs.length;
    while (at > 0 && comparePairs(pair, this.pairs[at - 1], controlling) < 0) at--;
    if (this.pairs.length >= this.#most && !this.#makeRoom(at)) {
      this.leftOut++;
      return undefined;
    }
    this.pairs.splice(Math.min(at, this.pairs.length), 0, pair);
    this.#thaw(pair);
    return pair;
  }

  /** The order depends on who controls (section 6.1.2.3). */
  sort(controlling: boolean): void {
    this.pairs.sort((a, b) => comparePairs(a, b, controlling));
  }

  /** Puts a pair before all others that have no check of their own yet. */
  trigger(pair: CandidatePair): void {
    pair.state = 'waiting';
    if (!this.triggered.includes(pair)) this.triggered.push(pair);
  }

  /** RFC 8445 section 6.1.4.2: what to check now; undefined when nothing is left. */
  next(): CandidatePair | undefined {
    for (let pair = this.triggered.shift(); pair !== undefined; pair = this.triggered.shift()) {
      if (pair.state === 'waiting' || pair.useCandidate) return pair;
    }
    for (const pair of this.pairs) if (pair.state === 'waiting') return pair;
    for (const pair of this.pairs) {
      if (pair.state === 'frozen' && !this.#busy(pair.foundation)) return pair;
    }
    return undefined;
  }

  /** Section 7.2.5.3.3: what has the same foundation as a pair that succeeded need not wait. */
  unfreeze(succeeded: CandidatePair): void {
    const { foundation } = succeeded;
    for (const pair of this.pairs) {
      if (pair.state === 'frozen' && pair.foundation === foundation) pair.state = 'waiting';
    }
  }

  remove(pair: CandidatePair): void {
    const at = this.pairs.indexOf(pair);
    if (at >= 0) this.pairs.splice(at, 1);
    const queued = this.triggered.indexOf(pair);
    if (queued >= 0) this.triggered.splice(queued, 1);
  }

  /** The valid pair of highest priority. */
  best(): CandidatePair | undefined {
    return this.pairs.find((pair) => pair.valid);
  }

  /** Whether any pair may still succeed. */
  get open(): boolean {
    return this.pairs.some((pair) => pair.state !== 'failed' && pair.state !== 'succeeded');
  }

  /** RFC 8838 section 12: a pair formed late waits only for one of its own foundation. */
  #thaw(pair: CandidatePair): void {
    const { foundation } = pair;
    const kin = this.pairs.filter((other) => other !== pair && other.foundation === foundation);
    const wait = kin.some((other) => other.state === 'waiting' || other.state === 'in-progress');
    if (!wait || kin.some((other) => other.state === 'succeeded')) pair.state = 'waiting';
  }

  #busy(foundation: string): boolean {
    for (const pair of this.pairs) {
      const checked = pair.state === 'waiting' || pair.state === 'in-progress';
      if (checked && pair.foundation === foundation) return true;
    }
    return false;
  }

  /** Makes room before place `at` by dropping a failed pair, or else the last that is worse and not yet checked. */
  #makeRoom(at: number): boolean {
    let victim = this.pairs.find((pair) => pair.state === 'failed');
    for (let i = this.pairs.length - 1; victim === undefined && i >= at; i--) {
      const { state } = this.pairs[i];
      if (state === 'waiting' || state === 'frozen') victim = this.pairs[i];
    }
    if (victim === undefined) return false;
    this.remove(victim);
    return true;
  }
}
