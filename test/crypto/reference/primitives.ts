import { randomFillSync } from 'node:crypto';
import type { Primitives } from '../../../src/crypto/primitives.js';
import * as aead from './aead.js';
import { blake2s, hmacBlake2s } from './blake2s.js';
import { BASE_POINT, x25519 } from './x25519.js';

/**
 * The primitives written straight from the specifications, slowly, without a library: what every implementation
 * must agree with. Not constant time, keeps secrets in big integers: for tests only.
 */
export class ReferencePrimitives implements Primitives {
  readonly name = 'reference';

  random(out: Uint8Array): void {
    randomFillSync(out);
  }

  x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void {
    out.set(x25519(privateKey, BASE_POINT));
  }

  x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    out.set(x25519(privateKey, publicKey));
    return out.some((byte) => byte !== 0);
  }

  aeadSeal(
    key: Uint8Array,
    low: number,
    high: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    seal(key, aead.counterNonce(low, high), buffer, offset, length, ad);
  }

  aeadOpen(
    key: Uint8Array,
    low: number,
    high: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    return open(key, aead.counterNonce(low, high), buffer, offset, length, ad);
  }

  xaeadSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): void {
    const inner = aead.extendNonce(key, nonce);
    seal(inner.key, inner.nonce, buffer, offset, length, ad);
  }

  xaeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    buffer: Uint8Array,
    offset: number,
    length: number,
    ad: Uint8Array,
  ): boolean {
    const inner = aead.extendNonce(key, nonce);
    return open(inner.key, inner.nonce, buffer, offset, length, ad);
  }

  hash(out: Uint8Array, input: Uint8Array): void {
    out.set(blake2s(input));
  }

  mac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    out.set(blake2s(input, 16, key));
  }

  hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
    out.set(hmacBlake2s(key, input));
  }
}

function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  buffer: Uint8Array,
  offset: number,
  length: number,
  ad: Uint8Array,
): void {
  if (offset + length + 16 > buffer.length) throw new RangeError('no room');
  buffer.set(aead.seal(key, nonce, buffer.subarray(offset, offset + length), ad), offset);
}

function open(
  key: Uint8Array,
  nonce: Uint8Array,
  buffer: Uint8Array,
  offset: number,
  length: number,
  ad: Uint8Array,
): boolean {
  if (offset + length > buffer.length) throw new RangeError('no room');
  const text = aead.open(key, nonce, buffer.subarray(offset, offset + length), ad);
  if (text !== undefined) buffer.set(text, offset);
  return text !== undefined;
}
