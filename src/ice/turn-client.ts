/**
 * A TURN client (RFC 8656): one allocation on one server, its permissions and channels. Sans-I/O: messages and time in;
 * messages, relayed datagrams and a truthful state out. Over a stream the host opens the connection and cuts nothing:
 * `receiveStream` does.
 */

import {
  copyEndpoint,
  ENDPOINT_BYTES,
  endpointFamily,
  FAMILY_IPV4,
  FAMILY_NONE,
  sameEndpoint,
} from '../packet/endpoint.js';
import { CHANNEL_HEADER_BYTES, channelDataLength, channelNumber } from './channel-data.js';
import { LongTermCredentials } from './long-term-credentials.js';
import { readStunAddress } from './stun-address.js';
import {
  ALTERNATE_SERVER,
  CLASS_ERROR,
  CLASS_INDICATION,
  CLASS_REQUEST,
  DATA,
  ERROR_ALLOCATION_MISMATCH,
  ERROR_STALE_NONCE,
  ERROR_TRY_ALTERNATE,
  ERROR_UNAUTHENTICATED,
  LIFETIME,
  METHOD_DATA,
  XOR_MAPPED_ADDRESS,
  XOR_PEER_ADDRESS,
  XOR_RELAYED_ADDRESS,
} from './stun-constants.js';
import { errorCodeOf, errorReasonOf } from './stun-error.js';
import { StunIntegrity } from './stun-integrity.js';
import {
  STUN_TIMING,
  type StunTransaction,
  StunTransactions,
  type TransactionOwner,
} from './stun-transactions.js';
import { StunView } from './stun-view.js';
import { DEFAULT_LIFETIME, TURN_LIMITS, type TurnLimits } from './turn-limits.js';
import type { TurnHandlers, TurnOptions } from './turn-options.js';
import type { TurnPeer } from './turn-peers.js';
import { isCrowded, isFinal, type TurnReason, type TurnState, turnReasonOf } from './turn-reasons.js';
import { TurnRelay } from './turn-relay.js';
import { TurnRequests } from './turn-requests.js';
import { TurnStream } from './turn-stream.js';

const ALLOCATE = 1;
const REFRESH = 2;
const PERMISSION = 3;
const BIND = 4;
/** Ends an allocation that the server still has from before we started. */
const CLEAR = 5;

