/** What the tests take of `node:crypto`, without Node. The numbers are repeatable and for tests only. */

import { blake2s } from '@noble/hashes/blake2.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { toHex } from './text.js';

let state = 0x9e3779b9;

function next(): number {
  // xorshift32
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

export function randomFillSync<T extends Uint8Array>(out: T): T {
  for (let i = 0; i < out.length; i++) out[i] = next() >>> 24;
  return out;
}

export function randomBytes(count: number): Uint8Array {
  return randomFillSync(new Uint8Array(count));
}

export function randomInt(from: number, to?: number): number {
  const [low, high] = to === undefined ? [0, from] : [from, to];
  return low + (next() % (high - low));
}

const HASHES: Record<string, (data: Uint8Array) => Uint8Array> = { sha256, sha512, blake2s256: blake2s };

export function createHash(name: string) {
  const parts: number[] = [];
  return {
    update(data: Uint8Array | string) {
      parts.push(...(typeof data === 'string' ? new TextEncoder().encode(data) : data));
      return this;
    },
    digest(encoding?: string) {
      const digest = HASHES[name](new Uint8Array(parts));
      if (encoding === undefined) return digest;
      if (encoding !== 'hex') throw new Error(`no encoding ${encoding} here`);
      return toHex(digest);
    },
  };
}
