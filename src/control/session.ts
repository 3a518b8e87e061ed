/**
 * The control session: it logs in, connects by the first route that works, says hello, keeps the heartbeat and
 * starts over when the heartbeat is not acknowledged. Alive means acknowledged, never "the socket is open". A state
 * machine: events and time in; links, messages and state out.
 */

import { Backoff } from './backoff.js';
import { Connection } from './connection.js';
import type { Envelope } from './envelope.js';
import { Heartbeat } from './heartbeat.js';
import type { Route } from './link.js';
import { MessageDesk } from './message-desk.js';
import { nameOf, RouteChoice } from './route-choice.js';
import {
  SESSION_TIMING,
  type SessionCounters,
  type SessionOptions,
  type SessionTiming,
} from './session-options.js';
import { SessionPhase, type SessionState } from './session-phase.js';
import type { RecordValue } from './shape.js';

/** Requests to come back later that are believed in a row. */
const MOST_WAITS = 2;
/** A lost session is made anew within this part of its heartbeat's interval, and never later than `reconnectSpread`. */
const SPREAD_SHARE = 3;

export class ControlSession {
  readonly timing: SessionTiming;
  readonly #options: SessionOptions;
  readonly #desk: MessageDesk;
  readonly #backoff: Backoff;
  readonly #heartbeat: Heartbeat;
  readonly #choice: RouteChoice;
  readonly #connection: Connection;
  readonly #phase: SessionPhase;
  #lastReceived = 0;
  #refreshAsked = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#phase = new SessionPhase(options.clock);
    this.#desk = new MessageDesk(options.clock, options.log, options.mostBytes);
    this.timing = { ...SESSION_TIMING, ...options.timing };
    this.#choice = new RouteChoice(options.routes, options.routeTiming);
    this.#heartbeat = new Heartbeat(this.timing, options.random);
    this.#backoff = new Backoff(options.random, options.backoff);
    this.#connection = new Connection(options.links, options.credentials, {
      loggingIn: () => this.#phase.enter('logging-in', 'no valid token', this.timing.handshakeTimeout * 3),
      connecting: (route) =>
        this.#phase.enter('connecting', `${nameOf(route)} ${route.url}`, this.timing.handshakeTimeout),
      opened: () => this.#opened(),
      received: (text) => this.#received(text),
      failed: (reason, retryAfter) => this.#fail(reason, retryAfter),
      unauthorized: (reason) => this.#unauthorized(reason),
    });
  }

  get counters(): SessionCounters {
    return this.#desk.counters;
  }

  /** What was refused last, and why. */
  get lastRefusal(): string | undefined {
    return this.#desk.lastRefusal;
  }

  get state(): SessionState {
    return this.#phase.state;
  }

  /** Why the session is in its state; for people. */
  get reason(): string {
    return this.#phase.reason;
  }

  get route(): Route | undefined {
    return this.#choice.route;
  }

  /** Why this route and not a better one; for people. */
  get routeReason(): string {
    return this.#choice.reason;
  }

  get routes(): readonly Route[] {
    return this.#choice.routes;
  }

  /** Monotonic ms of the last acknowledged heartbeat. */
  get lastAcknowledged(): number {
    return this.#heartbeat.lastAcknowledged;
  }

  /** ms between a heartbeat and its acknowledgement. */
  get roundTrip(): number | undefined {
    return this.#heartbeat.roundTrip;
  }

  /** The control lamp: acknowledged lately. */
  get healthy(): boolean {
    return this.#heartbeat.isHealthy(this.#now());
  }

  start(): void {
    if (this.state !== 'stopped') return;
    // A little delay at random: after a power cut a whole site starts at once.
    this.#wait(this.#options.random() * 1000, 'starting');
  }

  stop(reason: string): void {
    if (this.state === 'live') this.send('bye', { reason });
    this.#dropLink();
    this.#phase.enter('stopped', reason);
  }

  /** Other routes. `keep`: a living session over one that is still there goes on; without it the first one is next. */
  setRoutes(routes: readonly Route[], keep = false): void {
    const kept = this.#choice.replace(routes, keep && this.state === 'live');
    if (this.state === 'waiting') this.#wait(0, 'new routes');
    else if (keep && !kept && this.state === 'live') this.reconnect('its way is no more');
  }

  /** Beats every `seconds` from now on. */
  setHeartbeat(seconds: number): void {
    this.#heartbeat.interval = seconds * 1000;
  }

  /** Ends the connection and makes another at once. */
  reconnect(reason: string): void {
    if (this.state === 'stopped') return;
    if (this.state === 'live') this.send('bye', { reason });
    this.#dropLink();
    this.#wait(this.#options.random() * 1000, reason);
  }

  /** There is something to tell: beats now instead of at its time. */
  beatSoon(): void {
    if (this.state === 'live') this.#heartbeat.soon(this.#now());
  }

  /** The network changed (another interface, address or uplink): try now instead of at the end of the backoff. */
  networkChanged(): void {
    if (this.state === 'waiting') {
      this.#backoff.succeeded();
      this.#wait(this.#options.random() * 1000, 'the network changed');
      // The old connection may be dead without knowing it.
    } else this.beatSoon();
  }

  /** Sends a message on the live session; false when it could not be. Throws RangeError when it fits no shape. */
  send(type: string, data: RecordValue, to?: string, id?: string): boolean {
    if (this.state !== 'live' && this.state !== 'greeting') return false;
    return this.#write({ type, id, to, data, timestamp: this.#options.clock.wall() });
  }

  /** Monotonic ms at which `advance` should be called. */
  nextDeadline(): number {
    if (this.state !== 'live') return this.#phase.deadline;
    const refresh = this.#refreshAsked ? Number.POSITIVE_INFINITY : this.#options.credentials.refreshAt();
    const silence = this.#lastReceived + this.#readTimeout();
    return Math.min(this.#heartbeat.nextDeadline(), refresh, silence, this.#choice.returnAt());
  }

  advance(): void {
    const now = this.#now();
    if (this.state === 'live') this.#advanceLive(now);
    else if (now >= this.#phase.deadline) this.#advanceOffline();
  }

  #advanceOffline(): void {
    if (this.state === 'waiting') this.#connection.begin(this.route);
    else if (this.state !== 'stopped') this.#fail('no answer in time');
  }

  #advanceLive(now: number): void {
    const { credentials } = this.#options;
    if (!this.#heartbeat.expire(now)) {
      this.#fail('heartbeats are not acknowledged');
      return;
    }
    if (now >= this.#lastReceived + this.#readTimeout()) {
      this.#fail('nothing was received');
      return;
    }
    if (now >= this.#choice.returnAt()) {
      this.#choice.returnToFirst();
      this.reconnect('trying the better ways again');
      return;
    }
    if (!this.#refreshAsked && now >= credentials.refreshAt()) {
      // Asked once: without an answer the server ends the session with the token, and we log in again.
      this.#refreshAsked = true;
      this.send('token-refresh', {});
    }
    if (this.#heartbeat.isDue(now)) this.#beat(now);
  }

  /** With long heartbeats a quiet connection is no dead one. */
  #readTimeout(): number {
    return Math.max(this.timing.readTimeout, this.#heartbeat.interval * 2);
  }

  #beat(now: number): void {
    const heartbeat = this.#heartbeat.next(now, this.#options.handlers.heartbeat());
    // Without a timestamp: nobody needs it, and it is sent thousands of times a day.
    const { id, facts } = heartbeat;
    if (this.#write({ type: 'heartbeat', id, data: facts })) this.#heartbeat.sent(heartbeat);
  }

  #opened(): void {
    if (this.state !== 'connecting') return;
    this.counters.connections++;
    this.#lastReceived = this.#now();
    this.#phase.enter('greeting', 'waiting for welcome', this.timing.handshakeTimeout);
    this.send('hello', { ...this.#options.handlers.hello(), most_bytes: this.#desk.mostBytes });
  }

  #received(text: string): void {
    // Also a message we cannot use shows that the other end lives; only a heartbeat's `ack` makes the lamp green.
    this.#lastReceived = this.#now();
    const envelope = this.#desk.read(text);
    if (envelope) this.#dispatch(envelope);
  }

  /** Counts and remembers a message that was not obeyed. */
  refuse(reason: string): void {
    this.#desk.refuse(reason);
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
        this.#heartbeat.soon(this.#now());
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
        if (this.state === 'live') this.#options.handlers.message(envelope);
    }
  }

  #welcome(data: RecordValue): void {
    const { route } = this;
    if (this.state !== 'greeting' || !route) return;
    const now = this.#now();
    this.#phase.enter('live', `${nameOf(route)} ${route.url}`);
    this.#choice.live(now);
    this.#refreshAsked = false;
    if (data.heartbeat !== undefined) this.setHeartbeat(data.heartbeat as number);
    // Only the acknowledgement of the first heartbeat ends the backoff: a server may greet and die.
    this.#heartbeat.begin(now);
    this.#options.handlers.live?.(data);
  }

  #acknowledge(data: RecordValue): void {
    const heartbeat = this.#heartbeat.acknowledged(data.of as string, this.#now());
    if (!heartbeat) return;
    this.#backoff.succeeded();
    const half = (this.#heartbeat.roundTrip ?? 0) / 2;
    this.#options.handlers.serverTime?.((data.time as number) + half, half);
    this.#options.handlers.acknowledged?.(heartbeat.facts);
  }

  #write(envelope: Envelope): boolean {
    return this.#desk.write(envelope, (text) => this.#connection.send(text));
  }

  #fail(reason: string, retryAfter = 0): void {
    const lost = this.state === 'live' && retryAfter === 0;
    this.#dropLink();
    this.#options.log?.write('warn', 'control-session-lost', { reason });
    // Whoever is told to wait is expected back where it was; told so again and again it looks elsewhere, too.
    const another =
      (retryAfter === 0 || this.#backoff.attempts > MOST_WAITS) && this.#choice.failed(this.#now(), reason);
    const { random } = this.#options;
    // Who beats often is one of few.
    const spread = Math.min(this.timing.reconnectSpread, this.#heartbeat.interval / SPREAD_SHARE);
    if (lost) this.#wait(random() * spread, reason);
    else this.#wait(another ? random() * 1000 : this.#backoff.next(retryAfter), reason);
  }

  /** No fault of the route's: the next attempt logs in anew. */
  #unauthorized(reason: string): void {
    this.#dropLink();
    this.#options.log?.write('warn', 'control-session-lost', { reason });
    this.#wait(this.#backoff.next(), reason);
  }

  #dropLink(): void {
    this.#heartbeat.end();
    this.#connection.drop();
  }

  #wait(delay: number, reason: string): void {
    this.#phase.enter('waiting', reason, delay);
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}
