/**
 * Handshake messages in the order of rising effort (paper, section 5.3): size, mac1, under load mac2 and the rate
 * limit, and only then curve operations. Whatever fails is dropped without an answer, but for the cookie reply.
 */

import { ENDPOINT_BYTES } from '../packet/endpoint.js';
import type { DeviceContext } from './context.js';
import type { CookieChecker } from './cookie.js';
import { HandshakeQueue } from './handshake-queue.js';
import {
  COOKIE_REPLY_BYTES,
  COOKIE_REPLY_RECEIVER,
  INITIATION_SENDER,
  RESPONSE_RECEIVER,
  RESPONSE_SENDER,
  readU32,
  TYPE_COOKIE_REPLY,
  TYPE_INITIATION,
} from './messages.js';
import { Handshake, type Noise } from './noise.js';
import { RateLimiter } from './ratelimiter.js';
import type { LocalStatic, RemoteStatic } from './statics.js';

export class HandshakeProcessor {
  readonly #context: DeviceContext;
  readonly #find: (publicKey: Uint8Array) => RemoteStatic | undefined;
  readonly #queue: HandshakeQueue;
  readonly #limiter: RateLimiter;
  #underLoadUntil = -Infinity;

  constructor(context: DeviceContext, find: (publicKey: Uint8Array) => RemoteStatic | undefined) {
    this.#context = context;
    this.#find = find;
    this.#queue = new HandshakeQueue(context.limits.handshakeQueue);
    this.#limiter = new RateLimiter(context.primitives, context.limits);
  }

  get waiting(): number {
    return this.#queue.count;
  }

  get underLoad(): boolean {
    return this.#context.now() < this.#underLoadUntil;
  }

  clear(): void {
    this.#queue.clear();
  }

  queue(bytes: Uint8Array, offset: number, length: number, endpoints: Uint8Array, endpointAt: number): void {
    if (!this.#queue.push(bytes, offset, length, endpoints, endpointAt)) {
      this.#context.counters.handshakeQueueFull++;
    }
    if (this.#queue.count >= this.#context.limits.underLoadQueue) this.#noteLoad();
  }

  /** Processes at most `limits.handshakesPerAdvance` messages. */
  process(): void {
    for (let i = 0; i < this.#context.limits.handshakesPerAdvance; i++) {
      const message = this.#queue.shift();
      if (!message) return;
      this.#processMessage(message, this.#queue.endpoint);
    }
  }

  #noteLoad(): void {
    const { log, limits } = this.#context;
    if (!this.underLoad) log?.write('warn', 'under-load', { waiting: this.#queue.count });
    this.#underLoadUntil = this.#context.now() + limits.underLoadHold;
  }

  #processMessage(message: Uint8Array, endpoint: Uint8Array): void {
    const type = readU32(message, 0);
    if (type === TYPE_COOKIE_REPLY) {
      this.#processCookieReply(message);
      return;
    }
    const { counters } = this.#context;
    const local = this.#addressed(message);
    if (!local) {
      counters.badMac++;
      return;
    }
    if (this.underLoad && !this.#admitUnderLoad(local.checker, message, endpoint)) return;
    if (type === TYPE_INITIATION) this.#processInitiation(local.noise, message, endpoint);
    else this.#processResponse(message, endpoint);
  }

  #admitUnderLoad(checker: CookieChecker, message: Uint8Array, endpoint: Uint8Array): boolean {
    const { counters } = this.#context;
    const now = this.#context.now();
    if (!checker.mac2Valid(message, endpoint, 0, now)) {
      const reply = this.#context.claimMessage(COOKIE_REPLY_BYTES, endpoint);
      if (!reply) return false;
      // Initiation and response have their sender index at the same place.
      checker.reply(reply, 0, message, readU32(message, INITIATION_SENDER), endpoint, 0, now);
      counters.cookieRepliesSent++;
      return false;
    }
    if (!this.#limiter.allow(endpoint, 0, now)) {
      counters.rateLimited++;
      return false;
    }
    return true;
  }

  #processCookieReply(message: Uint8Array): void {
    const owner = this.#context.indices.get(readU32(message, COOKIE_REPLY_RECEIVER));
    if (owner?.peer.handshakes.consumeCookie(message)) this.#context.counters.cookieRepliesReceived++;
  }

  /** The one of our keys that the message's mac1 was made for. */
  #addressed(message: Uint8Array): LocalStatic | undefined {
    for (const local of this.#context.locals) if (local.checker.mac1Valid(message)) return local;
    return undefined;
  }

  #processInitiation(noise: Noise, message: Uint8Array, endpoint: Uint8Array): void {
    const { counters } = this.#context;
    if (!noise.readInitiation(message, this.#find)) {
      counters.refusedInitiations++;
      return;
    }
    const { remote, timestamp } = noise.received;
    if (remote?.peer.handshakes.acceptInitiation(timestamp)) {
      remote.peer.handshakes.respond(noise, remote, endpoint.subarray(0, ENDPOINT_BYTES), message.length);
    }
  }

  #processResponse(message: Uint8Array, endpoint: Uint8Array): void {
    const { indices, counters } = this.#context;
    const handshake = indices.get(readU32(message, RESPONSE_RECEIVER));
    const accepted =
      handshake instanceof Handshake &&
      handshake.peer.handshakes.consumeResponse(message, readU32(message, RESPONSE_SENDER), endpoint);
    if (!accepted) counters.refusedResponses++;
  }
}
