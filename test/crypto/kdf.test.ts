import { hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Kdf } from '../../src/crypto/kdf.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { counting, toHex } from './hex.js';
import { all } from './implementations.js';
import { ReferencePrimitives } from './reference/primitives.js';
import { Seeded } from './seeded.js';

/** HKDF of OpenSSL: salt is the chaining key, there is no info. */
function expected(key: Uint8Array, input: Uint8Array, outputs: number): string[] {
  const okm = Buffer.from(hkdfSync('blake2s256', input, key, '', 32 * outputs));
  return Array.from({ length: outputs }, (_, i) => okm.subarray(32 * i, 32 * i + 32).toString('hex'));
}

describe.each(all)('the key derivation over $name', ({ make }) => {
  const kdf = new Kdf(make());
  const random = new Seeded(31);
  const cases = [0, 1, 31, 32, 33, 64, 200].map((length) => ({
    key: random.bytes(32),
    input: random.bytes(length),
  }));
  const fresh = () => new Uint8Array(32).fill(0xa5);

  it.each(cases)('is HKDF for one, two and three outputs', ({ key, input }) => {
    const before = [toHex(key), toHex(input)];
    const [a, b, c] = [fresh(), fresh(), fresh()];
    kdf.derive1(a, key, input);
    expect([toHex(a)]).toEqual(expected(key, input, 1));
    kdf.derive2(a, b, key, input);
    expect([a, b].map(toHex)).toEqual(expected(key, input, 2));
    kdf.derive3(a, b, c, key, input);
    expect([a, b, c].map(toHex)).toEqual(expected(key, input, 3));
    expect([toHex(key), toHex(input)]).toEqual(before);
  });

  it('may write each output over the chaining key or the input', () => {
    const key = counting(32);
    const input = new Uint8Array(32).fill(9);
    const want = expected(key, input, 3);
    for (let overKey = 0; overKey < 3; overKey++) {
      for (let overInput = 0; overInput < 3; overInput++) {
        if (overKey === overInput) continue;
        const [k, i] = [Uint8Array.from(key), Uint8Array.from(input)];
        const outputs = [fresh(), fresh(), fresh()];
        outputs[overKey] = k;
        outputs[overInput] = i;
        kdf.derive3(outputs[0]!, outputs[1]!, outputs[2]!, k, i);
        expect(outputs.map(toHex)).toEqual(want);
      }
    }
    const chaining = Uint8Array.from(key);
    const temporary = fresh();
    kdf.derive2(chaining, temporary, chaining, input);
    expect([chaining, temporary].map(toHex)).toEqual(expected(key, input, 2));
    kdf.derive1(chaining, chaining, temporary);
    const [first, second] = expected(key, input, 2);
    expect([toHex(chaining)]).toEqual(expected(Buffer.from(first!, 'hex'), Buffer.from(second!, 'hex'), 1));
  });

  it('carries a chain through many steps in place', () => {
    const chaining = counting(32);
    let want: Uint8Array = counting(32);
    for (let step = 0; step < 20; step++) {
      const input = random.bytes(step);
      kdf.derive1(chaining, chaining, input);
      want = Buffer.from(expected(want, input, 1)[0]!, 'hex');
    }
    expect(toHex(chaining)).toBe(toHex(want));
  });
});

it('the key derivation keeps nothing of what it computed', () => {
  const seen = new Set<Uint8Array>();
  class Watching extends ReferencePrimitives implements Primitives {
    override hmac(out: Uint8Array, key: Uint8Array, input: Uint8Array): void {
      for (const array of [out, key, input]) seen.add(array);
      super.hmac(out, key, input);
    }
  }
  const kdf = new Kdf(new Watching());
  const own = [
    new Uint8Array(32),
    new Uint8Array(32),
    new Uint8Array(32),
    counting(32),
    counting(40),
  ] as const;
  kdf.derive3(...own);
  for (const array of own) seen.delete(array);
  const scratch = [...seen].filter((array) => array.length > 1); // the constant 0x01 is no secret
  expect(scratch.length).toBeGreaterThanOrEqual(2);
  for (const array of scratch) expect(array.every((byte) => byte === 0)).toBe(true);
});
