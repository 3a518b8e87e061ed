/** The AEAD of RFC 8439 section 2.8 and the one of draft-irtf-cfrg-xchacha-03 section 2. */

import { chacha20, chacha20Block, hchacha20 } from './chacha20.js';
import { poly1305 } from './poly1305.js';

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** What Poly1305 authenticates. */
export function macData(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const lengths = new DataView(new ArrayBuffer(16));
  lengths.setBigUint64(0, BigInt(ad.length), true);
  lengths.setBigUint64(8, BigInt(ciphertext.length), true);
  const pad = (bytes: Uint8Array) => new Uint8Array((16 - (bytes.length % 16)) % 16);
  return concat(ad, pad(ad), ciphertext, pad(ciphertext), new Uint8Array(lengths.buffer));
}

export function oneTimeKey(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  return chacha20Block(key, 0, nonce).subarray(0, 32);
}

/** Ciphertext and tag. */
export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array {
  const ciphertext = chacha20(key, 1, nonce, plaintext);
  return concat(ciphertext, poly1305(oneTimeKey(key, nonce), macData(ad, ciphertext)));
}

/** The plaintext, or `undefined` when the tag is wrong. */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  ad: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < 16) return undefined;
  const ciphertext = sealed.subarray(0, -16);
  const tag = poly1305(oneTimeKey(key, nonce), macData(ad, ciphertext));
  return tag.every((byte, i) => byte === sealed[ciphertext.length + i])
    ? chacha20(key, 1, nonce, ciphertext)
    : undefined;
}

/** Key and nonce of the inner AEAD. */
export function extendNonce(key: Uint8Array, nonce: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  return {
    key: hchacha20(key, nonce.subarray(0, 16)),
    nonce: concat(new Uint8Array(4), nonce.subarray(16)),
  };
}

/** WireGuard's nonce: four zero bytes and the counter's halves, little-endian. */
export function counterNonce(low: number, high: number): Uint8Array {
  const nonce = new DataView(new ArrayBuffer(12));
  nonce.setUint32(4, low, true);
  nonce.setUint32(8, high, true);
  return new Uint8Array(nonce.buffer);
}
