import { describe, expect, it } from 'vitest';
import { hex, toHex } from './hex.js';
import { all, implementations } from './implementations.js';
import { toLittleEndian, x25519 } from './reference/x25519.js';
import { Seeded } from './seeded.js';
import lowOrder from './vectors/low-order.json' with { type: 'json' };
import vectors from './vectors/x25519.json' with { type: 'json' };

const P = 2n ** 255n - 19n;

describe.each(all)('X25519 by $name', ({ make }) => {
  const primitives = make();

  it.each(vectors.shared)('gives the shared secret of RFC 7748 for $u', ({ scalar, u, out }) => {
    const secret = new Uint8Array(32);
    expect(primitives.x25519(secret, hex(scalar), hex(u))).toBe(true);
    expect(toHex(secret)).toBe(out);
  });

  it.each(vectors.publicKeys)('gives the public key $publicKey of RFC 7748', ({ privateKey, publicKey }) => {
    const out = new Uint8Array(32);
    primitives.x25519PublicKey(out, hex(privateKey));
    expect(toHex(out)).toBe(publicKey);
  });

  it('agrees with RFC 7748 section 5.2 after 1 and after 1000 iterations', () => {
    let k = toLittleEndian(9n, 32);
    let u = toLittleEndian(9n, 32);
    for (let i = 1; i <= 1000; i++) {
      const next = new Uint8Array(32);
      expect(primitives.x25519(next, k, u)).toBe(true);
      u = k;
      k = next;
      if (i === 1) expect(toHex(k)).toBe(vectors.iterated.once);
    }
    expect(toHex(k)).toBe(vectors.iterated.thousandTimes);
  });

  it.each(lowOrder.points)('refuses the low-order point $what', ({ u }) => {
    const random = new Seeded(7);
    for (let i = 0; i < 3; i++) {
      const out = new Uint8Array(32).fill(0xa5);
      expect(primitives.x25519(out, random.bytes(32), hex(u))).toBe(false);
      expect(out).toEqual(new Uint8Array(32));
    }
  });

  it('works on after a refused point', () => {
    const out = new Uint8Array(32);
    const { scalar, u, out: expected } = vectors.shared[0]!;
    primitives.x25519(out, hex(scalar), new Uint8Array(32));
    expect(primitives.x25519(out, hex(scalar), hex(u))).toBe(true);
    expect(toHex(out)).toBe(expected);
  });

  it('clamps the private key: the five bits that do not count change nothing', () => {
    const random = new Seeded(11);
    const scalar = random.bytes(32);
    const peer = random.bytes(32);
    const expected = new Uint8Array(32);
    primitives.x25519(expected, scalar, peer);
    for (const [at, bit] of [
      [0, 1],
      [0, 2],
      [0, 4],
      [31, 64],
      [31, 128],
    ] as const) {
      const other = Uint8Array.from(scalar);
      other[at]! ^= bit;
      const out = new Uint8Array(32);
      primitives.x25519(out, other, peer);
      expect(out).toEqual(expected);
      const publicKey = new Uint8Array(32);
      const otherPublicKey = new Uint8Array(32);
      primitives.x25519PublicKey(publicKey, scalar);
      primitives.x25519PublicKey(otherPublicKey, other);
      expect(otherPublicKey).toEqual(publicKey);
    }
  });

  it('changes none of its inputs and may write over either', () => {
    const random = new Seeded(13);
    const scalar = random.bytes(32);
    const peer = random.bytes(32);
    const scalarBefore = Uint8Array.from(scalar);
    const peerBefore = Uint8Array.from(peer);
    const expected = new Uint8Array(32);
    primitives.x25519(expected, scalar, peer);
    expect(scalar).toEqual(scalarBefore);
    expect(peer).toEqual(peerBefore);

    primitives.x25519(peer, scalar, peer);
    expect(peer).toEqual(expected);
    primitives.x25519(scalar, scalar, peerBefore);
    expect(scalar).toEqual(expected);
    const publicKey = new Uint8Array(32);
    primitives.x25519PublicKey(publicKey, scalarBefore);
    primitives.x25519PublicKey(scalarBefore, scalarBefore);
    expect(scalarBefore).toEqual(publicKey);
  });
});

describe.each(implementations)('X25519 by $name against the reference', ({ make }) => {
  const primitives = make();

  /** Coordinates where carries, reductions and masks go wrong, on the curve and on its twist. */
  const coordinates: bigint[] = [];
  for (let i = 2n; i <= 20n; i++) coordinates.push(i, P - i);
  for (let i = 2n; i < 19n; i++) coordinates.push(P + i); // spelled above the prime
  for (let bit = 2n; bit <= 255n; bit++) {
    if (bit % 8n === 0n || bit % 26n <= 1n || bit % 51n <= 1n)
      coordinates.push(2n ** bit - 1n, 2n ** (bit - 1n) + 1n);
  }

  coordinates.push(2n ** 256n - 1n); // the top bit is masked

  it(`agrees on ${coordinates.length} edge coordinates`, () => {
    const random = new Seeded(17);
    for (const u of coordinates) {
      const scalar = random.bytes(32);
      const point = toLittleEndian(u, 32);
      const out = new Uint8Array(32);
      expect(primitives.x25519(out, scalar, point), `u = ${u}`).toBe(true);
      expect(toHex(out), `u = ${u}`).toBe(toHex(x25519(scalar, point)));
    }
  });

  it('agrees on edge scalars', () => {
    const random = new Seeded(19);
    const scalars: Uint8Array[] = [new Uint8Array(32), new Uint8Array(32).fill(255)];
    for (let bit = 0; bit < 256; bit += 5) scalars.push(toLittleEndian(2n ** BigInt(bit), 32));
    for (const scalar of scalars) {
      const point = random.bytes(32);
      const out = new Uint8Array(32);
      primitives.x25519(out, scalar, point);
      expect(toHex(out)).toBe(toHex(x25519(scalar, point)));
      primitives.x25519PublicKey(out, scalar);
      expect(toHex(out)).toBe(toHex(x25519(scalar, toLittleEndian(9n, 32))));
    }
  });

  it('follows the contents of a reused array, not its identity', () => {
    const random = new Seeded(23);
    const scalar = new Uint8Array(32);
    const point = new Uint8Array(32);
    for (let i = 0; i < 20; i++) {
      scalar.set(random.bytes(32));
      point.set(random.bytes(32));
      const out = new Uint8Array(32);
      primitives.x25519(out, scalar, point);
      expect(toHex(out)).toBe(toHex(x25519(scalar, point)));
    }
  });
});
