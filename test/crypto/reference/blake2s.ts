/** BLAKE2s as RFC 7693 section 3 says it, and HMAC as RFC 2104 section 2 does. */

import { concat } from './aead.js';

const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

const BLOCK = 64;

/** Section 3.1, mixing function G. */
function mix(v: number[], a: number, b: number, c: number, d: number, x: number, y: number): void {
  const rotate = (value: number, bits: number) => ((value >>> bits) | (value << (32 - bits))) >>> 0;
  v[a] = (v[a]! + v[b]! + x) >>> 0;
  v[d] = rotate(v[d]! ^ v[a]!, 16);
  v[c] = (v[c]! + v[d]!) >>> 0;
  v[b] = rotate(v[b]! ^ v[c]!, 12);
  v[a] = (v[a]! + v[b]! + y) >>> 0;
  v[d] = rotate(v[d]! ^ v[a]!, 8);
  v[c] = (v[c]! + v[d]!) >>> 0;
  v[b] = rotate(v[b]! ^ v[c]!, 7);
}

/** Section 3.2, compression function F. */
function compress(h: number[], block: Uint8Array, count: number, last: boolean): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK);
  const m = Array.from({ length: 16 }, (_, i) => view.getUint32(4 * i, true));
  const v = [...h, ...IV];
  v[12]! ^= count;
  if (last) v[14] = ~v[14]!;
  for (const s of SIGMA) {
    mix(v, 0, 4, 8, 12, m[s[0]!]!, m[s[1]!]!);
    mix(v, 1, 5, 9, 13, m[s[2]!]!, m[s[3]!]!);
    mix(v, 2, 6, 10, 14, m[s[4]!]!, m[s[5]!]!);
    mix(v, 3, 7, 11, 15, m[s[6]!]!, m[s[7]!]!);
    mix(v, 0, 5, 10, 15, m[s[8]!]!, m[s[9]!]!);
    mix(v, 1, 6, 11, 12, m[s[10]!]!, m[s[11]!]!);
    mix(v, 2, 7, 8, 13, m[s[12]!]!, m[s[13]!]!);
    mix(v, 3, 4, 9, 14, m[s[14]!]!, m[s[15]!]!);
  }
  for (let i = 0; i < 8; i++) h[i] = (h[i]! ^ v[i]! ^ v[i + 8]!) >>> 0;
}

/** Section 3.3. `key` of no bytes means unkeyed. */
export function blake2s(input: Uint8Array, length = 32, key: Uint8Array = new Uint8Array(0)): Uint8Array {
  const h = [...IV];
  h[0]! ^= 0x01010000 ^ (key.length << 8) ^ length;
  const keyBlock = key.length === 0 ? key : concat(key, new Uint8Array(BLOCK - key.length));
  const data = concat(keyBlock, input);
  const blocks = Math.max(1, Math.ceil(data.length / BLOCK));
  const padded = concat(data, new Uint8Array(blocks * BLOCK - data.length));
  for (let i = 0; i < blocks; i++) {
    const last = i === blocks - 1;
    compress(h, padded.subarray(i * BLOCK, (i + 1) * BLOCK), last ? data.length : (i + 1) * BLOCK, last);
  }
  return Uint8Array.from({ length }, (_, i) => h[i >> 2]! >>> (8 * (i & 3)));
}

export function hmacBlake2s(key: Uint8Array, input: Uint8Array): Uint8Array {
  const short = key.length > BLOCK ? blake2s(key) : key;
  const pad = (byte: number) => Uint8Array.from({ length: BLOCK }, (_, i) => (short[i] ?? 0) ^ byte);
  return blake2s(concat(pad(0x5c), blake2s(concat(pad(0x36), input))));
}
