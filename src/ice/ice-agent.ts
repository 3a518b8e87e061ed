/**
 * The ICE agent for one peer (RFC 8445, trickle RFC 8838, consent RFC 7675): full ICE, one stream, one component,
 * regular nomination. Data may use the best valid pair before one is nominated (RFC 8445 section 12.1), so traffic
 * starts with the first pair that works.
 */

import type { Digests } from '../crypto/digests.js';
import { ENDPOINT_BYTES, sameEndpoint } from '../packet/endpoint.js';
import type { Scheduled } from '../wireguard/deadline-heap.js';
import { type Candidate, candidatePriority, type LocalCandidate } from './candidate.js';
import type { CandidatePair, Generation } from './candidate-pair.js';
import { type CandidateRefusal, parseCandidate } from './candidate-text.js';
import { CheckList } from './check-list.js';
import { CHECK_ATTRIBUTES, CheckMessages, compareTieBreaker } from './check-messages.js';
import { areIceCredentials, makeIceCredentials } from './ice-credentials.js';
import { ICE_LIMITS, type IceLimits } from './ice-limits.js';
import type { IceReason, IceState } from './ice-reasons.js';
import type { LocalBase, LocalBases } from './local-base.js';
import { readStunAddress } from './stun-address.js';
import {
  CLASS_ERROR,
  ERROR_ROLE_CONFLICT,
  ICE_CONTROLLED,
  ICE_CONTROLLING,
  PRIORITY,
  USE_CANDIDATE,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from './stun-constants.js';
import { errorCodeOf } from './stun-error.js';
import { StunIntegrity } from './stun-integrity.js';
import type { StunTransaction, StunTransactions, TransactionOwner } from './stun-transactions.js';
import type { StunView } from './stun-view.js';
import { bytesOfText } from './text-bytes.js';

const CHECK = 1;
const NOMINATION = 2;
const CONSENT = 3;

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
  roleConflicts = 0;
  restarts = 0;
}

interface EarlyCheck {
  readonly base: number;
  readonly from: Uint8Array;
  readonly priority: number;
  readonly nominate: boolean;
}

export class IceAgent implements TransactionOwner, Scheduled {
  filedAt = 0;
  heapIndex = -1;
  readonly counters = new IceCounters();
  readonly limits: IceLimits;
  readonly #options: IceAgentOptions;
  readonly #transactions: StunTransactions;
  readonly #bases: LocalBases;
  readonly #handlers: IceHandlers;
  readonly #messages: CheckMessages;
  readonly #integrity: StunIntegrity;
  readonly #tieBreaker = new Uint8Array(8);
  readonly #list: CheckList;
  readonly #mapped = new Uint8Array(ENDPOINT_BYTES);
  readonly #early: EarlyCheck[] = [];
  #remotes: Candidate[] = [];
  #controlling: boolean;
  #generation: Generation;
  /** What came before a restart, until the new one has a pair. */
  #previous: Generation | undefined;
  #state: IceState = 'stopped';
  #reason: IceReason = 'not-started';
  #selected: CandidatePair | undefined;
  #remoteEnded = false;
  #nextCheckAt = Number.POSITIVE_INFINITY;
  #lastCheckAt = Number.NEGATIVE_INFINITY;
  #firstValidAt = Number.POSITIVE_INFINITY;
  #failAt = Number.POSITIVE_INFINITY;
  /** Monotonic ms when data was last sent, and since when without a pause. */
  #activeAt = Number.NEGATIVE_INFINITY;
  #activeSince = Number.NEGATIVE_INFINITY;

