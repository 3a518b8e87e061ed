/**
 * The control session: it logs in, connects by the first route that works, says hello, keeps the heartbeat and
 * starts over when the heartbeat is not acknowledged. Alive means acknowledged, never "the socket is open". A state
 * machine: events and time in; links, messages and state out.
 */

import type { Clock, Log } from '../ports.js';
import { Backoff, type BackoffOptions } from './backoff.js';
import { type Envelope, readEnvelope, writeEnvelope } from './envelope.js';
import type { Credentials, Link, LinkFactory, Route } from './link.js';
import { MessageLimiter } from './message-limiter.js';
import { SMALL_MESSAGE_BYTES } from './messages.js';
import type { RecordValue } from './shape.js';

export type SessionState = 'stopped' | 'waiting' | 'logging-in' | 'connecting' | 'greeting' | 'live';

export interface SessionTiming {
  /** ms, all of them. The first three are the seed's handshake, read and write limits. */
  readonly handshakeTimeout: number;
  readonly readTimeout: number;
  /** Between heartbeats; the server may change it within 5 to 300 s. */
  readonly heartbeat: number;
  /** A heartbeat is moved at random by up to this share of the interval, so that a fleet does not beat as one. */
  readonly heartbeatJitter: number;
  readonly ackTimeout: number;
  /** A session that is lost is made anew within this time, at random: a fleet loses its server all at once. */
  readonly reconnectSpread: number;
  /** The control lamp is green while the last acknowledged heartbeat is younger than this many intervals. */
  readonly lampIntervals: number;
}

export const SESSION_TIMING: SessionTiming = Object.freeze({
  handshakeTimeout: 10_000,
  readTimeout: 60_000,
  heartbeat: 30_000,
  heartbeatJitter: 0.15,
  ackTimeout: 10_000,
  reconnectSpread: 10_000,
  lampIntervals: 2.5,
});

/** Heartbeats in a row that may go unanswered before the connection is given up. */
const MISSED_ACKS = 2;

export interface SessionHandlers {
  /** The facts of `hello` besides `most_bytes`. */
  hello(): RecordValue;
  /** The measured facts of a heartbeat besides `seq`. */
  heartbeat(): RecordValue;
  /** A message that is not the session's own, already checked for shape. */
  message(envelope: Envelope): void;
  live?(welcome: RecordValue): void;
  /** A heartbeat with these facts was acknowledged. */
  acknowledged?(facts: RecordValue): void;
  /** The server's clock: ms since 1970, and how far off it may be (half the round trip). */
  serverTime?(time: number, uncertainty: number): void;
}

export interface SessionOptions {
  readonly clock: Clock;
  /** A number from 0 to below 1. */
  readonly random: () => number;
  readonly routes: readonly Route[];
  readonly links: LinkFactory;
  readonly credentials: Credentials;
  readonly handlers: SessionHandlers;
  readonly log?: Log;
  readonly timing?: Partial<SessionTiming>;
  readonly backoff?: BackoffOptions;
  readonly mostBytes?: number;
}

export class SessionCounters {
  sent = 0;
  received = 0;
  /** Not sent: over our own limit, too large, or the link would not take it. */
  unsent = 0;
  unknownTypes = 0;
  refused = 0;
  connections = 0;
}

interface PendingHeartbeat {
  readonly id: string;
  readonly sentAt: number;
  readonly facts: RecordValue;
}