export class TurnClient implements TransactionOwner {
  /** Endpoint record of the server in use; after a redirection another than was asked for. */
  readonly server = new Uint8Array(ENDPOINT_BYTES);
  /** Endpoint records; family 0 while unknown. */
  readonly relayed = new Uint8Array(ENDPOINT_BYTES);
  readonly mapped = new Uint8Array(ENDPOINT_BYTES);
  /** Monotonic ms when the allocation ends unless it is refreshed. */
  expiresAt = Number.NEGATIVE_INFINITY;
  /** The server's words to the last refusal. */
  serverSaid = '';
  /** Challenges accepted: the first of each server, and every fresh nonce after it. */
  challenges = 0;
  readonly #options: TurnOptions;
  readonly #limits: TurnLimits;
  readonly #handlers: TurnHandlers;
  readonly #family: number;
  readonly #stream: TurnStream | undefined;
  readonly #transactions: StunTransactions;
  readonly #requests: TurnRequests;
  readonly #integrity: StunIntegrity;
  readonly #relay: TurnRelay;
  readonly #view = new StunView();
  readonly #record = new Uint8Array(ENDPOINT_BYTES);
  readonly #visited: Uint8Array[] = [];
  #credentials: LongTermCredentials;
  #next: LongTermCredentials | undefined;
  #state: TurnState = 'stopped';
  #reason: TurnReason = 'not-started';
  #refreshAt = Number.POSITIVE_INFINITY;
  #retryAt = Number.POSITIVE_INFINITY;
  #retryWait: number;
  #lastSent = Number.NEGATIVE_INFINITY;
  #staleNonces = 0;
  #cleared = false;
  #open = false;
  #receiving = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#limits = { ...TURN_LIMITS, ...options.limits };
    this.#handlers = options.handlers;
    this.#family = options.family ?? FAMILY_IPV4;
    this.#stream = options.stream ? new TurnStream() : undefined;
    this.#transactions =
      (options.stream ? undefined : options.transactions) ??
      new StunTransactions(options.random, {
        reliable: options.stream ?? false,
        timing: { ...STUN_TIMING, streamTimeout: this.#limits.streamTimeout },
      });
    this.#requests = new TurnRequests(options.digests, this.#transactions);
    this.#integrity = new StunIntegrity(options.digests);
    this.#relay = new TurnRelay(this.#limits, this.#requests, options.stream ?? false, {
      request: (kind, peer, now) => this.#request(kind === 'channel' ? BIND : PERMISSION, peer, now),
      send: (now) => {
        this.#lastSent = now;
        this.#sendWritten(true);
      },
    });
    this.#credentials = new LongTermCredentials(options.digests, options.username, options.password);
    this.#retryWait = this.#limits.retryFirst;
    copyEndpoint(this.server, 0, options.server, 0);
  }

  get state(): TurnState {
    return this.#state;
  }

  get reason(): TurnReason {
    return this.#reason;
  }

  /** Monotonic ms when the client tries again by itself; Infinity while it does not. */
  get retryAt(): number {
    return this.#retryAt;
  }

  get peers(): readonly TurnPeer[] {
    return this.#relay.peers.list;
  }

  /** Datagrams that could not be relayed: no allocation, no permission yet, too long. */
  get dropped(): number {
    return this.#relay.dropped;
  }

  /** Monotonic ms when `advance` is due. */
  get deadline(): number {
    let deadline = Math.min(this.#refreshAt, this.#retryAt);
    // Those that are shared are driven by whoever shares them.
    if (this.#transactions !== this.#options.transactions) {
      deadline = Math.min(deadline, this.#transactions.deadline);
    }
    if (this.#state !== 'allocated') return deadline;
    if (this.#stream === undefined && this.#limits.keepalive > 0) {
      deadline = Math.min(deadline, this.#lastSent + this.#limits.keepalive);
    }
    return Math.min(deadline, this.#relay.deadline);
  }

  start(now: number): void {
    if (this.#state !== 'stopped') return;
    copyEndpoint(this.server, 0, this.#options.server, 0);
    this.#visited.length = 0;
    this.#begin(now);
  }

  /** Gives the allocation back (RFC 8656 section 8.1) and forgets everything. The answer is not waited for. */
  stop(now: number): void {
    this.#transactions.cancelAll(this);
    if (this.#state === 'allocated') {
      this.#requests.refresh(0, this.#family, this.#credentials);
      this.#sendWritten();
    }
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#lose('stopped', 'not-started', now);
  }

  /**
   * Credentials for the next allocation; the present one keeps its own, which the server binds it to (RFC 8656 section
   * 5, 441). A client that failed starts at once.
   */
  setCredentials(username: string, password: string, now: number): void {
    this.#next = new LongTermCredentials(this.#options.digests, username, password);
    if (this.#state === 'failed') this.#begin(now);
  }

  /** The local address or the network has changed: what was allocated for the old one is worthless. */
  restart(now: number): void {
    if (this.#state === 'stopped') return;
    this.#transactions.cancelAll(this);
    copyEndpoint(this.server, 0, this.#options.server, 0);
    this.#visited.length = 0;
    this.#begin(now);
  }

  /** Over a stream: the connection asked for is open. */
  opened(now: number): void {
    if (this.#stream === undefined || this.#state !== 'connecting') return;
    this.#open = true;
    this.#stream.reset();
    this.#allocate(now);
  }

  /** Over a stream: the connection could not be made or is gone, and the allocation with it (RFC 8656 section 8). */
  closed(now: number): void {
    if (this.#stream === undefined || this.#state === 'stopped' || this.#state === 'failed') return;
    this.#open = false;
    this.#fail(this.#state === 'connecting' ? 'connection-failed' : 'connection-lost', now);
  }

  /** Bytes of the stream, as they come. */
  receiveStream(bytes: Uint8Array, offset: number, length: number, now: number): void {
    this.#receiving = now;
    if (!this.#open || this.#stream === undefined) return;
    if (!this.#stream.receive(bytes, offset, length, this.#message)) this.closed(now);
  }

  /** A datagram from the server's address. False when it was nothing of this client's. */
  receive(bytes: Uint8Array, offset: number, length: number, now: number): boolean {
    if (length >= CHANNEL_HEADER_BYTES && bytes[offset] >= 0x40) {
      const peer = this.#relay.peers.byChannel(channelNumber(bytes, offset));
      const size = channelDataLength(bytes, offset);
      if (peer === undefined || size > length - CHANNEL_HEADER_BYTES) return false;
      this.#handlers.data(peer.endpoint, 0, bytes, offset + CHANNEL_HEADER_BYTES, size, now);
      return true;
    }
    const view = this.#view;
    if (!view.at(bytes, offset, length) || view.class === CLASS_REQUEST) return false;
    if (view.class !== CLASS_INDICATION) return this.#transactions.receive(view, this.server, 0, 0, now);
    if (view.method !== METHOD_DATA || this.#state !== 'allocated') return false;
    // RFC 8656 section 11.4.
    if (!this.#readAddress(view, XOR_PEER_ADDRESS, this.#record) || !view.find(DATA)) return false;
    const peer = this.#relay.peers.find(this.#record, 0);
    copyEndpoint(this.#record, 0, peer?.endpoint ?? this.#record, 0);
    this.#handlers.data(this.#record, 0, bytes, view.value, view.valueLength, now);
    return true;
  }

  /** Asks for a permission for this peer and keeps it until `release`. False when there are too many peers. */
  permit(record: Uint8Array, at: number, now: number): boolean {
    return this.#relay.permit(record, at, now);
  }

  /** Asks for a channel, which costs 4 bytes per datagram instead of 36 or more. */
  bind(record: Uint8Array, at: number, now: number): boolean {
    return this.#relay.bind(record, at, now);
  }

  release(record: Uint8Array, at: number): void {
    this.#relay.release(record, at);
  }

  /** Relays a datagram to a peer by channel or indication. While its permission is asked for, the last one waits. */
  send(
    record: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): boolean {
    return this.#relay.send(record, at, bytes, offset, length, now);
  }

  /**
   * The data path: turns a datagram into ChannelData where it stands, with 4 bytes of headroom before it and, over a
   * stream, up to 3 of tailroom behind. The message begins at `offset - 4`; its length is returned, 0 when the peer has
   * no channel (then `send` may still do).
   */
  frame(
    record: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): number {
    const size = this.#relay.frame(record, at, bytes, offset, length);
    if (size > 0) this.#lastSent = now;
    return size;
  }

  /** Refreshes now: somebody suspects that the server has forgotten the allocation. */
  verify(now: number): void {
    if (this.#state !== 'allocated' || this.#refreshAt === Number.POSITIVE_INFINITY) return;
    this.#refreshAt = now;
    this.advance(now);
  }

  advance(now: number): void {
    if (this.#transactions !== this.#options.transactions) this.#transactions.advance(now);
    if (this.#retryAt <= now) this.#begin(now);
    if (this.#state !== 'allocated') return;
    if (this.expiresAt <= now) {
      this.#fail('no-response', now);
      return;
    }
    if (this.#refreshAt <= now) this.#request(REFRESH, undefined, now);
    if (this.#stream === undefined && this.#limits.keepalive > 0) {
      if (this.#lastSent + this.#limits.keepalive <= now) {
        this.#requests.keepalive();
        this.#sendWritten();
        this.#lastSent = now;
      }
    }
    this.#relay.advance(now);
  }

  // ---- transactions ----

  transmit(transaction: StunTransaction): void {
    this.#handlers.send(this.server, transaction.request, 0, transaction.length, false);
  }

  answered(
    transaction: StunTransaction,
    answer: StunView,
    from: Uint8Array,
    fromAt: number,
    _path: number,
    now: number,
  ): boolean {
    if (!sameEndpoint(from, fromAt, this.server, 0)) return false;
    const { kind } = transaction;
    const peer = transaction.subject as TurnPeer | undefined;
    const code = answer.class === CLASS_ERROR ? errorCodeOf(answer) : 0;
    // RFC 8489 section 9.2.5: these two are never signed; everything else is, once we have signed.
    if (code === ERROR_UNAUTHENTICATED || code === ERROR_STALE_NONCE) {
      return this.#challenged(kind, peer, code, answer, now);
    }
    const signed = this.#credentials.ready;
    if (signed && !this.#credentials.verify(this.#integrity, answer)) {
      // RFC 8489 section 10: an unsigned redirection is only believed before there was a secret to prove.
      if (code === 0 || kind !== ALLOCATE || this.#integrity.sha1(answer, NO_KEY) !== 'absent') return false;
      if (code === ERROR_TRY_ALTERNATE) return false;
    }
    this.#staleNonces = 0;
    if (answer.class === CLASS_ERROR) this.#refused(kind, peer, code, answer, now);
    else if (!signed) this.#fail('malformed-answer', now);
    else this.#granted(kind, peer, answer, now);
    return true;
  }

  expired(transaction: StunTransaction, now: number): void {
    const peer = transaction.subject as TurnPeer | undefined;
    if (transaction.kind === PERMISSION || transaction.kind === BIND) {
      this.#relay.unanswered(peer!, now);
      return;
    }
    if (this.#stream !== undefined) this.#open = false;
    this.#fail('no-response', now);
  }

  // ---- inside ----

  readonly #message = (bytes: Uint8Array, offset: number, length: number): void => {
    this.receive(bytes, offset, length, this.#receiving);
  };

  #begin(now: number): void {
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#cleared = false;
    if (this.#next !== undefined) {
      this.#credentials = this.#next;
      this.#next = undefined;
    }
    this.#credentials.reset();
    if (this.#stream === undefined) {
      this.#allocate(now);
      return;
    }
    this.#open = false;
    this.#lose('connecting', 'asked-server', now);
    this.#handlers.connect?.(this.server);
  }

  #allocate(now: number): void {
    this.#lose('allocating', 'asked-server', now);
    this.#request(ALLOCATE, undefined, now);
  }

  #request(kind: number, peer: TurnPeer | undefined, now: number): void {
    const requests = this.#requests;
    if (kind === ALLOCATE) requests.allocate(this.#family, this.#credentials);
    else if (kind === PERMISSION) requests.createPermission(peer!, this.#credentials);
    else if (kind === BIND) requests.channelBind(peer!, this.#credentials);
    else {
      requests.refresh(kind === CLEAR ? 0 : undefined, this.#family, this.#credentials);
      this.#refreshAt = Number.POSITIVE_INFINITY;
    }
    const { bytes, length } = requests.writer;
    this.#lastSent = now;
    if (this.#transactions.start(this, kind, peer, bytes, length, now) !== undefined) return;
    // Too much in flight: asked again soon.
    if (peer !== undefined) this.#relay.unanswered(peer, now);
    else if (kind === REFRESH) this.#refreshAt = now + this.#limits.retryFirst;
    else this.#fail('no-response', now);
  }

  #challenged(
    kind: number,
    peer: TurnPeer | undefined,
    code: number,
    answer: StunView,
    now: number,
  ): boolean {
    const wasReady = this.#credentials.ready;
    if (code === ERROR_UNAUTHENTICATED && wasReady) {
      this.#say(answer);
      // What the server once took it may refuse after a restart, or when time is over: one try from the start.
      if (kind !== ALLOCATE || this.#next !== undefined) this.#again('wrong-credentials', now);
      else this.#fail('wrong-credentials', now);
      return true;
    }
    if (++this.#staleNonces > this.#limits.staleNonces) {
      this.#fail('nonce-never-fresh', now);
      return true;
    }
    const outcome = this.#credentials.challenge(answer);
    if (outcome === 'accepted') {
      this.challenges++;
      this.#request(kind, peer, now);
    } else this.#fail(outcome === 'malformed' ? 'malformed-answer' : outcome, now);
    return true;
  }

  #granted(kind: number, peer: TurnPeer | undefined, answer: StunView, now: number): void {
    if (kind === ALLOCATE) this.#allocated(answer, now);
    else if (kind === REFRESH) this.#setLifetime(answer, now);
    else if (kind === CLEAR) this.#allocate(now);
    else if (peer !== undefined) this.#relay.granted(kind === BIND ? 'channel' : 'permission', peer, now);
  }

  #allocated(answer: StunView, now: number): void {
    // RFC 8656 section 7.3.
    if (
      !this.#readAddress(answer, XOR_RELAYED_ADDRESS, this.relayed) ||
      endpointFamily(this.relayed, 0) !== this.#family
    ) {
      this.#fail('malformed-answer', now);
      return;
    }
    if (!this.#readAddress(answer, XOR_MAPPED_ADDRESS, this.mapped)) this.mapped.fill(0);
    this.#state = 'allocated';
    this.#reason = 'allocated';
    this.serverSaid = '';
    this.#retryWait = this.#limits.retryFirst;
    this.#setLifetime(answer, now);
    this.#relay.begin(now);
    this.#handlers.changed(this, now);
  }

  #setLifetime(answer: StunView, now: number): void {
    const lifetime = answer.findSized(LIFETIME, 4) ? answer.valueU32 * 1000 : DEFAULT_LIFETIME;
    this.expiresAt = now + lifetime;
    this.#refreshAt = now + Math.max(lifetime - this.#limits.refreshBefore, lifetime / 2);
  }

  #refused(kind: number, peer: TurnPeer | undefined, code: number, answer: StunView, now: number): void {
    if (code === ERROR_TRY_ALTERNATE && kind === ALLOCATE) {
      this.#redirected(answer, now);
      return;
    }
    if (kind === PERMISSION || kind === BIND) {
      // RFC 8656 sections 10.2 and 12.2. A mismatch means that the allocation is gone, anything else concerns the peer.
      if (code === ERROR_ALLOCATION_MISMATCH) {
        this.#again('allocation-mismatch', now);
        return;
      }
      this.#relay.refused(kind === BIND ? 'channel' : 'permission', peer!, code);
      return;
    }
    this.#say(answer);
    if (code === ERROR_ALLOCATION_MISMATCH && kind === ALLOCATE && !this.#cleared) {
      // RFC 8656 section 7.4: our port has an allocation from before a restart. We end it, if it was ours.
      this.#cleared = true;
      this.#request(CLEAR, undefined, now);
      return;
    }
    if (kind === REFRESH) this.#again(turnReasonOf(code), now);
    else if (kind === CLEAR) this.#allocate(now);
    else this.#fail(turnReasonOf(code), now);
  }

  /** The server has lost the allocation, perhaps in a restart: a new one at once, with a new address. */
  #again(reason: TurnReason, now: number): void {
    this.#transactions.cancelAll(this);
    if (this.#stream === undefined) {
      this.#lose('allocating', reason, now);
      this.#cleared = false;
      if (this.#next !== undefined) {
        this.#credentials = this.#next;
        this.#next = undefined;
      }
      this.#credentials.reset();
      this.#request(ALLOCATE, undefined, now);
    } else this.#begin(now);
  }

  /** RFC 8489 section 10. */
  #redirected(answer: StunView, now: number): void {
    const alternate = this.#record;
    if (
      !answer.find(ALTERNATE_SERVER) ||
      !readStunAddress(alternate, 0, answer.bytes, answer.value, answer.valueLength, -1) ||
      endpointFamily(alternate, 0) !== endpointFamily(this.server, 0)
    ) {
      this.#fail('malformed-answer', now);
      return;
    }
    this.#visited.push(this.server.slice());
    const seen = this.#visited.some((server) => sameEndpoint(server, 0, alternate, 0));
    if (seen || this.#visited.length > this.#limits.redirects) {
      this.#fail('too-many-redirects', now);
      return;
    }
    copyEndpoint(this.server, 0, alternate, 0);
    this.#begin(now);
    this.#reason = 'redirected';
    this.#handlers.changed(this, now);
  }

  #fail(reason: TurnReason, now: number): void {
    this.#transactions.cancelAll(this);
    this.#staleNonces = 0;
    let wait = this.#retryWait;
    if (isFinal(reason)) wait = this.#next === undefined ? this.#limits.hopelessWait : 0;
    else if (isCrowded(reason)) wait = this.#limits.crowdedWait;
    else this.#retryWait = Math.min(this.#retryWait * 2, this.#limits.retryLongest);
    this.#retryAt = now + wait;
    // A redirection that led nowhere is not followed again before the first server says so.
    copyEndpoint(this.server, 0, this.#options.server, 0);
    this.#visited.length = 0;
    this.#lose('failed', reason, now);
  }

  /** Whatever was allocated is so no more. */
  #lose(state: TurnState, reason: TurnReason, now: number): void {
    const changed = state !== this.#state || reason !== this.#reason;
    this.#state = state;
    this.#reason = reason;
    this.#refreshAt = Number.POSITIVE_INFINITY;
    this.expiresAt = Number.NEGATIVE_INFINITY;
    this.relayed[0] = FAMILY_NONE;
    this.mapped[0] = FAMILY_NONE;
    this.#relay.end();
    if (changed) this.#handlers.changed(this, now);
  }

  #say(answer: StunView): void {
    this.serverSaid = `${errorCodeOf(answer)} ${errorReasonOf(answer)}`;
  }

  #sendWritten(data = false): void {
    const { writer } = this.#requests;
    this.#handlers.send(this.server, writer.bytes, 0, writer.length, data);
  }

  #readAddress(view: StunView, type: number, into: Uint8Array): boolean {
    return view.find(type) && readStunAddress(into, 0, view.bytes, view.value, view.valueLength, view.offset);
  }
}

const NO_KEY = new Uint8Array(1);
