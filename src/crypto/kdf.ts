/** KDF1, KDF2 and KDF3 of the WireGuard paper, section 5.4: HKDF (RFC 5869) over HMAC-BLAKE2s, without an info. */

import { HASH_BYTES, type Primitives } from './primitives.js';

/**
 * Derives one to three 32-byte keys from a chaining key (32 bytes) and an input (any length, also none).
 * Every output may be the same array as `key` or `input`; a chaining key is so replaced in place. The outputs
 * must differ from each other. Scratch is kept in the instance and erased after each call.
 */
export class Kdf {
  readonly #primitives: Primitives;
  readonly #prk = new Uint8Array(HASH_BYTES);
  /** T(n-1) and the number of the next block behind it, as the HMAC's input. */
  readonly #block = new Uint8Array(HASH_BYTES + 1);
  readonly #previous = this.#block.subarray(0, HASH_BYTES);
  readonly #first = new Uint8Array([1]);

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
  }

  derive1(out1: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    this.#extract(key, input);
    this.#expandFirst(out1);
    this.#erase();
  }

  derive2(out1: Uint8Array, out2: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    this.#extract(key, input);
    this.#expandFirst(out1);
    this.#expandNext(out2, 2);
    this.#erase();
  }

  derive3(out1: Uint8Array, out2: Uint8Array, out3: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    this.#extract(key, input);
    this.#expandFirst(out1);
    this.#expandNext(out2, 2);
    this.#expandNext(out3, 3);
    this.#erase();
  }

  // RFC 5869 section 2.2: the chaining key is the salt, that is, the HMAC's key.
  #extract(key: Uint8Array, input: Uint8Array): void {
    this.#primitives.hmac(this.#prk, key, input);
  }

  // RFC 5869 section 2.3: T(1) = HMAC(PRK, 0x01), T(n) = HMAC(PRK, T(n-1) || n).
  #expandFirst(out: Uint8Array): void {
    this.#primitives.hmac(out, this.#prk, this.#first);
    this.#previous.set(out);
  }

  #expandNext(out: Uint8Array, number: number): void {
    this.#block[HASH_BYTES] = number;
    this.#primitives.hmac(out, this.#prk, this.#block);
    this.#previous.set(out);
  }

  #erase(): void {
    this.#prk.fill(0);
    this.#block.fill(0);
  }
}
