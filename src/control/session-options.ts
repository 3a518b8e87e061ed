/** What a control session is made with, and what it counts. */

import type { Clock, Log } from '../ports.js';
import type { BackoffOptions } from './backoff.js';
import type { Envelope } from './envelope.js';
import type { Credentials, LinkFactory, Route } from './link.js';
import type { RouteChoiceTiming } from './route-choice.js';
import type { RecordValue } from './shape.js';

export interface SessionTiming {
  /** ms, all of them. The first two are the seed's handshake and read limits. */
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
  readonly routeTiming?: RouteChoiceTiming;
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
