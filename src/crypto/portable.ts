/**
 * The primitives in portable TypeScript over npm libraries: X25519 from `tweetnacl`, everything else from `@noble`.
 * The readable twin that faster implementations are compared with.
 *
 * Limits, said plainly: the libraries compute in constant time as far as JavaScript can promise it, allocate
 * small arrays at each call, and leave copies of intermediate values to the garbage collector. This file erases
 * what it gets hold of.
 */

import { chacha20, xchacha20 } from '@noble/ciphers/chacha.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import nacl from 'tweetnacl';
import { requireLength } from './bounds.js';
import { ChaChaPoly } from './chacha-poly.js';
import { isZero } from './constant-time.js';
import { HASH_BYTES, KEY_BYTES, MAC_BYTES, type Primitives, XNONCE_BYTES } from './primitives.js';

export class PortablePrimitives implements Primitives {
  readonly name: string = 'portable';
  readonly random: (out: Uint8Array) => void;
  readonly #aead = new ChaChaPoly(chacha20);
  readonly #xaead = new ChaChaPoly(xchacha20);
  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);

  /**
   * `random` fills an array from the system's cryptographic generator and throws when it cannot. The libraries'
   * own generators are never used.
   */
  constructor(random: (out: Uint8Array) => void) {
    this.random = random;
  }

  x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void {
    requireLength(out, KEY_BYTES, 'the public key');
    requireLength(privateKey, KEY_BYTES, 'the private key');
    out.set(nacl.scalarMult.base(privateKey));
  }

  x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    requireLength(out, KEY_BYTES, 'the shared secret');
    requireLength(privateKey, KEY_BYTES, 'the private key');
    requireLength(publicKey, KEY_BYTES, 'the public key');
    moveInto(out, nacl.scalarMult(privateKey, publicKey));
    return !isZero(out);
  }

  aeadSeal(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    this.#aead.seal(key, this.#counterNonce(counterLow, counterHigh), buffer, offset, length, ad);
  }

  aeadOpen(
    key: Uint8Array,
    counterLow: number,
    counterHigh: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    return this.#aead.open(key, this.#counterNonce(counterLow, counterHigh), buffer, offset, length, ad);
  }

  xaeadSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    requireLength(nonce, XNONCE_BYTES, 'the nonce');
    this.#xaead.seal(key, nonce, buffer, offset, length, ad);
  }

  xaeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    requireLength(nonce, XNONCE_BYTES, 'the nonce');
    return this.#xaead.open(key, nonce, buffer, offset, length, ad);
  }

  hash(out: Uint8Array, input: Uint8Array): void {
    requireLength(out, HASH_BYTES, 'the hash');
    moveInto(out, blake2s(input));
  }

  mac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    requireLength(out, MAC_BYTES, 'the mac');
    if (key.length === 0 || key.length > KEY_BYTES) {
      throw new RangeError(`the mac's key has ${key.length} bytes instead of 1 to ${KEY_BYTES}`);
    }
    moveInto(out, blake2s(input, { key, dkLen: MAC_BYTES }));
  }

  hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    requireLength(out, HASH_BYTES, 'the hmac');
    moveInto(out, hmac(blake2s, key, input));
  }

  /** Four zero bytes and the counter, little-endian (WireGuard paper, section 5.4.6). */
  #counterNonce(low: number, high: number): Uint8Array {
    this.#nonceView.setUint32(4, low, true);
    this.#nonceView.setUint32(8, high, true);
    return this.#nonce;
  }
}

function moveInto(out: Uint8Array, result: Uint8Array): void {
  out.set(result);
  result.fill(0);
}
