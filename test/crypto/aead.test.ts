import { describe, expect, it } from 'vitest';
import { counting, hex, toHex } from './hex.js';
import { all, implementations } from './implementations.js';
import { counterNonce, extendNonce, seal } from './reference/aead.js';
import { Seeded } from './seeded.js';
import chachaVectors from './vectors/chacha20-poly1305.json' with { type: 'json' };
import xchachaVectors from './vectors/xchacha20-poly1305.json' with { type: 'json' };

/** WireGuard's nonces begin with four zero bytes; other vectors cannot be put to the interface. */
const expressible = chachaVectors.cases.filter((v) => v.nonce.startsWith('00000000'));

/** Around blocks of Poly1305 (16) and ChaCha20 (64), the size where an implementation may change its way, a packet. */
const LENGTHS = [
  0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 112, 127, 128, 129, 143, 144, 255, 256, 257, 1420, 1500,
];

describe.each(all)('the AEADs by $name', ({ make }) => {
  const primitives = make();

  it.each(expressible)(
    'seals and opens RFC 8439, $what',
    ({ key, nonce, ad, plaintext, ciphertext, tag }) => {
      const view = new DataView(hex(nonce).buffer);
      const low = view.getUint32(4, true);
      const high = view.getUint32(8, true);
      const buffer = hex(plaintext + '00'.repeat(16));
      primitives.aeadSeal(hex(key), low, high, buffer, 0, plaintext.length / 2, hex(ad));
      expect(toHex(buffer)).toBe(ciphertext + tag);
      expect(primitives.aeadOpen(hex(key), low, high, buffer, 0, buffer.length, hex(ad))).toBe(true);
      expect(toHex(buffer.subarray(0, -16))).toBe(plaintext);
    },
  );

  it.each(xchachaVectors.cases)('seals and opens the XChaCha draft, $what', (vector) => {
    const { key, nonce, ad, plaintext, ciphertext, tag } = vector;
    const buffer = hex(plaintext + '00'.repeat(16));
    primitives.xaeadSeal(hex(key), hex(nonce), buffer, 0, plaintext.length / 2, hex(ad));
    expect(toHex(buffer)).toBe(ciphertext + tag);
    expect(primitives.xaeadOpen(hex(key), hex(nonce), buffer, 0, buffer.length, hex(ad))).toBe(true);
    expect(toHex(buffer.subarray(0, -16))).toBe(plaintext);
  });
});

