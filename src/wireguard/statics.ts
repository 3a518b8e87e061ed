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

/** The public keys of one peer: one, or two while it changes its key. */
export class RemoteStatics {
  readonly #peer: Peer;
  #current: RemoteStatic;
  #next: RemoteStatic | undefined;
  /** The one of the two that the peer used last: initiations go to it. */
  active: RemoteStatic;

  constructor(peer: Peer, publicKey: Uint8Array) {
    this.#peer = peer;
    this.#current = this.active = new RemoteStatic(peer, publicKey);
  }

  get current(): RemoteStatic {
    return this.#current;
  }

  /** The key the peer is moving to, from when we are told until it alone is left. */
  get next(): RemoteStatic | undefined {
    return this.#next;
  }

  /** Sets or removes the second key and returns it. */
  setNext(publicKey: Uint8Array | undefined): RemoteStatic | undefined {
    if (this.active === this.#next) this.active = this.#current;
    this.#next?.forgetShared();
    this.#next = publicKey && new RemoteStatic(this.#peer, publicKey);
    return this.#next;
  }

  /** The second key becomes the only one. Sessions live on. */
  promoteNext(): void {
    if (!this.#next) return;
    this.#current.forgetShared();
    this.#current = this.active = this.#next;
    this.#next = undefined;
  }

  forgetShared(): void {
    this.#current.forgetShared();
    this.#next?.forgetShared();
  }

  consumeCookie(reply: Uint8Array, now: number): boolean {
    return this.#current.consumeCookie(reply, now) || (this.#next?.consumeCookie(reply, now) ?? false);
  }
}