  constructor(options: IceAgentOptions) {
    this.#options = options;
    this.limits = { ...ICE_LIMITS, ...options.limits };
    this.#transactions = options.transactions;
    this.#bases = options.bases;
    this.#handlers = options.handlers;
    this.#controlling = options.controlling;
    this.#messages = new CheckMessages(options.digests);
    this.#integrity = new StunIntegrity(options.digests);
    this.#list = new CheckList(this.limits.pairs);
    options.random(this.#tieBreaker);
    this.#generation = this.#newGeneration();
  }

  get state(): IceState {
    return this.#state;
  }

  get reason(): IceReason {
    return this.#reason;
  }

  get controlling(): boolean {
    return this.#controlling;
  }

  /** Our user fragment and password, to be signaled. */
  get local(): Generation['local'] {
    return this.#generation.local;
  }

  /** Theirs, once they were signaled. */
  get remote(): Generation['remote'] {
    return this.#generation.remote;
  }

  /** Our user fragments that checks may name: the present one and, during a restart, the one before. */
  get ufrags(): readonly string[] {
    const previous = this.#previous?.local.ufrag;
    return previous === undefined ? [this.local.ufrag] : [this.local.ufrag, previous];
  }

  get pairs(): readonly CandidatePair[] {
    return this.#list.pairs;
  }

  /** Where traffic goes. */
  get selected(): CandidatePair | undefined {
    return this.#selected;
  }

  /** The best pair that works now, among the direct ones or among those through a TURN server on either side. */
  usable(relayed: boolean, now: number): CandidatePair | undefined {
    if (this.#selected?.relayed === relayed) return this.#selected;
    return this.#list.pairs.find(
      (pair) => pair.valid && pair.relayed === relayed && this.#deadAt(pair, now) > now,
    );
  }

  /** Monotonic ms when `advance` is due; Infinity when nothing is. Requests in flight have their own deadlines. */
  get deadline(): number {
    let deadline = Math.min(this.#nextCheckAt, this.#failAt, this.#nominateAt());
    for (const pair of this.#list.pairs) deadline = Math.min(deadline, pair.consentAt);
    if (this.#selected !== undefined) deadline = Math.min(deadline, this.#selected.consentAt);
    return deadline;
  }

  // ---- signaling ----

  start(now: number): void {
    if (this.#state !== 'stopped') return;
    this.#enter('waiting', 'awaiting-peer-credentials', now);
    this.#failAt = now + this.limits.checkTimeout;
    this.#handlers.described(this);
    this.#schedule();
  }

  /**
   * The peer's user fragment and password. Others than before begin its new generation: our own has to be restarted for
   * it (RFC 8445 section 9), which is done here. False when they are none.
   */
  setRemote(ufrag: string, password: string, now: number): boolean {
    if (!areIceCredentials(ufrag, password)) return false;
    const known = this.#generation.remote;
    if (known?.ufrag === ufrag && known.password === password) return true;
    if (known !== undefined) this.restart(now);
    this.#generation.remote = { ufrag, password };
    this.#generation.remoteKey = bytesOfText(password);
    if (this.#state === 'waiting') this.#enter('waiting', 'awaiting-peer-candidates', now);
    for (const remote of this.#remotes) this.#pairUp(remote, now);
    for (const early of this.#early.splice(0)) {
      this.#checked(early.base, early.from, 0, early.priority, early.nominate, now);
    }
    this.#wake(now);
    return true;
  }

  /** One candidate of the peer as text; why it was refused, or undefined. */
  addRemoteCandidate(text: string, now: number): CandidateRefusal | 'too-many' | 'stale' | undefined {
    const { candidate, ufrag, refusal } = parseCandidate(text, this.limits.loopback);
    if (candidate === undefined) return this.#refuse(refusal);
    // It may have been sent before the peer's restart.
    if (ufrag !== undefined && this.remote !== undefined && ufrag !== this.remote.ufrag)
      return this.#refuse('stale');
    const at = this.#remotes.findIndex((one) => sameEndpoint(one.endpoint, 0, candidate.endpoint, 0));
    if (at >= 0) {
      // RFC 8445 section 7.3.1.3: a peer-reflexive one gets its real type and foundation now.
      if (this.#remotes[at].type === 'prflx') {
        this.#remotes[at] = candidate;
        for (const pair of this.#list.pairs) {
          if (sameEndpoint(pair.remote.endpoint, 0, candidate.endpoint, 0)) pair.remote = candidate;
        }
        this.#list.sort(this.#controlling);
      }
      return undefined;
    }
    if (this.#remotes.length >= this.limits.remoteCandidates + this.limits.peerReflexive)
      return this.#refuse('too-many');
    const signaled = this.#remotes.filter((one) => one.type !== 'prflx').length;
    if (signaled >= this.limits.remoteCandidates) return this.#refuse('too-many');
    this.#remotes.push(candidate);
    if (this.remote !== undefined) this.#pairUp(candidate, now);
    this.#wake(now);
    return undefined;
  }

  /** RFC 8838 section 14: the peer has named all it has. */
  endOfRemoteCandidates(now: number): void {
    this.#remoteEnded = true;
    this.#wake(now);
  }

  /**
   * New credentials and checks from the start (RFC 8445 section 9); the pair in use stays in use until another works.
   * `described` says that everything has to be signaled again.
   */
  restart(now: number): void {
    if (this.#state === 'stopped') return;
    this.counters.restarts++;
    this.#transactions.cancelAll(this);
    for (const pair of this.#list.pairs) {
      pair.transaction = undefined;
      if (pair !== this.#selected) this.#bases.release(pair.local.base, pair.remote.endpoint);
    }
    if (this.#selected !== undefined) this.#previous = this.#selected.generation;
    this.#list.pairs.length = this.#list.triggered.length = this.#early.length = 0;
    this.#remotes = [];
    this.#remoteEnded = false;
    this.#generation = this.#newGeneration();
    this.#firstValidAt = Number.POSITIVE_INFINITY;
    this.#nextCheckAt = Number.POSITIVE_INFINITY;
    this.#failAt = now + this.limits.checkTimeout;
    this.#bases.renamed(this);
    this.#enter('waiting', 'awaiting-peer-credentials', now);
    this.#handlers.described(this);
    this.#schedule();
  }

  /** Data is being sent: consent has to be fresh (RFC 7675). To be called with each batch, or at least each second. */
  active(now: number): void {
    const { consentInterval } = this.limits;
    const idle = now - this.#activeAt >= 2 * consentInterval;
    this.#activeAt = now;
    if (!idle || this.#selected === undefined) return;
    this.#activeSince = now;
    this.#selected.consentAt = Math.min(this.#selected.consentAt, now);
    this.#schedule();
  }

  close(now: number): void {
    this.#transactions.cancelAll(this);
    for (const pair of this.#list.pairs) this.#bases.release(pair.local.base, pair.remote.endpoint);
    this.#list.pairs.length = this.#list.triggered.length = 0;
    this.#nextCheckAt = this.#failAt = this.#firstValidAt = Number.POSITIVE_INFINITY;
    this.#use(undefined, now);
    this.#enter('stopped', 'closed', now);
  }

  // ---- from the shared part ----

  /** A candidate of ours was found. */
  localCandidate(candidate: LocalCandidate, now: number): void {
    if (this.#state === 'stopped') return;
    this.#handlers.candidate(candidate, this);
    const base = this.#base(candidate.base);
    if (base?.candidate !== candidate) return;
    if (this.remote !== undefined) {
      for (const remote of this.#remotes) this.#add(base, remote, now);
    }
    this.#wake(now);
  }

  localGathered(now: number): void {
    if (this.#state === 'stopped') return;
    this.#handlers.gathered(this);
    this.#wake(now);
  }

  /** A local base is gone, and all pairs with it. */
  baseGone(base: number, now: number): void {
    for (const pair of [...this.#list.pairs]) {
      if (pair.local.base !== base) continue;
      this.#fail(pair, now);
      this.#list.remove(pair);
    }
    if (this.#selected?.local.base === base) this.#fallBack('local-address-gone', now);
    this.#schedule();
  }

  /** A Binding request with one of our user fragments, its fingerprint right. True when it was answered. */
  receiveRequest(request: StunView, base: number, from: Uint8Array, fromAt: number, now: number): boolean {
    const generation = this.#generationOf(request);
    if (generation === undefined || this.#state === 'stopped') return false;
    const { localKey } = generation;
    if (this.#integrity.sha1(request, localKey) !== 'right') {
      // RFC 8445 section 7.3 would answer 401; whoever cannot prove anything learns nothing from us.
      this.counters.rejected++;
      return false;
    }
    const unknown = request.unknownAttribute(CHECK_ATTRIBUTES);
    if (unknown >= 0) this.#messages.unknownAttribute(request, unknown, localKey);
    else if (!request.findSized(PRIORITY, 4)) return false;
    else if (this.#losesConflict(request, now)) this.#messages.roleConflict(request, localKey);
    else {
      this.#messages.success(request, from, fromAt, localKey);
      this.#send(base, from, fromAt, now);
      if (generation !== this.#generation) return true;
      request.find(PRIORITY);
      const priority = Math.min(Math.max(request.valueU32, 1), 0x7fffffff);
      const nominate = !this.#controlling && request.find(USE_CANDIDATE);
      this.#checked(base, from, fromAt, priority, nominate, now);
      this.#wake(now);
      return true;
    }
    this.#send(base, from, fromAt, now);
    return true;
  }

  advance(now: number): void {
    if (this.#nextCheckAt <= now) {
      const pair = this.#list.next();
      if (pair === undefined) this.#nextCheckAt = Number.POSITIVE_INFINITY;
      else {
        this.#nextCheckAt = now + this.limits.pacing;
        this.#lastCheckAt = now;
        this.#check(pair, now);
      }
    }
    if (this.#nominateAt() <= now) {
      const best = this.#list.best()!;
      best.useCandidate = true;
      this.#list.triggered.unshift(best);
      this.#wake(now);
    }
    this.#consent(now);
    if (this.#failAt <= now) this.#giveUp(now);
    this.#schedule();
  }

  /** Asks all valid pairs for a sign of life now: the tunnel on top has become silent. */
  probe(now: number): void {
    for (const pair of this.#list.pairs) if (pair.valid) this.#askConsent(pair, now);
    const selected = this.#selected;
    if (selected !== undefined) {
      if (selected.generation !== this.#generation) this.#askConsent(selected, now);
      this.#bases.suspect(selected.local.base, now);
    }
    this.#schedule();
  }

  // ---- transactions ----

  transmit(transaction: StunTransaction): void {
    const pair = transaction.subject as CandidatePair;
    pair.sent++;
    this.#bases.send(
      pair.local.base,
      pair.remote.endpoint,
      0,
      transaction.request,
      0,
      transaction.length,
      transaction.touchedAt,
    );
  }

  answered(
    transaction: StunTransaction,
    answer: StunView,
    from: Uint8Array,
    fromAt: number,
    path: number,
    now: number,
  ): boolean {
    const pair = transaction.subject as CandidatePair;
    const key = pair.generation.remoteKey;
    if (key === undefined || this.#integrity.sha1(answer, key) !== 'right') return false;
    if (pair.transaction === transaction) pair.transaction = undefined;
    if (answer.class === CLASS_ERROR) {
      this.#refusedCheck(pair, transaction, errorCodeOf(answer), now);
      return true;
    }
    // RFC 8445 section 7.2.5.2.1: the answer takes the way of the request, or the pair is of no use.
    const symmetric = path === pair.local.base && sameEndpoint(from, fromAt, pair.remote.endpoint, 0);
    const mapped =
      answer.find(XOR_MAPPED_ADDRESS) &&
      readStunAddress(this.#mapped, 0, answer.bytes, answer.value, answer.valueLength, answer.offset);
    if (!symmetric || !mapped) {
      if (transaction.kind !== CONSENT) this.#fail(pair, now);
      this.#schedule();
      return true;
    }
    pair.answered++;
    pair.lastAnswer = now;
    if (transaction.sent === 1) pair.roundTrip = now - transaction.startedAt;
    if (pair.generation === this.#generation) this.#succeeded(pair, transaction.kind, now);
    this.#schedule();
    return true;
  }

  expired(transaction: StunTransaction, now: number): void {
    const pair = transaction.subject as CandidatePair;
    if (pair.transaction === transaction) pair.transaction = undefined;
    // Consent has an end of its own, a check that was replaced by a triggered one (RFC 8445 section 7.3.1.4) none.
    if (transaction.kind === CONSENT) return;
    if (!transaction.retransmit) {
      if (pair.transaction === undefined && pair.state === 'in-progress') this.#fail(pair, now);
      return;
    }
    this.#fail(pair, now);
    if (pair === this.#selected) this.#fallBack('consent-expired', now);
    this.#wake(now);
  }

  // ---- inside: pairs ----

  #newGeneration(): Generation {
    const local = makeIceCredentials(this.#options.random);
    return { local, localKey: bytesOfText(local.password), remote: undefined, remoteKey: undefined };
  }

  /** Whose user fragment the request begins with; RFC 8445 section 7.2.2: "ours:theirs" as we see it. */
  #generationOf(request: StunView): Generation | undefined {
    if (!request.find(USERNAME)) return undefined;
    for (const generation of [this.#generation, this.#previous]) {
      if (generation === undefined || !startsWith(request, generation.local.ufrag)) continue;
      return generation;
    }
    return undefined;
  }

  #base(id: number): LocalBase | undefined {
    return this.#bases.bases.find((base) => base.id === id);
  }

  #pairUp(remote: Candidate, now: number): void {
    for (const base of this.#bases.bases) this.#add(base, remote, now);
  }

  #add(base: LocalBase, remote: Candidate, now: number): CandidatePair | undefined {
    const pair = this.#list.add(base.candidate, remote, this.#generation, this.#controlling);
    if (pair !== undefined) this.#bases.permit(base.id, remote.endpoint, false, now);
    return pair;
  }

  /** An authenticated check has come in: RFC 8445 sections 7.3.1.3 to 7.3.1.5. */
  #checked(
    baseId: number,
    from: Uint8Array,
    fromAt: number,
    priority: number,
    nominate: boolean,
    now: number,
  ): void {
    if (this.remote === undefined) {
      if (this.#early.length >= this.limits.earlyChecks) return;
      const copy = from.slice(fromAt, fromAt + ENDPOINT_BYTES);
      this.#early.push({ base: baseId, from: copy, priority, nominate });
      return;
    }
    const pair = this.#list.find(baseId, from, fromAt) ?? this.#learn(baseId, from, fromAt, priority, now);
    if (pair === undefined) return;
    pair.lastHeard = now;
    if (pair.valid) {
      if (nominate) this.#nominated(pair, now);
      return;
    }
    pair.nominateOnSuccess ||= nominate;
    if (pair.transaction !== undefined) {
      pair.transaction.retransmit = false;
      pair.transaction = undefined;
    }
    this.#list.trigger(pair);
  }

  /** RFC 8445 section 7.3.1.3: a remote candidate nobody told us of. */
  #learn(
    baseId: number,
    from: Uint8Array,
    fromAt: number,
    priority: number,
    now: number,
  ): CandidatePair | undefined {
    const base = this.#base(baseId);
    if (base === undefined) return undefined;
    let remote = this.#remotes.find((one) => sameEndpoint(one.endpoint, 0, from, fromAt));
    if (remote === undefined) {
      const learned = this.#remotes.filter((one) => one.type === 'prflx');
      if (learned.length >= this.limits.peerReflexive) return undefined;
      remote = {
        type: 'prflx',
        // Different from all others, as the section asks: its base is unknown.
        foundation: `prflx${this.#remotes.length}`,
        priority,
        endpoint: from.slice(fromAt, fromAt + ENDPOINT_BYTES),
        related: undefined,
      };
      this.#remotes.push(remote);
    }
    return this.#add(base, remote, now);
  }

  // ---- inside: checks ----

  #check(pair: CandidatePair, now: number): void {
    const kind = pair.useCandidate && this.#controlling ? NOMINATION : CHECK;
    // RFC 8445 section 14.3: the more checks wait for their turn, the longer each waits for its answer.
    const active = this.#list.pairs.filter((one) => one.state === 'waiting' || one.state === 'in-progress');
    const rto = Math.max(this.limits.rto, this.limits.pacing * active.length);
    this.#bases.permit(pair.local.base, pair.remote.endpoint, false, now);
    if (!pair.valid) pair.state = 'in-progress';
    pair.transaction = this.#ask(pair, kind, rto, this.limits.requests, now);
    if (pair.transaction === undefined) this.#list.trigger(pair);
  }

  #ask(
    pair: CandidatePair,
    kind: number,
    rto: number,
    requests: number,
    now: number,
  ): StunTransaction | undefined {
    const { local, remote, remoteKey } = pair.generation;
    if (remote === undefined || remoteKey === undefined) return undefined;
    const preference = this.#base(pair.local.base)?.localPreference ?? 0;
    this.#messages.check(
      this.#transactions.newId(),
      `${remote.ufrag}:${local.ufrag}`,
      remoteKey,
      candidatePriority('prflx', preference),
      this.#controlling,
      this.#tieBreaker,
      kind === NOMINATION,
    );
    const { bytes, length } = this.#messages.writer;
    return this.#transactions.start(this, kind, pair, bytes, length, now, rto, requests);
  }

  #succeeded(pair: CandidatePair, kind: number, now: number): void {
    if (pair.state === 'failed' && kind === CONSENT) pair.consentAt = now;
    const before = pair.state;
    pair.state = 'succeeded';
    if (before !== 'succeeded') this.#handlers.pairChanged?.(pair, this, now);
    if (this.#firstValidAt === Number.POSITIVE_INFINITY) this.#firstValidAt = now;
    if (pair.consentAt === Number.POSITIVE_INFINITY) pair.consentAt = now + this.#jittered(pair, now);
    this.#list.unfreeze(pair);
    if (kind === NOMINATION || (pair.nominateOnSuccess && !this.#controlling)) this.#nominated(pair, now);
    else this.#choose(now);
    this.#wake(now);
  }

  /** RFC 8445 section 8.1.2: the pair is chosen; what was not tried yet need not be. */
  #nominated(pair: CandidatePair, now: number): void {
    for (const other of this.#list.pairs) other.nominated = other === pair;
    pair.useCandidate = pair.nominateOnSuccess = false;
    for (const other of [...this.#list.pairs]) {
      if (other.valid || other.state === 'failed') continue;
      // Our own choice: a relayed pair is still tried, to stand by.
      if (other.relayed && !pair.relayed && this.limits.standbyPairs > 0) continue;
      if (other.transaction !== undefined) other.transaction.retransmit = false;
      if (other.state !== 'in-progress') {
        this.#bases.release(other.local.base, other.remote.endpoint);
        this.#list.remove(other);
      }
    }
    this.#choose(now);
  }

  /** The nominated pair, or else the best valid one. */
  #choose(now: number): void {
    const nominated = this.#list.pairs.find((pair) => pair.nominated && pair.valid);
    const pair = nominated ?? this.#list.best();
    if (pair === undefined) return;
    this.#failAt = Number.POSITIVE_INFINITY;
    this.#use(pair, now);
    if (nominated !== undefined) this.#enter('completed', 'pair-nominated', now);
    else this.#enter('connected', this.#reason === 'fell-back' ? 'fell-back' : 'pair-valid', now);
  }

  #use(pair: CandidatePair | undefined, now: number): void {
    if (pair === this.#selected) return;
    const before = this.#selected;
    this.#selected = pair;
    if (before !== undefined && before.generation !== this.#generation) {
      this.#bases.release(before.local.base, before.remote.endpoint);
      this.#previous = undefined;
      this.#bases.renamed(this);
    }
    if (pair !== undefined) {
      this.#bases.permit(pair.local.base, pair.remote.endpoint, true, now);
      pair.consentAt = Math.min(pair.consentAt, now + this.#jittered(pair, now));
    }
    this.#handlers.selected(pair, this, now);
  }

  #fail(pair: CandidatePair, now: number): void {
    if (pair.transaction !== undefined) this.#transactions.cancel(pair.transaction);
    pair.transaction = undefined;
    const wasValid = pair.valid;
    pair.state = 'failed';
    if (wasValid) this.#handlers.pairChanged?.(pair, this, now);
    pair.nominated = pair.useCandidate = false;
    pair.consentAt = Number.POSITIVE_INFINITY;
    this.#bases.release(pair.local.base, pair.remote.endpoint);
    this.#wake(now);
  }

  /** RFC 8445 sections 7.2.5.1 and 7.2.5.2.4. */
  #refusedCheck(pair: CandidatePair, transaction: StunTransaction, code: number, now: number): void {
    if (code === ERROR_ROLE_CONFLICT) {
      // Perhaps the role has been changed since; then the check is only made again.
      const view = transaction.request;
      const asked = this.#roleOf(view, transaction.length);
      if (asked === this.#controlling) this.#switchRole();
      if (transaction.kind !== CONSENT) this.#list.trigger(pair);
    } else if (transaction.kind !== CONSENT) this.#fail(pair, now);
    this.#wake(now);
  }

  /** Whether a request of ours said that we control. */
  #roleOf(request: Uint8Array, length: number): boolean {
    for (let at = 20; at + 4 <= length; ) {
      const type = (request[at] << 8) | request[at + 1];
      if (type === ICE_CONTROLLING) return true;
      at += 4 + ((((request[at + 2] << 8) | request[at + 3]) + 3) & ~3);
    }
    return false;
  }

  /** RFC 8445 section 7.3.1.1. True: we keep our role, and the other side has to change. */
  #losesConflict(request: StunView, _now: number): boolean {
    if (!request.findSized(this.#controlling ? ICE_CONTROLLING : ICE_CONTROLLED, 8)) return false;
    this.counters.roleConflicts++;
    const ours = compareTieBreaker(request, this.#tieBreaker) <= 0;
    if (ours === this.#controlling) return true;
    this.#switchRole();
    return false;
  }

  #switchRole(): void {
    this.#controlling = !this.#controlling;
    this.#list.sort(this.#controlling);
    for (const pair of this.#list.pairs) pair.useCandidate = false;
  }

  /** When the controlling side settles on the best pair so far; Infinity while it does not. */
  #nominateAt(): number {
    if (!this.#controlling || this.#state !== 'connected') return Number.POSITIVE_INFINITY;
    const best = this.#list.best();
    if (best === undefined || best.useCandidate) return Number.POSITIVE_INFINITY;
    // At once when nothing better can still come.
    const first = this.#list.pairs.find((pair) => pair.state !== 'failed');
    if (first === best && this.#remoteEnded && this.#bases.gathered) return this.#firstValidAt;
    const wait = best.relayed ? this.limits.nominateRelayed : this.limits.nominateDirect;
    return this.#firstValidAt + wait;
  }

  // ---- inside: consent ----

  #jittered(pair: CandidatePair, now: number): number {
    const { consentInterval, idleInterval, standbyInterval } = this.limits;
    const random = new Uint8Array(1);
    this.#options.random(random);
    let interval = this.#isActive(now) ? consentInterval : idleInterval;
    if (pair !== this.#selected) interval = standbyInterval || consentInterval;
    // RFC 7675 section 5.1: 0.8 to 1.2 times.
    return interval * (0.8 + (0.4 * random[0]) / 255);
  }

  #isActive(now: number): boolean {
    return now - this.#activeAt < 2 * this.limits.consentInterval;
  }

  /** Monotonic ms when the pair is dead unless it answers before. */
  #deadAt(pair: CandidatePair, now: number): number {
    const { consentTimeout, idleInterval, standbyInterval } = this.limits;
    const lastSign = Math.max(pair.lastAnswer, pair.lastHeard);
    if (pair !== this.#selected) return lastSign + Math.max(consentTimeout, 3 * standbyInterval);
    if (!this.#isActive(now)) return lastSign + Math.max(consentTimeout, 3 * idleInterval);
    // A pause without questions is not held against it.
    return Math.max(pair.lastAnswer, this.#activeSince) + consentTimeout;
  }

  #consent(now: number): void {
    const selected = this.#selected;
    if (selected !== undefined && selected.generation !== this.#generation) this.#keep(selected, true, now);
    // The controlling side chooses what stands by; the other end keeps what it is asked on.
    const keeps = this.#controlling && this.limits.standbyInterval > 0;
    let standby = keeps ? this.limits.standbyPairs : 0;
    for (const pair of [...this.#list.pairs]) {
      if (!pair.valid) continue;
      const kept = pair === selected || this.#state !== 'completed' || standby-- > 0;
      this.#keep(pair, kept, now);
    }
  }

  #keep(pair: CandidatePair, kept: boolean, now: number): void {
    if (pair.consentAt > now) return;
    if (!kept) {
      pair.consentAt = Number.POSITIVE_INFINITY;
      return;
    }
    const deadAt = this.#deadAt(pair, now);
    if (deadAt <= now) {
      this.#fail(pair, now);
      if (pair === this.#selected) this.#fallBack('consent-expired', now);
      return;
    }
    // While no data flows one side's questions keep the pair for both.
    const idle = !this.#isActive(now) || pair !== this.#selected;
    const { idleInterval, standbyInterval } = this.limits;
    const heard = now - pair.lastHeard < 1.5 * (pair === this.#selected ? idleInterval : standbyInterval);
    if (this.#controlling || !idle || !heard) this.#askConsent(pair, now);
    pair.consentAt = Math.min(now + this.#jittered(pair, now), deadAt);
  }

  /** RFC 7675 section 5.1: never retransmitted; the next request is another transaction. */
  #askConsent(pair: CandidatePair, now: number): void {
    this.#ask(pair, CONSENT, this.limits.consentInterval, 1, now);
    if (now - pair.lastAnswer > 2 * this.limits.consentInterval) this.#bases.suspect(pair.local.base, now);
  }

  /** The pair in use is dead: another that still answers, or none. */
  #fallBack(reason: IceReason, now: number): void {
    const next = this.#list.pairs.find((pair) => pair.valid && this.#deadAt(pair, now) > now);
    if (next !== undefined) {
      this.#use(next, now);
      this.#enter('connected', 'fell-back', now);
      this.#firstValidAt = now;
      return;
    }
    this.#use(undefined, now);
    const open = this.remote === undefined || this.#list.open;
    if (open) this.#failAt = now + this.limits.checkTimeout;
    this.#enter(open ? 'checking' : 'failed', reason, now);
  }

  #giveUp(now: number): void {
    this.#failAt = Number.POSITIVE_INFINITY;
    if (this.#selected !== undefined) return;
    if (this.remote === undefined) this.#enter('failed', 'awaiting-peer-credentials', now);
    else if (this.#list.pairs.length === 0) this.#enter('failed', 'awaiting-peer-candidates', now);
    else this.#enter('failed', this.#list.open ? 'check-timeout' : 'all-checks-failed', now);
  }

  // ---- inside: small things ----

  #send(base: number, to: Uint8Array, toAt: number, now: number): void {
    const { bytes, length } = this.#messages.writer;
    this.#bases.send(base, to, toAt, bytes, 0, length, now);
  }

  #enter(state: IceState, reason: IceReason, now: number): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#handlers.changed(this, now);
  }

  /** There may be something to check. */
  #wake(now: number): void {
    if (this.#state === 'stopped') return;
    if (this.remote !== undefined && this.#nextCheckAt === Number.POSITIVE_INFINITY && this.#list.open) {
      this.#nextCheckAt = Math.max(now, this.#lastCheckAt + this.limits.pacing);
    }
    if (this.#list.triggered.length > 0 && this.#nextCheckAt === Number.POSITIVE_INFINITY) {
      this.#nextCheckAt = Math.max(now, this.#lastCheckAt + this.limits.pacing);
    }
    const idle = this.#state === 'waiting' || this.#state === 'failed';
    if (idle && this.#list.open) {
      if (this.#state === 'failed') this.#failAt = now + this.limits.checkTimeout;
      this.#enter('checking', 'checks-running', now);
    }
    this.#schedule();
  }

  #schedule(): void {
    this.#bases.schedule(this);
  }

  #refuse<T>(reason: T): T {
    this.counters.refusedCandidates++;
    return reason;
  }
}

/** Whether the user name found last in the message begins with this fragment and a colon. */
function startsWith(message: StunView, ufrag: string): boolean {
  if (message.valueLength <= ufrag.length) return false;
  for (let i = 0; i < ufrag.length; i++) {
    if (message.bytes[message.value + i] !== ufrag.charCodeAt(i)) return false;
  }
  return message.bytes[message.value + ufrag.length] === 0x3a;
}