/** Both AEADs under one face, bound to a key and nonce, beside what the reference makes of the same plaintext. */
describe.each(
  implementations.flatMap(({ name, make }) => {
    const primitives = make();
    const random = new Seeded(101);
    const key = random.bytes(32);
    const nonce = random.bytes(24);
    const inner = extendNonce(key, nonce);
    return [
      {
        name: `ChaCha20-Poly1305 by ${name}`,
        seal: (b: Uint8Array, offset: number, length: number, ad: Uint8Array) =>
          primitives.aeadSeal(key, 5, 6, b, offset, length, ad),
        open: (b: Uint8Array, offset: number, length: number, ad: Uint8Array) =>
          primitives.aeadOpen(key, 5, 6, b, offset, length, ad),
        expected: (plaintext: Uint8Array, ad: Uint8Array) => seal(key, counterNonce(5, 6), plaintext, ad),
      },
      {
        name: `XChaCha20-Poly1305 by ${name}`,
        seal: (b: Uint8Array, offset: number, length: number, ad: Uint8Array) =>
          primitives.xaeadSeal(key, nonce, b, offset, length, ad),
        open: (b: Uint8Array, offset: number, length: number, ad: Uint8Array) =>
          primitives.xaeadOpen(key, nonce, b, offset, length, ad),
        expected: (plaintext: Uint8Array, ad: Uint8Array) => seal(inner.key, inner.nonce, plaintext, ad),
      },
    ];
  }),
)('$name', (aead) => {
  const GUARD = 0xa5;

  it.each(LENGTHS)(
    'seals and opens %i bytes in place, at any offset, and touches nothing around them',
    (length) => {
      const random = new Seeded(length);
      const plaintext = random.bytes(length);
      for (const offset of [0, 1, 3, 16, 32]) {
        for (const ad of [new Uint8Array(0), random.bytes(12), random.bytes(32)]) {
          const buffer = new Uint8Array(offset + length + 16 + 40).fill(GUARD);
          buffer.set(plaintext, offset);
          const expected = Uint8Array.from(buffer);
          expected.set(aead.expected(plaintext, ad), offset);

          aead.seal(buffer, offset, length, ad);
          expect(toHex(buffer)).toBe(toHex(expected));

          expect(aead.open(buffer, offset, length + 16, ad)).toBe(true);
          expect(toHex(buffer.subarray(offset, offset + length))).toBe(toHex(plaintext));
          expect(buffer.subarray(0, offset).every((byte) => byte === GUARD)).toBe(true);
          expect(buffer.subarray(offset + length + 16).every((byte) => byte === GUARD)).toBe(true);
        }
      }
    },
  );

  it.each([0, 1, 20, 160])(
    'refuses %i bytes with any one bit wrong, and shows none of the plaintext',
    (length) => {
      const random = new Seeded(length);
      const plaintext = random.bytes(length);
      const ad = random.bytes(9);
      const sealed = aead.expected(plaintext, ad);
      for (let bit = 0; bit < 8 * sealed.length; bit++) {
        const buffer = new Uint8Array(sealed.length + 32).fill(GUARD);
        buffer.set(sealed, 16);
        buffer[16 + (bit >> 3)]! ^= 1 << (bit & 7);
        expect(aead.open(buffer, 16, sealed.length, ad), `bit ${bit}`).toBe(false);
        expect(buffer.subarray(0, 16).every((byte) => byte === GUARD)).toBe(true);
        expect(buffer.subarray(16 + sealed.length).every((byte) => byte === GUARD)).toBe(true);
        if (length >= 16) expect(toHex(buffer)).not.toContain(toHex(plaintext.subarray(length - 16)));
      }
      for (let bit = 0; bit < 8 * ad.length; bit++) {
        const other = Uint8Array.from(ad);
        other[bit >> 3]! ^= 1 << (bit & 7);
        expect(aead.open(Uint8Array.from(sealed), 0, sealed.length, other), `bit ${bit} of the data`).toBe(
          false,
        );
      }
      expect(aead.open(Uint8Array.from(sealed), 0, sealed.length, ad)).toBe(true);
    },
  );

  it('does not mix up additional data and text: a byte moved from one to the other is refused', () => {
    const ad = counting(16);
    const sealed = aead.expected(counting(32), ad);
    const moved = new Uint8Array([ad[15]!, ...sealed]);
    expect(aead.open(moved, 0, moved.length, ad.subarray(0, 15))).toBe(false);
    expect(aead.open(Uint8Array.from(sealed), 0, sealed.length, new Uint8Array([...ad, 0]))).toBe(false);
  });

  it('refuses every shortened message, also one too short for a tag', () => {
    const sealed = aead.expected(counting(150), new Uint8Array(0));
    for (let length = 0; length < sealed.length; length++) {
      expect(aead.open(Uint8Array.from(sealed), 0, length, new Uint8Array(0))).toBe(false);
    }
  });

  it('changes neither the additional data nor what it was not asked to', () => {
    const room = new Uint8Array(300).fill(GUARD);
    const ad = room.subarray(3, 20);
    ad.set(counting(17));
    const before = toHex(room.subarray(0, 100));
    aead.seal(room, 100, 64, ad);
    expect(toHex(room.subarray(0, 100))).toBe(before);
    expect(aead.open(room, 100, 80, ad)).toBe(true);
    expect(toHex(room.subarray(0, 100))).toBe(before);
  });

  it("works on Node's pooled Buffers", () => {
    const buffer = Buffer.allocUnsafe(1516).fill(7);
    const ad = Buffer.from('additional');
    aead.seal(buffer, 0, 1500, ad);
    expect(toHex(buffer)).toBe(toHex(aead.expected(new Uint8Array(1500).fill(7), ad)));
    expect(aead.open(buffer, 0, 1516, ad)).toBe(true);
    expect(buffer.subarray(0, 1500).every((byte) => byte === 7)).toBe(true);
  });

  it.each([20, 200])(
    'throws instead of sealing %i bytes into a buffer without room for the tag',
    (length) => {
      for (const [size, offset] of [
        [length + 15, 0],
        [length + 16, 1],
        [length, 0],
        [length + 16, -1],
        [length + 16, Number.NaN],
      ] as const) {
        const buffer = new Uint8Array(size).fill(GUARD);
        expect(() => aead.seal(buffer, offset, length, new Uint8Array(0))).toThrow(RangeError);
        expect(buffer.every((byte) => byte === GUARD)).toBe(true);
      }
      const sealed = new Uint8Array(length + 16);
      expect(() => aead.open(sealed, 1, sealed.length, new Uint8Array(0))).toThrow(RangeError);
      expect(() => aead.open(sealed, -1, sealed.length, new Uint8Array(0))).toThrow(RangeError);
    },
  );
});

describe.each(implementations)('the counter as $name sees it', ({ make }) => {
  const primitives = make();
  const key = new Seeded(5).bytes(32);
  const halves = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];
  const counters = halves.flatMap((high) => halves.map((low) => ({ low, high })));

  it.each([16, 200])('is 64 bits wide, low half first (%i bytes)', (length) => {
    const seen = new Set<string>();
    for (const { low, high } of counters) {
      const buffer = new Uint8Array(length + 16);
      primitives.aeadSeal(key, low, high, buffer, 0, length, new Uint8Array(0));
      expect(toHex(buffer)).toBe(
        toHex(seal(key, counterNonce(low, high), new Uint8Array(length), new Uint8Array(0))),
      );
      seen.add(toHex(buffer));
      expect(
        primitives.aeadOpen(key, low ^ 1, high, Uint8Array.from(buffer), 0, length + 16, new Uint8Array(0)),
      ).toBe(false);
      expect(
        primitives.aeadOpen(key, low, high ^ 1, Uint8Array.from(buffer), 0, length + 16, new Uint8Array(0)),
      ).toBe(false);
      expect(primitives.aeadOpen(key, low, high, buffer, 0, length + 16, new Uint8Array(0))).toBe(true);
    }
    expect(seen.size).toBe(counters.length);
  });

  it('depends on every bit of the key', () => {
    for (const length of [16, 200]) {
      const sealed = seal(key, counterNonce(1, 0), new Uint8Array(length), new Uint8Array(0));
      for (let bit = 0; bit < 256; bit++) {
        const other = Uint8Array.from(key);
        other[bit >> 3]! ^= 1 << (bit & 7);
        expect(
          primitives.aeadOpen(other, 1, 0, Uint8Array.from(sealed), 0, sealed.length, new Uint8Array(0)),
        ).toBe(false);
      }
    }
  });
});
