/**
 * The ICE agent for one peer (RFC 8445, trickle RFC 8838, consent RFC 7675): full ICE, one stream, one component,
 * regular nomination. Data may use the best valid pair before one is nominated (RFC 8445 section 12.1), so traffic
 * starts with the first pair that works.
 */

import { ENDPOINT_BYTES, sameEndpoint } from '../packet/endpoint.js';
import type { Scheduled } from '../wireguard/deadline-heap.js';
import type { Candidate, LocalCandidate } from './candidate.js';
import type { CandidatePair, Generation } from './candidate-pair.js';
import { CHECK, CheckExchange, type CheckResults, CONSENT, NOMINATION } from './check-exchange.js';
import { CheckList } from './check-list.js';
import { CHECK_ATTRIBUTES, type CheckMessages } from './check-messages.js';
import { Consent } from './consent.js';
import { type IceAgentOptions, IceCounters, type IceHandlers } from './ice-agent-options.js';
import { areIceCredentials, makeIceCredentials } from './ice-credentials.js';
import { ICE_LIMITS, type IceLimits } from './ice-limits.js';
import type { IceReason, IceState } from './ice-reasons.js';
import type { LocalBase, LocalBases } from './local-base.js';
import { RemoteCandidates, type RemoteRefusal } from './remote-candidates.js';
import { IceRole } from './role.js';
import { PRIORITY, USE_CANDIDATE, USERNAME } from './stun-constants.js';
import { StunIntegrity } from './stun-integrity.js';
import type { StunView } from './stun-view.js';
import { bytesOfText } from './text-bytes.js';

interface EarlyCheck {
  readonly base: number;
  readonly from: Uint8Array;
  readonly priority: number;
  readonly nominate: boolean;
}

export class IceAgent implements CheckResults, Scheduled {
  filedAt = 0;
  heapIndex = -1;
  readonly counters = new IceCounters();
  readonly limits: IceLimits;
  readonly #options: IceAgentOptions;
  readonly #bases: LocalBases;
  readonly #handlers: IceHandlers;
  readonly #exchange: CheckExchange;
  readonly #messages: CheckMessages;
  readonly #integrity: StunIntegrity;
  readonly #role: IceRole;
  readonly #consent: Consent;
  readonly #list: CheckList;
  readonly #remotes: RemoteCandidates;
  readonly #early: EarlyCheck[] = [];
  #generation: Generation;
  /** What came before a restart, until the new one has a pair. */
  #previous: Generation | undefined;
  #state: IceState = 'stopped';
  #reason: IceReason = 'not-started';
  #selected: CandidatePair | undefined;
  #nextCheckAt = Number.POSITIVE_INFINITY;
  #lastCheckAt = Number.NEGATIVE_INFINITY;
  #firstValidAt = Number.POSITIVE_INFINITY;
  #failAt = Number.POSITIVE_INFINITY;

  constructor(options: IceAgentOptions) {
    this.#options = options;
    this.limits = { ...ICE_LIMITS, ...options.limits };
    this.#bases = options.bases;
    this.#handlers = options.handlers;
    const { digests, random, transactions, bases } = options;
    this.#role = new IceRole(options.controlling, random);
    this.#exchange = new CheckExchange(digests, transactions, bases, this.#role, this);
    this.#messages = this.#exchange.messages;
    this.#integrity = new StunIntegrity(digests);
    this.#consent = new Consent(this.limits, random);
    this.#list = new CheckList(this.limits.pairs);
    this.#remotes = new RemoteCandidates(this.limits);
    this.#generation = this.#newGeneration();
  }

  get state(): IceState {
    return this.#state;
  }

  get reason(): IceReason {
    return this.#reason;
  }

