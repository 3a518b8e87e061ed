import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import { implementations } from './implementations.js';
import { Seeded } from './seeded.js';

const random = new Seeded(51);

/** Every way in which bytes might turn up in a text. */
function spellings(secret: Uint8Array): string[] {
  const buffer = Buffer.from(secret);
  const part = buffer.subarray(0, 8);
  return [
    part.toString('hex'),
    part.toString('hex').toUpperCase(),
    [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    buffer.toString('base64').slice(0, 10),
    buffer.toString('base64url').slice(0, 10),
    [...part].join(','),
    [...part].join(', '),
  ];
}

/** Runs it, which must throw, and looks through everything the error shows. */
function expectNoSecret(secret: Uint8Array, act: () => unknown): void {
  let error: unknown;
  try {
    act();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(RangeError);
  const shown = inspect(error, { depth: 10, showHidden: true, maxArrayLength: null });
  for (const spelling of spellings(secret)) expect(shown).not.toContain(spelling);
}

describe.each(implementations)('an error of $name never shows a secret', ({ make }) => {
  const primitives = make();
  const none = new Uint8Array(0);
  const right = random.bytes(32);

  it.each([16, 31, 33, 64])('with a key of %i bytes', (length) => {
    const secret = random.bytes(length);
    for (const size of [16, 200]) {
      const buffer = new Uint8Array(size + 16);
      expectNoSecret(secret, () => primitives.aeadSeal(secret, 0, 0, buffer, 0, size, none));
      expectNoSecret(secret, () => primitives.aeadOpen(secret, 0, 0, buffer, 0, size + 16, none));
      expectNoSecret(secret, () => primitives.xaeadSeal(secret, new Uint8Array(24), buffer, 0, size, none));
      expectNoSecret(secret, () =>
        primitives.xaeadOpen(secret, new Uint8Array(24), buffer, 0, size + 16, none),
      );
    }
    expectNoSecret(secret, () => primitives.x25519(new Uint8Array(32), secret, right));
    expectNoSecret(secret, () => primitives.x25519(new Uint8Array(32), right, secret));
    expectNoSecret(secret, () => primitives.x25519PublicKey(new Uint8Array(32), secret));
    if (length > 32) expectNoSecret(secret, () => primitives.mac(new Uint8Array(16), secret, none));
  });

  it.each([0, 31, 33])('with room for %i bytes of result', (length) => {
    const out = new Uint8Array(length);
    const secret = random.bytes(32);
    expectNoSecret(secret, () => primitives.x25519(out, secret, right));
    expectNoSecret(secret, () => primitives.x25519PublicKey(out, secret));
    expectNoSecret(secret, () => primitives.hash(out, secret));
    expectNoSecret(secret, () => primitives.hmac(out, secret, secret));
    expectNoSecret(secret, () => primitives.mac(out, secret, secret));
  });

  it('with a plaintext that does not fit', () => {
    for (const size of [16, 200]) {
      const secret = random.bytes(size);
      expectNoSecret(secret, () => primitives.aeadSeal(right, 0, 0, Uint8Array.from(secret), 0, size, none));
      expectNoSecret(right, () => primitives.aeadSeal(right, 0, 0, secret, 0, size, none));
      expectNoSecret(right, () => primitives.xaeadSeal(right, new Uint8Array(23), secret, 0, 0, none));
    }
  });

  it('with no key at all', () => {
    expect(() => primitives.mac(new Uint8Array(16), none, right)).toThrow(RangeError);
    expect(() => primitives.aeadSeal(none, 0, 0, new Uint8Array(32), 0, 16, right)).toThrow(RangeError);
  });

  it('in what inspecting it prints', () => {
    const secret = random.bytes(32);
    const buffer = new Uint8Array(216);
    primitives.x25519PublicKey(new Uint8Array(32), secret);
    primitives.aeadSeal(secret, 0, 0, buffer, 0, 200, none);
    primitives.hmac(new Uint8Array(32), secret, secret);
    const shown = `${inspect(primitives, { depth: 10, maxArrayLength: null })} ${JSON.stringify(primitives)}`;
    for (const spelling of spellings(secret)) expect(shown).not.toContain(spelling);
  });
});

it('reading and writing key text never shows the key', () => {
  const secret = random.bytes(33);
  expectNoSecret(secret, () => keyToBase64(secret));
  expect(keyFromBase64(`${keyToBase64(random.bytes(32)).slice(0, 43)}!`)).toBeUndefined();
});

it('a failing random source fails the caller, and nothing weaker takes its place', async () => {
  const { PortablePrimitives } = await import('../../src/crypto/portable.js');
  const primitives = new PortablePrimitives(() => {
    throw new Error('no entropy');
  });
  const out = new Uint8Array(32);
  expect(() => primitives.random(out)).toThrow('no entropy');
  expect(out).toEqual(new Uint8Array(32));
});

it.each(implementations)('random bytes of $name fill the whole array, each time anew', ({ make }) => {
  const primitives = make();
  const room = new Uint8Array(4 + 4096 + 4);
  const out = room.subarray(4, -4);
  primitives.random(out);
  const first = Uint8Array.from(out);
  primitives.random(out);
  expect(out).not.toEqual(first);
  // A byte stays zero in both with probability 2^-16; 40 of 4096 would be no accident.
  expect(out.filter((byte, i) => byte === 0 && first[i] === 0).length).toBeLessThan(40);
  expect([...room.subarray(0, 4), ...room.subarray(-4)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});
