/**
 * The symmetric functions of the WireGuard paper, section 5.4, under the paper's names.
 */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';

export type Bytes = Uint8Array;

export function concat(...parts: Bytes[]): Bytes {
  return new Uint8Array(Buffer.concat(parts));
}

export function ascii(text: string): Bytes {
  return new Uint8Array(Buffer.from(text, 'ascii'));
}

export function equal(a: Bytes, b: Bytes): boolean {
  return Buffer.compare(a, b) === 0;
}

export function hash(...input: Bytes[]): Bytes {
  return blake2s(concat(...input));
}

/** Keyed BLAKE2s with 16 bytes of output. */
export function mac(key: Bytes, input: Bytes): Bytes {
  return blake2s(input, { key, dkLen: 16 });
}

export function hmacHash(key: Bytes, input: Bytes): Bytes {
  return hmac(blake2s, key, input);
}

/** `Kdf_n` of the paper: the first `n` outputs of HKDF with BLAKE2s. */
export function kdf(n: 1 | 2 | 3, key: Bytes, input: Bytes): Bytes[] {
  const secret = hmacHash(key, input);
  const out: Bytes[] = [];
  let last: Bytes = new Uint8Array(0);
  for (let i = 1; i <= n; i++) {
    last = hmacHash(secret, concat(last, new Uint8Array([i])));
    out.push(last);
  }
  return out;
}

export function nonceOf(counter: bigint): Bytes {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, counter, true);
  return nonce;
}

export function aeadSeal(key: Bytes, counter: bigint, plain: Bytes, ad: Bytes): Bytes {
  return chacha20poly1305(key, nonceOf(counter), ad).encrypt(plain);
}

/** The plaintext, or `undefined` when the tag is wrong. */
export function aeadOpen(key: Bytes, counter: bigint, sealed: Bytes, ad: Bytes): Bytes | undefined {
  try {
    return chacha20poly1305(key, nonceOf(counter), ad).decrypt(sealed);
  } catch {
    return undefined;
  }
}

export function xaeadSeal(key: Bytes, nonce: Bytes, plain: Bytes, ad: Bytes): Bytes {
  return xchacha20poly1305(key, nonce, ad).encrypt(plain);
}

export function xaeadOpen(key: Bytes, nonce: Bytes, sealed: Bytes, ad: Bytes): Bytes | undefined {
  try {
    return xchacha20poly1305(key, nonce, ad).decrypt(sealed);
  } catch {
    return undefined;
  }
}
