/** One session of one gateway, over whichever link: what it says is checked, limited and handed on in order. */

import { randomBytes } from 'node:crypto';
import { type Envelope, readEnvelope, writeEnvelope } from '../../src/control/envelope.js';
import type { LinkKind } from '../../src/control/link.js';
import { LARGEST_MESSAGE_BYTES, SMALL_MESSAGE_BYTES } from '../../src/control/messages.js';
import type { RecordValue } from '../../src/control/shape.js';
import type { Log } from '../../src/ports.js';
import type { NetworkPosition } from './network.js';
import type { ControlOptions } from './options.js';
import { RateLimit } from './rate-limit.js';
import type { TokenClaims } from './tokens.js';

/** Most that may wait to be sent to one gateway, bytes. */
export const MOST_WAITING = 4 * LARGEST_MESSAGE_BYTES;

/** Close codes of RFC 6455 section 7.4.1, and our own for an end of the token. */
export const CLOSE = { goingAway: 1001, unsupported: 1003, policy: 1008, tokenExpired: 4001 } as const;

/** setTimeout counts no further. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What carries a session. It tells the session what it hears (`received`) and its own end (`ended`). */
export interface SessionTransport {
  readonly kind: LinkKind;
  /** False when too much waits to be sent: the other end does not read. */
  send(text: string): boolean;
  /** Ends it in order, telling why as far as the link can. */
  close(code: number, reason: string): void;
  /** Ends it at once. */
  terminate(): void;
}

export interface SessionHandler {
  message(session: GatewaySession, envelope: Envelope): Promise<void>;
  closed(session: GatewaySession): void;
}

export class GatewaySession {
  readonly id = randomBytes(8).toString('hex');
  readonly gateway: string;
  readonly tenant: string;
  readonly remoteAddress: string;
  readonly openedAt = Date.now();
  /** It came out of the tunnel. */
  inTunnel = false;
  /** After `hello`. */
  boot: string | undefined;
  mostBytes = SMALL_MESSAGE_BYTES;
  /** Seconds between its heartbeats. */
  interval: number;
  /** Where the gateway's network is when everything sent has arrived; undefined before the first. */
  position: NetworkPosition | undefined;
  /** Version that the gateway's last heartbeat named. */
  acknowledgedVersion = -1;
  /** ms since 1970; 0 before the first. */
  lastHeartbeat = 0;
  facts: RecordValue | undefined;
  lastSnapshot = 0;
  /** The version for which a heartbeat was asked for out of its time. */
  pingedFor = -1;
  /** A key the gateway uses that nobody knows: told of once. */
  unknownKey: string | undefined;
  /** Messages that were no messages, or no message of a gateway's. */
  refused = 0;
  unknownTypes = 0;
  readonly transport: SessionTransport;
  readonly #options: ControlOptions;
  readonly #handler: SessionHandler;
  readonly #log: Log;
  readonly #limit: RateLimit;
  #silence: NodeJS.Timeout;
  #expiry: NodeJS.Timeout | undefined;
  /** What was said is dealt with one by one, in order. */
  #work: Promise<void> = Promise.resolve();
  #greeted = false;
  #open = true;

  constructor(
    transport: SessionTransport,
    claims: TokenClaims,
    remoteAddress: string,
    options: ControlOptions,
    handler: SessionHandler,
    log: Log,
  ) {
    this.gateway = claims.gateway;
    this.tenant = claims.tenant;
    this.remoteAddress = remoteAddress;
    this.transport = transport;
    this.#options = options;
    this.interval = options.heartbeat;
    this.#handler = handler;
    this.#log = log;
    this.#limit = new RateLimit(options.messagesPerSecond, options.messagesPerSecond, 1);
    this.#silence = setTimeout(() => this.close(CLOSE.policy, 'no greeting'), options.greetingTimeout);
    this.renewed(claims.expires);
  }

  get live(): boolean {
    return this.#open && this.boot !== undefined;
  }

  /** False when the message does not fit this gateway, or the session is over. */
  send(type: string, data: RecordValue, from?: string): boolean {
    if (!this.#open) return false;
    let text: string;
    try {
      // What tells the time itself needs no timestamp.
      const timestamp = data.time === undefined ? Date.now() : undefined;
      text = writeEnvelope({ type, from, data, timestamp }, this.mostBytes);
    } catch (error) {
      this.#log.write('error', 'message-not-sent', { gateway: this.gateway, type, reason: String(error) });
      return false;
    }
    // A gateway that does not read is not waited for: it may come back and resume.
    if (this.transport.send(text)) return true;
    this.transport.terminate();
    return false;
  }

  refuse(of: string | undefined, code: string, message: string): void {
    this.send('error', { ...(of === undefined ? {} : { of }), code, message });
  }

  /** The token's end, in seconds since 1970: the session's too. */
  renewed(expires: number): void {
    clearTimeout(this.#expiry);
    const left = Math.min(LONGEST_TIMER, Math.max(0, expires * 1000 - Date.now()));
    this.#expiry = setTimeout(() => this.close(CLOSE.tokenExpired, 'the token has expired'), left);
  }

  /** Something that proves the gateway's life has come. */
  alive(): void {
    const silence = Math.max(this.#options.silence, this.interval * 2_500);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.transport.terminate(), silence);
  }

  close(code: number, reason: string): void {
    if (this.#open) this.transport.close(code, reason);
  }

  /** One whole message came. */
  received(text: string): void {
    if (!this.#limit.take('', Date.now())) {
      this.close(CLOSE.policy, `more than ${this.#options.messagesPerSecond} messages a second`);
      return;
    }
    const read = readEnvelope(text, 'up', LARGEST_MESSAGE_BYTES);
    if (!read.ok) {
      if (read.refusal === 'unknown-type') this.unknownTypes++;
      else {
        this.refused++;
        this.refuse(undefined, read.refusal.replaceAll('-', '_'), read.detail.slice(0, 192));
      }
      return;
    }
    const { envelope } = read;
    if (this.#greeted === (envelope.type === 'hello')) {
      this.refuse(envelope.id, 'out_of_order', 'hello comes first, and once');
      return;
    }
    this.#greeted = true;
    this.#work = this.#work
      .then(() => (this.#open ? this.#handler.message(this, envelope) : undefined))
      .catch((error) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#log.write('error', 'message-failed', { gateway: this.gateway, type: envelope.type, reason });
        this.close(CLOSE.goingAway, 'something went wrong here');
      });
  }

  /** The transport is gone. */
  ended(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#silence);
    clearTimeout(this.#expiry);
    this.#handler.closed(this);
  }
}
