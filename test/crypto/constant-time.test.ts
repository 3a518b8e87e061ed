import { expect, it } from 'vitest';
import { equal, equalAt, isZero } from '../../src/crypto/constant-time.js';
import { counting } from './hex.js';

it('tells arrays apart by any one bit and by length', () => {
  const a = counting(33);
  expect(equal(a, counting(33))).toBe(true);
  for (let bit = 0; bit < 8 * a.length; bit++) {
    const b = counting(33);
    b[bit >> 3]! ^= 1 << (bit & 7);
    expect(equal(a, b)).toBe(false);
  }
  expect(equal(a, counting(32))).toBe(false);
  expect(equal(counting(32), a)).toBe(false);
  expect(equal(new Uint8Array(0), new Uint8Array(0))).toBe(true);
});

it('compares parts, and never equates bytes that are not there', () => {
  const a = counting(20);
  expect(equalAt(a, 4, a.subarray(4), 0, 16)).toBe(true);
  expect(equalAt(a, 4, a, 5, 15)).toBe(false);
  expect(equalAt(a, 5, a, 5, 16)).toBe(false);
  expect(equalAt(new Uint8Array(4), 0, new Uint8Array(3), 0, 4)).toBe(false);
  expect(equalAt(new Uint8Array(3), 0, new Uint8Array(4), 0, 4)).toBe(false);
});

it('knows zero', () => {
  expect(isZero(new Uint8Array(32))).toBe(true);
  for (let bit = 0; bit < 256; bit++) {
    const bytes = new Uint8Array(32);
    bytes[bit >> 3] = 1 << (bit & 7);
    expect(isZero(bytes)).toBe(false);
  }
});
