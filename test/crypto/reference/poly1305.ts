/** Poly1305 with big integers (RFC 8439 section 2.5). */

import { littleEndian, toLittleEndian } from './x25519.js';

export const P1305 = 2n ** 130n - 5n;

/** The clamped factor. */
export function factor(key: Uint8Array): bigint {
  return littleEndian(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
}

/** The accumulator, fully reduced, after all blocks of the message. */
export function accumulate(key: Uint8Array, message: Uint8Array): bigint {
  const r = factor(key);
  let accumulator = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    accumulator = ((accumulator + littleEndian(block) + (1n << BigInt(8 * block.length))) * r) % P1305;
  }
  return accumulator;
}

export function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  const sum = accumulate(key, message) + littleEndian(key.subarray(16, 32));
  return toLittleEndian(sum & (2n ** 128n - 1n), 16);
}
