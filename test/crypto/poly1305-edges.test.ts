import { describe, expect, it } from 'vitest';
import { toHex } from './hex.js';
import { implementations } from './implementations.js';
import { counterNonce, macData, oneTimeKey, seal } from './reference/aead.js';
import { chacha20 } from './reference/chacha20.js';
import { accumulate, factor, P1305 } from './reference/poly1305.js';
import { littleEndian, toLittleEndian } from './reference/x25519.js';
import { Seeded } from './seeded.js';

/**
 * An AEAD chooses its own one-time key, so the classic Poly1305 edge cases cannot be put to it. They can be
 * constructed: with the key known, the ciphertext is solved for that leads to a wanted last accumulator.
 */

interface Edge {
  readonly what: string;
  /** The fully reduced accumulator to reach, from the pad s that is added to it. */
  wanted(s: bigint): bigint;
}

const EDGES: readonly Edge[] = [
  ...[0n, 1n, 2n, 3n, 4n, 5n, 6n].map((n) => ({ what: `the prime + ${n}, reduced`, wanted: () => n })),
  ...[1n, 2n, 3n, 4n, 5n, 6n].map((n) => ({ what: `the prime - ${n}`, wanted: () => P1305 - n })),
  ...[-2n, -1n, 0n, 1n, 2n].map((n) => ({ what: `2^128 + ${n}`, wanted: () => 2n ** 128n + n })),
  ...[-2n, -1n, 0n, 1n, 2n].map((n) => ({ what: `2^129 + ${n}`, wanted: () => 2n ** 129n + n })),
  ...[26n, 32n, 52n, 64n, 78n, 96n, 104n].flatMap((bit) => [
    { what: `2^${bit} - 1`, wanted: () => 2n ** bit - 1n },
    { what: `2^${bit}`, wanted: () => 2n ** bit },
    { what: `the prime - 2^${bit}`, wanted: () => P1305 - 2n ** bit },
  ]),
  { what: 'a sum with s of exactly 2^128', wanted: (s) => 2n ** 128n - s },
  { what: 'a sum with s of 2^128 - 1', wanted: (s) => 2n ** 128n - 1n - s },
  { what: 'a sum with s that carries through all words', wanted: (s) => (2n ** 130n - 6n - s) % P1305 },
];

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (
    let square = base % P1305, rest = exponent;
    rest > 0n;
    rest >>= 1n, square = (square * square) % P1305
  ) {
    if (rest & 1n) result = (result * square) % P1305;
  }
  return result;
}

/** A key, counter and plaintext of `blocks` blocks whose tag passes through the edge. */
function construct(edge: Edge, blocks: number) {
  const random = new Seeded(blocks);
  const none = new Uint8Array(0);
  for (;;) {
    const key = random.bytes(32);
    const counter = random.word();
    const nonce = counterNonce(counter, 0);
    const once = oneTimeKey(key, nonce);
    const inverse = power(factor(once), P1305 - 2n);
    const wanted = edge.wanted(littleEndian(once.subarray(16)));
    const ciphertext = random.bytes(16 * blocks);
    const before = accumulate(once, ciphertext.subarray(0, -16));
    const lengths = littleEndian(macData(none, ciphertext).subarray(-16)) + 2n ** 128n;
    // wanted = ((before + block + 2^128) * r + lengths) * r
    const sum = (((wanted * inverse - lengths) % P1305) * inverse - before) % P1305;
    const block = ((sum + P1305) % P1305) - 2n ** 128n;
    if (block < 0n || block >= 2n ** 128n) continue; // no block leads there under this key: another
    ciphertext.set(toLittleEndian(block, 16), 16 * (blocks - 1));
    expect(accumulate(once, macData(none, ciphertext))).toBe(wanted);
    return { key, counter, plaintext: chacha20(key, 1, nonce, ciphertext) };
  }
}

describe.each(implementations)('Poly1305 inside the AEAD of $name', ({ make }) => {
  const primitives = make();

  it.each(EDGES)('is right when the accumulator ends at $what', (edge) => {
    for (const blocks of [1, 4, 12]) {
      const { key, counter, plaintext } = construct(edge, blocks);
      const buffer = new Uint8Array(plaintext.length + 16);
      buffer.set(plaintext);
      primitives.aeadSeal(key, counter, 0, buffer, 0, plaintext.length, new Uint8Array(0));
      expect(toHex(buffer)).toBe(toHex(seal(key, counterNonce(counter, 0), plaintext, new Uint8Array(0))));
      expect(primitives.aeadOpen(key, counter, 0, buffer, 0, buffer.length, new Uint8Array(0))).toBe(true);
    }
  });

  it('is right for ciphertexts of all ones and all zeros', () => {
    const random = new Seeded(9);
    for (const byte of [0, 255]) {
      for (const length of [16, 64, 128, 1424]) {
        const key = random.bytes(32);
        const nonce = counterNonce(1, 0);
        const plaintext = chacha20(key, 1, nonce, new Uint8Array(length).fill(byte));
        const buffer = new Uint8Array(length + 16);
        buffer.set(plaintext);
        primitives.aeadSeal(key, 1, 0, buffer, 0, length, new Uint8Array(0));
        expect(buffer.subarray(0, length).every((b) => b === byte)).toBe(true);
        expect(toHex(buffer)).toBe(toHex(seal(key, nonce, plaintext, new Uint8Array(0))));
      }
    }
  });
});
