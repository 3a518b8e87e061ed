/** mac1, mac2 and cookies (paper, sections 5.3, 5.4.4 and 5.4.7): proof of reachability before effort is spent. */

import { equal } from '../crypto/constant-time.js';
import { MAC_BYTES, type Primitives, TAG_BYTES, XNONCE_BYTES } from '../crypto/primitives.js';
import { endpointAddressOffset, endpointFamily, FAMILY_IPV4 } from '../packet/endpoint.js';
import type { Timing } from './constants.js';
import { LABEL_COOKIE, LABEL_MAC1 } from './labels.js';
import {
  COOKIE_REPLY_BYTES,
  COOKIE_REPLY_COOKIE,
  COOKIE_REPLY_NONCE,
  COOKIE_REPLY_RECEIVER,
  TYPE_COOKIE_REPLY,
  writeU32,
} from './messages.js';

const COOKIE_BYTES = MAC_BYTES;

/** HASH(label || public key): the keys of mac1 and of cookie encryption. */
function labelledKey(primitives: Primitives, label: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const input = new Uint8Array(label.length + publicKey.length);
  input.set(label);
  input.set(publicKey, label.length);
  const key = new Uint8Array(32);
  primitives.hash(key, input);
  return key;
}

/** The receiving side: verifies the macs addressed to our public key and makes cookie replies. */
export class CookieChecker {
  readonly #primitives: Primitives;
  readonly #timing: Timing;
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  readonly #secret = new Uint8Array(32);
  #secretSince = -Infinity;
  readonly #expected = new Uint8Array(MAC_BYTES);
  readonly #cookie = new Uint8Array(COOKIE_BYTES);
  readonly #source4 = new Uint8Array(6);
  readonly #source6 = new Uint8Array(18);

  constructor(primitives: Primitives, timing: Timing, publicKey: Uint8Array) {
    this.#primitives = primitives;
    this.#timing = timing;
    this.#mac1Key = labelledKey(primitives, LABEL_MAC1, publicKey);
    this.#cookieKey = labelledKey(primitives, LABEL_COOKIE, publicKey);
  }

  /** `message` is exactly one initiation or response; the macs are its last 32 bytes. */
  mac1Valid(message: Uint8Array): boolean {
    const mac1 = message.length - 2 * MAC_BYTES;
    this.#primitives.mac(this.#expected, this.#mac1Key, message.subarray(0, mac1));
    return equal(this.#expected, message.subarray(mac1, mac1 + MAC_BYTES));
  }

  /** True when mac2 was made with the cookie that this source would get now. */
  mac2Valid(message: Uint8Array, endpoints: Uint8Array, at: number, now: number): boolean {
    if (now - this.#secretSince > this.#timing.cookieSecretMaxAge) return false;
    this.#makeCookie(endpoints, at);
    const mac2 = message.length - MAC_BYTES;
    this.#primitives.mac(this.#expected, this.#cookie, message.subarray(0, mac2));
    return equal(this.#expected, message.subarray(mac2));
  }

  /** Writes a cookie reply (64 bytes) to a message whose mac1 was valid; `receiver` is its sender index. */
  reply(
    out: Uint8Array,
    offset: number,
    message: Uint8Array,
    receiver: number,
    endpoints: Uint8Array,
    at: number,
    now: number,
  ): void {
    if (now - this.#secretSince > this.#timing.cookieSecretMaxAge) {
      this.#primitives.random(this.#secret);
      this.#secretSince = now;
    }
    this.#makeCookie(endpoints, at);
    const reply = out.subarray(offset, offset + COOKIE_REPLY_BYTES);
    writeU32(reply, 0, TYPE_COOKIE_REPLY);
    writeU32(reply, COOKIE_REPLY_RECEIVER, receiver);
    const nonce = reply.subarray(COOKIE_REPLY_NONCE, COOKIE_REPLY_NONCE + XNONCE_BYTES);
    this.#primitives.random(nonce);
    reply.set(this.#cookie, COOKIE_REPLY_COOKIE);
    const mac1 = message.length - 2 * MAC_BYTES;
    this.#primitives.xaeadSeal(
      this.#cookieKey,
      nonce,
      reply,
      COOKIE_REPLY_COOKIE,
      COOKIE_BYTES,
      message.subarray(mac1, mac1 + MAC_BYTES),
    );
  }

  erase(): void {
    this.#secret.fill(0);
    this.#secretSince = -Infinity;
  }

  /** Cookie := Mac(secret, source address || source port). */
  #makeCookie(endpoints: Uint8Array, at: number): void {
    const isV4 = endpointFamily(endpoints, at) === FAMILY_IPV4;
    const source = isV4 ? this.#source4 : this.#source6;
    const address = endpointAddressOffset(at);
    const bytes = isV4 ? 4 : 16;
    for (let i = 0; i < bytes; i++) source[i] = endpoints[address + i];
    source[bytes] = endpoints[at + 2];
    source[bytes + 1] = endpoints[at + 3];
    this.#primitives.mac(this.#cookie, this.#secret, source);
  }
}

/** The sending side, one for each peer: writes the macs and keeps the cookie the peer sent. */
export class CookieGenerator {
  readonly #primitives: Primitives;
  readonly #timing: Timing;
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  readonly #lastMac1 = new Uint8Array(MAC_BYTES);
  #hasLastMac1 = false;
  readonly #cookie = new Uint8Array(COOKIE_BYTES);
  #cookieSince = -Infinity;
  readonly #sealed = new Uint8Array(COOKIE_BYTES + TAG_BYTES);

  constructor(primitives: Primitives, timing: Timing, peerPublicKey: Uint8Array) {
    this.#primitives = primitives;
    this.#timing = timing;
    this.#mac1Key = labelledKey(primitives, LABEL_MAC1, peerPublicKey);
    this.#cookieKey = labelledKey(primitives, LABEL_COOKIE, peerPublicKey);
  }

  /** Fills the last 32 bytes of a message: mac1, and mac2 while a cookie is fresh (zeros otherwise). */
  addMacs(message: Uint8Array, now: number): void {
    const mac1 = message.length - 2 * MAC_BYTES;
    const mac2 = message.length - MAC_BYTES;
    this.#primitives.mac(message.subarray(mac1, mac2), this.#mac1Key, message.subarray(0, mac1));
    this.#lastMac1.set(message.subarray(mac1, mac2));
    this.#hasLastMac1 = true;
    if (now - this.#cookieSince < this.#timing.cookieSecretMaxAge) {
      this.#primitives.mac(message.subarray(mac2), this.#cookie, message.subarray(0, mac2));
    } else {
      message.fill(0, mac2);
    }
  }

  /**
   * Takes the cookie out of a reply that answers our last message. The message is not sent again at once: the
   * next retransmission carries the cookie (section 5.3). False when it is not for us.
   */
  consume(reply: Uint8Array, now: number): boolean {
    if (!this.#hasLastMac1) return false;
    this.#sealed.set(reply.subarray(COOKIE_REPLY_COOKIE, COOKIE_REPLY_COOKIE + this.#sealed.length));
    const nonce = reply.subarray(COOKIE_REPLY_NONCE, COOKIE_REPLY_NONCE + XNONCE_BYTES);
    const key = this.#cookieKey;
    if (!this.#primitives.xaeadOpen(key, nonce, this.#sealed, 0, this.#sealed.length, this.#lastMac1))
      return false;
    this.#cookie.set(this.#sealed.subarray(0, COOKIE_BYTES));
    this.#cookieSince = now;
    this.#hasLastMac1 = false;
    return true;
  }
}
