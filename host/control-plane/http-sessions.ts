/**
 * Sessions for networks that let no WebSocket pass: an event stream down (or, as the last resort, polling), and POST up.
 * A token opens the session; from then on its name is the key to it, 16 random bytes told once.
 */

import { randomBytes } from 'node:crypto';
import { LARGEST_MESSAGE_BYTES } from '../../src/control/messages.js';
import type { Door } from './door.js';
import { type EventStream, EventStreamTransport } from './event-stream-transport.js';
import type { GatewaySession, SessionTransport } from './gateway-session.js';
import { PollingTransport } from './polling-transport.js';
import { Refusal } from './refusal.js';
import type { TokenClaims } from './tokens.js';

/** Messages in one POST. */
const MOST_MESSAGES = 16;
/** Seconds a poll may be held. Proxies cut at a minute. */
const LONGEST_POLL = 50;

interface HttpSession {
  readonly session: GatewaySession;
  readonly transport: SessionTransport;
  /** Number of the last message up that was taken: one that is sent again is known. */
  taken: number;
}

export class HttpSessions {
  readonly #door: Door;
  readonly #sessions = new Map<string, HttpSession>();

  constructor(door: Door) {
    this.#door = door;
  }

  /** The stream of a new session; its first event tells the session's name. */
  events(claims: TokenClaims, remoteAddress: string): EventStream {
    const name = newName();
    const transport = new EventStreamTransport(name, () => this.#ended(name));
    this.#add(name, transport, claims, remoteAddress);
    return transport.stream;
  }

  /** A new session that is polled. */
  polling(claims: TokenClaims, remoteAddress: string): { session: string } {
    const name = newName();
    this.#add(name, new PollingTransport(() => this.#ended(name)), claims, remoteAddress);
    return { session: name };
  }

  /** `{session, after, wait}`: messages after that number, as soon as there are any, within `wait` seconds. */
  poll(body: Readonly<Record<string, unknown>>): Promise<{ messages: readonly string[]; last: number }> {
    const { transport } = this.#find(body);
    if (!(transport instanceof PollingTransport)) throw gone();
    const { after, wait } = body;
    if (!isCount(after) || !isCount(wait))
      throw new Refusal(400, 'bad_request', 'after and wait are numbers');
    return transport.poll(after, Math.min(wait, LONGEST_POLL) * 1000);
  }

  /** `{session, first, messages}`: messages of the gateway, numbered from `first`. */
  messages(body: Readonly<Record<string, unknown>>): { taken: number } {
    const found = this.#find(body);
    const { first, messages } = body;
    const good =
      isCount(first) &&
      Array.isArray(messages) &&
      messages.length <= MOST_MESSAGES &&
      messages.every(isMessage);
    if (!good) throw new Refusal(400, 'bad_request', `messages are at most ${MOST_MESSAGES} texts`);
    for (const [i, text] of (messages as string[]).entries()) {
      if (first + i <= found.taken) continue;
      found.taken = first + i;
      found.session.received(text);
    }
    return { taken: found.taken };
  }

  #add(name: string, transport: SessionTransport, claims: TokenClaims, remoteAddress: string): void {
    const session = this.#door.open(transport, claims, remoteAddress);
    this.#sessions.set(name, { session, transport, taken: 0 });
  }

  #ended(name: string): void {
    const found = this.#sessions.get(name);
    this.#sessions.delete(name);
    found?.session.ended();
  }

  #find(body: Readonly<Record<string, unknown>>): HttpSession {
    const found = typeof body.session === 'string' ? this.#sessions.get(body.session) : undefined;
    if (!found) throw gone();
    return found;
  }
}

function newName(): string {
  return randomBytes(16).toString('hex');
}

function gone(): Refusal {
  return new Refusal(410, 'no_session', 'there is no such session any more');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMessage(value: unknown): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) <= LARGEST_MESSAGE_BYTES;
}