  get controlling(): boolean {
    return this.#role.controlling;
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
    for (const remote of this.#remotes.list) this.#pairUp(remote, now);
    for (const early of this.#early.splice(0)) {
      this.#checked(early.base, early.from, 0, early.priority, early.nominate, now);
    }
    this.#wake(now);
    return true;
  }

  /** One candidate of the peer as text; why it was refused, or undefined. */
  addRemoteCandidate(text: string, now: number): RemoteRefusal | undefined {
    const outcome = this.#remotes.add(text, this.remote?.ufrag);
    if (outcome.kind === 'refused') {
      this.counters.refusedCandidates++;
      return outcome.reason;
    }
    const { candidate } = outcome;
    if (outcome.kind === 'improved') {
      for (const pair of this.#list.pairs) {
        if (sameEndpoint(pair.remote.endpoint, 0, candidate.endpoint, 0)) pair.remote = candidate;
      }
      this.#list.sort(this.controlling);
    } else if (outcome.kind === 'added' && this.remote !== undefined) this.#pairUp(candidate, now);
    this.#wake(now);
    return undefined;
  }

  /** RFC 8838 section 14: the peer has named all it has. */
  endOfRemoteCandidates(now: number): void {
    this.#remotes.ended = true;
    this.#wake(now);
  }

  /**
   * New credentials and checks from the start (RFC 8445 section 9); the pair in use stays in use until another works.
   * `described` says that everything has to be signaled again.
   */
  restart(now: number): void {
    if (this.#state === 'stopped') return;
    this.counters.restarts++;
    this.#exchange.cancelAll();
    for (const pair of this.#list.pairs) {
      pair.transaction = undefined;
      if (pair !== this.#selected) this.#bases.release(pair.local.base, pair.remote.endpoint);
    }
    if (this.#selected !== undefined) this.#previous = this.#selected.generation;
    this.#list.pairs.length = this.#list.triggered.length = this.#early.length = 0;
    this.#remotes.clear();
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
    if (!this.#consent.active(now) || this.#selected === undefined) return;
    this.#selected.consentAt = Math.min(this.#selected.consentAt, now);
    this.#schedule();
  }

  close(now: number): void {
    this.#exchange.cancelAll();
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
      for (const remote of this.#remotes.list) this.#add(base, remote, now);
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
    else if (this.#keepsRole(request)) this.#messages.roleConflict(request, localKey);
    else {
      this.#messages.success(request, from, fromAt, localKey);
      this.#send(base, from, fromAt, now);
      if (generation !== this.#generation) return true;
      request.find(PRIORITY);
      const priority = Math.min(Math.max(request.valueU32, 1), 0x7fffffff);
      const nominate = !this.controlling && request.find(USE_CANDIDATE);
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
    this.#askForConsent(now);
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

  // ---- what became of checks ----

  succeeded(pair: CandidatePair, kind: number, now: number): void {
    if (pair.generation === this.#generation) this.#validate(pair, kind, now);
    this.#schedule();
  }

  useless(pair: CandidatePair, now: number): void {
    this.#fail(pair, now);
    if (pair === this.#selected) this.#fallBack('consent-expired', now);
  }

  roleConflict(pair: CandidatePair, kind: number, now: number, switchRole: boolean): void {
    if (switchRole) this.#switchRole();
    if (kind !== CONSENT) this.#list.trigger(pair);
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
    const pair = this.#list.add(base.candidate, remote, this.#generation, this.controlling);
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
    const remote = this.#remotes.learn(from, fromAt, priority);
    if (remote === undefined) return undefined;
    return this.#add(base, remote, now);
  }

  // ---- inside: checks ----

  #check(pair: CandidatePair, now: number): void {
    const kind = pair.useCandidate && this.controlling ? NOMINATION : CHECK;
    // RFC 8445 section 14.3: the more checks wait for their turn, the longer each waits for its answer.
    const active = this.#list.pairs.filter((one) => one.state === 'waiting' || one.state === 'in-progress');
    const rto = Math.max(this.limits.rto, this.limits.pacing * active.length);
    this.#bases.permit(pair.local.base, pair.remote.endpoint, false, now);
    if (!pair.valid) pair.state = 'in-progress';
    pair.transaction = this.#exchange.ask(pair, kind, rto, this.limits.requests, now);
    if (pair.transaction === undefined) this.#list.trigger(pair);
  }

  #validate(pair: CandidatePair, kind: number, now: number): void {
    if (pair.state === 'failed' && kind === CONSENT) pair.consentAt = now;
    const before = pair.state;
    pair.state = 'succeeded';
    if (before !== 'succeeded') this.#handlers.pairChanged?.(pair, this, now);
    if (this.#firstValidAt === Number.POSITIVE_INFINITY) this.#firstValidAt = now;
    if (pair.consentAt === Number.POSITIVE_INFINITY)
      pair.consentAt = now + this.#consent.interval(pair === this.#selected, now);
    this.#list.unfreeze(pair);
    if (kind === NOMINATION || (pair.nominateOnSuccess && !this.controlling)) this.#nominated(pair, now);
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
      pair.consentAt = Math.min(pair.consentAt, now + this.#consent.interval(pair === this.#selected, now));
    }
    this.#handlers.selected(pair, this, now);
  }

  #fail(pair: CandidatePair, now: number): void {
    this.#exchange.cancel(pair);
    const wasValid = pair.valid;
    pair.state = 'failed';
    if (wasValid) this.#handlers.pairChanged?.(pair, this, now);
    pair.nominated = pair.useCandidate = false;
    pair.consentAt = Number.POSITIVE_INFINITY;
    this.#bases.release(pair.local.base, pair.remote.endpoint);
    this.#wake(now);
  }

  /** RFC 8445 section 7.3.1.1. True: the other side has to change its role. */
  #keepsRole(request: StunView): boolean {
    const conflict = this.#role.conflict(request);
    if (conflict === 'theirs') this.#switchRole();
    return conflict === 'ours';
  }

  #switchRole(): void {
    this.#role.controlling = !this.#role.controlling;
    this.#list.sort(this.controlling);
    for (const pair of this.#list.pairs) pair.useCandidate = false;
  }

  /** When the controlling side settles on the best pair so far; Infinity while it does not. */
  #nominateAt(): number {
    if (!this.controlling || this.#state !== 'connected') return Number.POSITIVE_INFINITY;
    const best = this.#list.best();
    if (best === undefined || best.useCandidate) return Number.POSITIVE_INFINITY;
    // At once when nothing better can still come.
    const first = this.#list.pairs.find((pair) => pair.state !== 'failed');
    if (first === best && this.#remotes.ended && this.#bases.gathered) return this.#firstValidAt;
    const wait = best.relayed ? this.limits.nominateRelayed : this.limits.nominateDirect;
    return this.#firstValidAt + wait;
  }

  // ---- inside: consent ----

  #deadAt(pair: CandidatePair, now: number): number {
    return this.#consent.deadAt(pair, pair === this.#selected, now);
  }

  #askForConsent(now: number): void {
    const selected = this.#selected;
    if (selected !== undefined && selected.generation !== this.#generation) this.#keep(selected, true, now);
    // The controlling side chooses what stands by; the other end keeps what it is asked on.
    const keeps = this.controlling && this.limits.standbyInterval > 0;
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
    const inUse = pair === this.#selected;
    if (this.#consent.hasToAsk(pair, inUse, this.controlling, now)) this.#askConsent(pair, now);
    pair.consentAt = Math.min(now + this.#consent.interval(pair === this.#selected, now), deadAt);
  }

  /** RFC 7675 section 5.1: never retransmitted; the next request is another transaction. */
  #askConsent(pair: CandidatePair, now: number): void {
    this.#exchange.ask(pair, CONSENT, this.limits.consentInterval, 1, now);
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
}

/** Whether the user name found last in the message begins with this fragment and a colon. */
function startsWith(message: StunView, ufrag: string): boolean {
  if (message.valueLength <= ufrag.length) return false;
  for (let i = 0; i < ufrag.length; i++) {
    if (message.bytes[message.value + i] !== ufrag.charCodeAt(i)) return false;
  }
  return message.bytes[message.value + ufrag.length] === 0x3a;
}
