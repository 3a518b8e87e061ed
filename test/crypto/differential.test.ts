import { describe, expect, it } from 'vitest';
import type { Primitives } from '../../src/crypto/primitives.js';
import { implementations, reference } from './implementations.js';
import { compare } from './random-cases.js';
import { ReferencePrimitives } from './reference/primitives.js';

/** Another seed each day would be no regression test; `npm run differential` is for new ones. */
const SEED = 20_000;

describe.each(implementations)('$name', ({ make }) => {
  it('gives the same bytes as the reference in 500 random cases', () => {
    const counts = compare(make(), reference.make(), 500, SEED);
    expect([...counts.values()].reduce((a, b) => a + b, 0)).toBe(500);
    expect(counts.size).toBe(5);
  });
});

describe('the comparison itself', () => {
  const broken = (change: Partial<Primitives>): Primitives =>
    Object.assign(new ReferencePrimitives(), change);
  const right = new ReferencePrimitives();

  it('notices one wrong bit of a hash, and says which case it was', () => {
    const wrong = broken({
      hash: (out, input) => {
        right.hash(out, input);
        if (input.length === 32) out[31]! ^= 1;
      },
    });
    expect(() => compare(right, wrong, 500, SEED)).toThrow(/differ in BLAKE2s, seed \d+/);
  });

  it('notices an AEAD that accepts anything, or writes beyond its tag', () => {
    const credulous = broken({
      aeadOpen: (...call) => {
        right.aeadOpen(...call);
        return true;
      },
    });
    expect(() => compare(right, credulous, 500, SEED)).toThrow(/accepts a forgery/);
    const sloppy = broken({
      aeadSeal: (...call) => {
        right.aeadSeal(...call);
        const [, , , buffer, offset, length] = call;
        if (offset + length + 16 < buffer.length) buffer[offset + length + 16]! ^= 1;
      },
    });
    expect(() => compare(right, sloppy, 500, SEED)).toThrow(/differ in ChaCha20-Poly1305/);
  });

  it('notices an X25519 that accepts low-order points', () => {
    const wrong = broken({
      x25519: (...call) => {
        right.x25519(...call);
        return true;
      },
    });
    expect(() => compare(right, wrong, 2000, SEED)).toThrow(/differ in X25519/);
  });
});
