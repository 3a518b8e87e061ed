import { describe, expect, it } from 'vitest';
import { counting, hex, toHex } from './hex.js';
import { all, implementations } from './implementations.js';
import { blake2s, hmacBlake2s } from './reference/blake2s.js';
import { Seeded } from './seeded.js';
import vectors from './vectors/blake2s.json' with { type: 'json' };

const bytes = (text: string) => `${text.length / 2} bytes`;

describe.each(all)('BLAKE2s by $name', ({ make }) => {
  const primitives = make();

  it.each(vectors.hash.map((v) => [bytes(v.input), v] as const))('hashes %s', (_, { input, out }) => {
    const hash = new Uint8Array(32);
    primitives.hash(hash, hex(input));
    expect(toHex(hash)).toBe(out);
  });

  it.each(vectors.mac.map((v) => [bytes(v.key), bytes(v.input), v] as const))(
    'makes the mac of a key of %s over %s',
    (_, __, { key, input, out }) => {
      const mac = new Uint8Array(16);
      primitives.mac(mac, hex(key), hex(input));
      expect(toHex(mac)).toBe(out);
    },
  );

  it.each(vectors.hmac.map((v) => [bytes(v.key), bytes(v.input), v] as const))(
    'makes the HMAC of a key of %s over %s',
    (_, __, { key, input, out }) => {
      const hmac = new Uint8Array(32);
      primitives.hmac(hmac, hex(key), hex(input));
      expect(toHex(hmac)).toBe(out);
    },
  );

  it('may write over its own input or key, and changes nothing else', () => {
    const key = new Seeded(1).bytes(32);
    const input = new Seeded(2).bytes(32);
    const [keyBefore, inputBefore] = [toHex(key), toHex(input)];
    const hash = new Uint8Array(32);
    const hmac = new Uint8Array(32);
    primitives.hash(hash, input);
    primitives.hmac(hmac, key, input);
    expect([toHex(key), toHex(input)]).toEqual([keyBefore, inputBefore]);

    const overKey = Uint8Array.from(key);
    primitives.hmac(overKey, overKey, input);
    expect(overKey).toEqual(hmac);
    const overInput = Uint8Array.from(input);
    primitives.hmac(overInput, key, overInput);
    expect(overInput).toEqual(hmac);
    primitives.hash(input, input);
    expect(input).toEqual(hash);
  });

  it('reads and writes inside larger arrays at any alignment', () => {
    for (let shift = 0; shift < 5; shift++) {
      const room = new Uint8Array(400).fill(0xa5);
      const key = room.subarray(shift, shift + 32);
      const input = room.subarray(40 + shift, 40 + shift + 150);
      key.set(counting(32));
      input.set(counting(150));
      const before = Uint8Array.from(room);
      primitives.hash(room.subarray(200 + shift, 232 + shift), input);
      primitives.mac(room.subarray(240 + shift, 256 + shift), key, input);
      primitives.hmac(room.subarray(260 + shift, 292 + shift), key, input);
      before.set(blake2s(counting(150)), 200 + shift);
      before.set(blake2s(counting(150), 16, counting(32)), 240 + shift);
      before.set(hmacBlake2s(counting(32), counting(150)), 260 + shift);
      expect(toHex(room)).toBe(toHex(before));
    }
  });
});

describe.each(implementations)('BLAKE2s by $name against the reference', ({ make }) => {
  const primitives = make();

  it('agrees for every input length to three blocks and every key length', () => {
    const random = new Seeded(3);
    for (let length = 0; length <= 193; length++) {
      const input = random.bytes(length);
      const key = random.bytes(1 + (length % 32));
      const hash = new Uint8Array(32);
      const mac = new Uint8Array(16);
      const hmac = new Uint8Array(32);
      primitives.hash(hash, input);
      primitives.mac(mac, key, input);
      primitives.hmac(hmac, key, input);
      expect(toHex(hash)).toBe(toHex(blake2s(input)));
      expect(toHex(mac)).toBe(toHex(blake2s(input, 16, key)));
      expect(toHex(hmac)).toBe(toHex(hmacBlake2s(key, input)));
    }
  });

  it('leaves no trace of a long key or input in a later call', () => {
    const out = new Uint8Array(32);
    primitives.hmac(out, new Uint8Array(64).fill(255), new Uint8Array(500).fill(255));
    primitives.hmac(out, counting(3), counting(5));
    expect(toHex(out)).toBe(toHex(hmacBlake2s(counting(3), counting(5))));
  });
});