export class ControlSession {
  readonly counters = new SessionCounters();
  readonly timing: SessionTiming;
  /** Why the session is in its state; for people. */
  reason = 'not started';
  /** Monotonic ms of the last acknowledged heartbeat. */
  lastAcknowledged = Number.NEGATIVE_INFINITY;
  /** ms between a heartbeat and its acknowledgement. */
  roundTrip: number | undefined;
  /** What was refused last, and why. */
  lastRefusal: string | undefined;
  readonly #options: SessionOptions;
  readonly #limiter = new MessageLimiter();
  readonly #backoff: Backoff;
  #routes: readonly Route[];
  #route = 0;
  #state: SessionState = 'stopped';
  #link: Link | undefined;
  /** Grows with each attempt: late events of an old link are not ours. */
  #attempt = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #lastReceived = 0;
  #heartbeatAt = Number.POSITIVE_INFINITY;
  #heartbeat: number;
  #sequence = 0;
  #pending: PendingHeartbeat | undefined;
  #missed = 0;
  #refreshAsked = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#routes = options.routes;
    this.timing = { ...SESSION_TIMING, ...options.timing };
    this.#heartbeat = this.timing.heartbeat;
    this.#backoff = new Backoff(options.random, options.backoff);
  }

  get state(): SessionState {
    return this.#state;
  }

  get route(): Route | undefined {
    return this.#routes[this.#route];
  }

  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** The control lamp: acknowledged lately. */
  get healthy(): boolean {
    const age = this.#options.clock.monotonic() - this.lastAcknowledged;
    return age < this.#heartbeat * this.timing.lampIntervals;
  }

  start(): void {
    if (this.#state !== 'stopped') return;
    // A little delay at random: after a power cut a whole site starts at once.
    this.#wait(this.#options.random() * 1000, 'starting');
  }

  stop(reason: string): void {
    if (this.#state === 'live') this.send('bye', { reason });
    this.#dropLink();
    this.#state = 'stopped';
    this.reason = reason;
    this.#deadline = this.#heartbeatAt = Number.POSITIVE_INFINITY;
  }

  /** Other routes from the next connection on; at once when there is none now. */
  setRoutes(routes: readonly Route[]): void {
    this.#routes = routes;
    this.#route = 0;
    if (this.#state === 'waiting') this.#wait(0, 'new routes');
  }

  /** Beats every `seconds` from now on. */
  setHeartbeat(seconds: number): void {
    this.#heartbeat = seconds * 1000;
  }

  /** Ends the connection and makes another at once. */
  reconnect(reason: string): void {
    if (this.#state === 'stopped') return;
    if (this.#state === 'live') this.send('bye', { reason });
    this.#dropLink();
    this.#wait(this.#options.random() * 1000, reason);
  }

  /** There is something to tell: beats now instead of at its time. */
  beatSoon(): void {
    if (this.#state === 'live') this.#heartbeatAt = this.#options.clock.monotonic();
  }

  /** The network changed (another interface, address or uplink): try now instead of at the end of the backoff. */
  networkChanged(): void {
    if (this.#state === 'waiting') {
      this.#backoff.succeeded();
      this.#wait(this.#options.random() * 1000, 'the network changed');
    } else if (this.#state === 'live') {
      // The old connection may be dead without knowing it.
      this.#heartbeatAt = this.#options.clock.monotonic();
    }
  }

  /** Sends a message on the live session; false when it could not be. Throws RangeError when it fits no shape. */
  send(type: string, data: RecordValue, to?: string, id?: string): boolean {
    if (this.#state !== 'live' && this.#state !== 'greeting') return false;
    return this.#write({ type, id, to, data, timestamp: this.#options.clock.wall() });
  }

  /** Monotonic ms at which `advance` should be called. */
  nextDeadline(): number {
    if (this.#state !== 'live') return this.#deadline;
    // One heartbeat at a time: while one is unanswered the next is not due.
    const due = this.#pending ? this.#pending.sentAt + this.timing.ackTimeout : this.#heartbeatAt;
    const refresh = this.#refreshAsked ? Number.POSITIVE_INFINITY : this.#options.credentials.refreshAt();
    return Math.min(due, refresh, this.#lastReceived + this.#readTimeout());
  }

  advance(): void {
    const now = this.#options.clock.monotonic();
    if (this.#state === 'live') this.#advanceLive(now);
    else if (now >= this.#deadline) this.#advanceOffline();
  }

  #advanceOffline(): void {
    if (this.#state === 'waiting') this.#connect();
    else if (this.#state !== 'stopped') this.#fail('no answer in time');
  }

  #advanceLive(now: number): void {
    const { credentials } = this.#options;
    if (this.#pending && now >= this.#pending.sentAt + this.timing.ackTimeout) {
      this.#pending = undefined;
      this.#missed++;
      if (this.#missed >= MISSED_ACKS) {
        this.#fail('heartbeats are not acknowledged');
        return;
      }
      this.#heartbeatAt = now;
    }
    if (now >= this.#lastReceived + this.#readTimeout()) {
      this.#fail('nothing was received');
      return;
    }
    if (!this.#refreshAsked && now >= credentials.refreshAt()) {
      // Asked once: without an answer the server ends the session with the token, and we log in again.
      this.#refreshAsked = true;
      this.send('token-refresh', {});
    }
    if (now >= this.#heartbeatAt && !this.#pending) this.#beat(now);
  }

  /** With long heartbeats a quiet connection is no dead one. */
  #readTimeout(): number {
    return Math.max(this.timing.readTimeout, this.#heartbeat * 2);
  }

  #beat(now: number): void {
    const facts = { ...this.#options.handlers.heartbeat(), seq: ++this.#sequence };
    const id = `h${this.#sequence}`;
    const jitter = (this.#options.random() * 2 - 1) * this.timing.heartbeatJitter;
    this.#heartbeatAt = now + this.#heartbeat * (1 + jitter);
    // Without a timestamp: nobody needs it, and it is sent thousands of times a day.
    if (this.#write({ type: 'heartbeat', id, data: facts })) this.#pending = { id, sentAt: now, facts };
  }

  #connect(): void {
    const { credentials } = this.#options;
    const attempt = ++this.#attempt;
    const token = credentials.token();
    if (token !== undefined) {
      this.#open(token, attempt);
      return;
    }
    this.#enter('logging-in', 'no valid token', this.timing.handshakeTimeout * 3);
    credentials.renew((error, retryAfter) => {
      if (attempt !== this.#attempt || this.#state !== 'logging-in') return;
      const renewed = credentials.token();
      if (error !== undefined || renewed === undefined)
        this.#fail(`login: ${error ?? 'no token'}`, retryAfter);
      else this.#open(renewed, attempt);
    });
  }

  #open(token: string, attempt: number): void {
    const route = this.route;
    if (!route) {
      this.#fail('no control endpoint is configured');
      return;
    }
    this.#enter('connecting', `${route.kind} ${route.url}`, this.timing.handshakeTimeout);
    this.#link = this.#options.links.open(route, token, {
      opened: () => {
        if (attempt === this.#attempt) this.#opened();
      },
      received: (text) => {
        if (attempt === this.#attempt) this.#received(text);
      },
      closed: (reason, retryAfter) => {
        if (attempt === this.#attempt) this.#fail(reason, retryAfter);
      },
      unauthorized: (reason) => {
        if (attempt !== this.#attempt) return;
        this.#options.credentials.reject();
        this.#fail(reason);
      },
    });
  }

  #opened(): void {
    if (this.#state !== 'connecting') return;
    this.counters.connections++;
    this.#lastReceived = this.#options.clock.monotonic();
    this.#enter('greeting', 'waiting for welcome', this.timing.handshakeTimeout);
    const most = this.#options.mostBytes ?? SMALL_MESSAGE_BYTES;
    this.send('hello', { ...this.#options.handlers.hello(), most_bytes: most });
  }

  #received(text: string): void {
    const read = readEnvelope(text, 'down', this.#options.mostBytes ?? SMALL_MESSAGE_BYTES);
    this.counters.received++;
    // Also a message we cannot use shows that the other end lives; only a heartbeat's `ack` makes the lamp green.
    this.#lastReceived = this.#options.clock.monotonic();
    if (!read.ok) {
      if (read.refusal === 'unknown-type') this.counters.unknownTypes++;
      else this.refuse(`${read.refusal}: ${read.detail}`);
      return;
    }
    this.#dispatch(read.envelope);
  }

  /** Counts and remembers a message that was not obeyed. */
  refuse(reason: string): void {
    this.counters.refused++;
    this.lastRefusal = reason;
    this.#options.log?.write('warn', 'control-message-refused', { reason });
  }

  #dispatch(envelope: Envelope): void {
    const { data } = envelope;
    switch (envelope.type) {
      case 'welcome':
        this.#welcome(data);
        return;
      case 'ack':
        this.#acknowledge(data);
        return;
      case 'ping':
        this.#heartbeatAt = Math.min(this.#heartbeatAt, this.#options.clock.monotonic());
        return;
      case 'token':
        this.#refreshAsked = false;
        this.#options.credentials.accept(data.token as string, (data.expires_in as number) * 1000);
        return;
      case 'bye':
        this.#fail(
          `the server ended the session: ${data.reason as string}`,
          ((data.retry_after as number | undefined) ?? 0) * 1000,
        );
        return;
      default:
        if (this.#state === 'live') this.#options.handlers.message(envelope);
    }
  }

  #welcome(data: RecordValue): void {
    if (this.#state !== 'greeting') return;
    this.#enter('live', `${this.route?.kind} ${this.route?.url}`, Number.POSITIVE_INFINITY);
    this.#missed = 0;
    this.#pending = undefined;
    this.#refreshAsked = false;
    if (data.heartbeat !== undefined) this.setHeartbeat(data.heartbeat as number);
    // Only the acknowledgement of the first heartbeat ends the backoff: a server may greet and die.
    this.#heartbeatAt = this.#options.clock.monotonic();
    this.#options.handlers.live?.(data);
  }

  #acknowledge(data: RecordValue): void {
    const pending = this.#pending;
    if (!pending || data.of !== pending.id) return;
    const now = this.#options.clock.monotonic();
    this.#pending = undefined;
    this.#missed = 0;
    this.lastAcknowledged = now;
    this.roundTrip = now - pending.sentAt;
    this.#backoff.succeeded();
    this.#options.handlers.serverTime?.((data.time as number) + this.roundTrip / 2, this.roundTrip / 2);
    this.#options.handlers.acknowledged?.(pending.facts);
  }

  #write(envelope: Envelope): boolean {
    const text = writeEnvelope(envelope);
    if (!this.#limiter.take(this.#options.clock.monotonic()) || !this.#link?.send(text)) {
      this.counters.unsent++;
      return false;
    }
    this.counters.sent++;
    return true;
  }

  #fail(reason: string, retryAfter = 0): void {
    const lost = this.#state === 'live' && retryAfter === 0;
    this.#dropLink();
    this.#options.log?.write('warn', 'control-session-lost', { reason });
    // The next route is tried at once; only a whole round in vain waits longer and longer.
    this.#route = (this.#route + 1) % Math.max(1, this.#routes.length);
    const another = this.#route !== 0 && retryAfter === 0;
    const { random } = this.#options;
    if (lost) this.#wait(random() * this.timing.reconnectSpread, reason);
    else this.#wait(another ? random() * 1000 : this.#backoff.next(retryAfter), reason);
  }

  #dropLink(): void {
    this.#attempt++;
    this.#pending = undefined;
    this.#heartbeatAt = Number.POSITIVE_INFINITY;
    this.#link?.close();
    this.#link = undefined;
  }

  #wait(delay: number, reason: string): void {
    this.#enter('waiting', reason, delay);
  }

  #enter(state: SessionState, reason: string, timeout: number): void {
    this.#state = state;
    this.reason = reason;
    this.#deadline = this.#options.clock.monotonic() + timeout;
  }
}
