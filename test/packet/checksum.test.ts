import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addToSum,
  checksumOfSum,
  isSumRight,
  pseudoSum4,
  pseudoSum6,
  updateChecksum,
} from '../../src/packet/checksum.js';
import { concat, hex, ipv4, ipv6, slowChecksum, uint16 } from './samples.js';
import { surround } from './surroundings.js';

const words = fc.uint8Array({ maxLength: 1500 });

describe('the Internet checksum', () => {
  it('gives the sum of RFC 1071 section 3', () => {
    expect(addToSum(0, hex('0001 f203 f4f5 f6f7'), 0, 8)).toBe(0xddf2);
  });

  it('equals the slow reference, wherever the bytes stand', () => {
    fc.assert(
      fc.property(words, fc.nat(9), fc.nat(255), (data, before, filler) => {
        const bytes = surround(data, filler, before, 3);
        expect(checksumOfSum(addToSum(0, bytes, before, data.length))).toBe(slowChecksum(data));
      }),
    );
  });

  it('adds up in parts of even length', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        const even = a.subarray(0, a.length & ~1);
        const sum = addToSum(addToSum(0, even, 0, even.length), b, 0, b.length);
        expect(checksumOfSum(sum)).toBe(slowChecksum(even, b));
      }),
    );
  });

  it('does not overflow with the longest packet of all ones', () => {
    const bytes = new Uint8Array(65535).fill(0xff);
    expect(addToSum(0xffff + 65535 + 255, bytes, 0, 65535)).toBe(
      65535 - slowChecksum(uint16(0xffff), uint16(0xffff), uint16(255), bytes),
    );
  });

  it('is right over data that hold their own checksum', () => {
    fc.assert(
      fc.property(words, (data) => {
        const even = data.subarray(0, data.length & ~1);
        const whole = concat(even, uint16(slowChecksum(even)));
        expect(isSumRight(addToSum(0, whole, 0, whole.length))).toBe(true);
        if (whole.length > 2) {
          whole[0] ^= 0x10;
          expect(isSumRight(addToSum(0, whole, 0, whole.length))).toBe(false);
        }
      }),
    );
  });

  it('sums both pseudo headers', () => {
    const four = ipv4(17, new Uint8Array(0));
    expect(checksumOfSum(pseudoSum4(four, 0, 17, 0x1234))).toBe(
      slowChecksum(four.subarray(12, 20), hex('0011 1234')),
    );
    const six = ipv6(58, new Uint8Array(0));
    expect(checksumOfSum(pseudoSum6(six, 0, 58, 0xfedc))).toBe(
      slowChecksum(six.subarray(8, 40), hex('0000 fedc 0000 003a')),
    );
  });
});

describe('updateChecksum', () => {
  it('gives the value of RFC 1624 section 4, where RFC 1141 goes wrong', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it('equals a new checksum', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 64 }),
        fc.nat(31),
        fc.nat(0xffff),
        (data, word, value) => {
          const even = data.slice(0, data.length & ~1);
          const at = (word * 2) % even.length;
          const before = slowChecksum(even);
          const old = even[at] * 256 + even[at + 1];
          even.set(uint16(value), at);
          // Data of nothing but zeros have two right checksums (RFC 1624 section 3).
          const expected = even.every((byte) => byte === 0) ? [0, 0xffff] : [slowChecksum(even)];
          expect(expected).toContain(updateChecksum(before, old, value));
        },
      ),
    );
  });
});
