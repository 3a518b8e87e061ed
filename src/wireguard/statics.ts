/**
 * Static keys (Noise's `s` and `rs`) while they change. A device may answer under two private keys at a time, and a
 * peer may be known by two public keys: so a key is replaced without an end to any session, since transport keys,
 * once derived, no longer depend on the static ones.
 */

import type { Primitives } from '../crypto/primitives.js';
import type { Timing } from './constants.js';
import { CookieChecker, CookieGenerator } from './cookie.js';
import { Noise } from './noise.js';
import type { Peer } from './peer.js';
import type { TimestampSource } from './tai64n.js';

/** One of our own key pairs with what answers under it. */
export class LocalStatic {
  readonly privateKey: Uint8Array;
  readonly publicKey = new Uint8Array(32);
  readonly noise: Noise;
  readonly checker: CookieChecker;

  constructor(primitives: Primitives, timestamps: TimestampSource, timing: Timing, privateKey: Uint8Array) {
    this.privateKey = privateKey.slice();
    primitives.x25519PublicKey(this.publicKey, privateKey);
    this.noise = new Noise(primitives, timestamps);
    this.noise.setIdentity(this.privateKey, this.publicKey);
    this.checker = new CookieChecker(primitives, timing, this.publicKey);
  }

  erase(): void {
    this.privateKey.fill(0);
    this.noise.eraseIdentity();
    this.checker.erase();
  }
}

/** One public key of a peer, with what is remembered about it. */
export class RemoteStatic {
  readonly peer: Peer;
  readonly publicKey: Uint8Array;
  #cookies: CookieGenerator | undefined;
  #sharedWith: Noise | undefined;
  #shared: Uint8Array | undefined;
  /** DH with this key is zero: it is no real key. */
  invalid = false;

  constructor(peer: Peer, publicKey: Uint8Array) {
    this.peer = peer;
    this.publicKey = publicKey.slice();
  }

  /** Made on first use: of ten thousand configured peers most are silent. */
  cookies(primitives: Primitives, timing: Timing): CookieGenerator {
    this.#cookies ??= new CookieGenerator(primitives, timing, this.publicKey);
    return this.#cookies;
  }

  /** DH of the two static keys, computed once for each of ours; undefined when this is no real key. */
  shared(noise: Noise): Uint8Array | undefined {
    if (this.invalid) return undefined;
    if (this.#sharedWith === noise) return this.#shared;
    this.forgetShared();
    const shared = new Uint8Array(32);
    if (!noise.staticShared(shared, this.publicKey)) {
      this.invalid = true;
      return undefined;
    }
    this.#sharedWith = noise;
    this.#shared = shared;
    return shared;
  }

  forgetShared(): void {
    this.#shared?.fill(0);
    this.#shared = undefined;
    this.#sharedWith = undefined;
    this.invalid = false;
  }

  consumeCookie(reply: Uint8Array, now: number): boolean {
    return this.#cookies?.consume(reply, now) ?? false;
  }
}
