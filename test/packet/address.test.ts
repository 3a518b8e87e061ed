import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalAddress,
  formatAddress,
  formatPrefix,
  maskAddress,
  parseAddress,
  parseDecimal,
  parseInterfaceAddress,
  parseIpv4,
  parseIpv6,
  parsePrefix,
  parseScopedAddress,
  prefixContains,
} from '../../src/packet/address.js';
import { hex } from './samples.js';

describe('parseIpv4', () => {
  it('reads four decimal numbers', () => {
    expect(parseIpv4('0.0.0.0')).toEqual(Uint8Array.of(0, 0, 0, 0));
    expect(parseIpv4('192.0.2.255')).toEqual(Uint8Array.of(192, 0, 2, 255));
  });

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-1',
    '01.2.3.4',
    '1.2.3.00',
    '0x1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1..3.4',
    '1.2.3.',
    '.1.2.3',
    '1.2.3.4/32',
    '1.2.3.١',
    '1e0.2.3.4',
    '+1.2.3.4',
  ])('refuses %j', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });
});

describe('parseIpv6', () => {
  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['2001:DB8::8:800:200c:417A', '20010db80000000000080800200c417a'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['::ffff:192.0.2.33', '00000000000000000000ffffc0000221'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
  ])('reads %s', (text, bytes) => {
    expect(parseIpv6(text)).toEqual(hex(bytes));
  });

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:',
    ':1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4::5:6:7:8',
    '1::2::3',
    '12345::',
    'g::',
    '1.2.3.4',
    '::1.2.3',
    '::1.2.3.4.5',
    '::1.2.3.256',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1%eth0',
    '[::1]',
    ' ::1',
    '::1 ',
    '1:::2',
    '::-1',
    `${'0:'.repeat(50)}0`,
  ])('refuses %j', (text) => {
    expect(parseIpv6(text)).toBeUndefined();
  });
});

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Groups that are often zero, so that "::" has something to do.
  fc
    .array(fc.constantFrom(0, 0, 1, 0xffff, 0xabc), { minLength: 8, maxLength: 8 })
    .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]))),
);

describe('address text', () => {
  it('agrees with Node on what an address is', () => {
    const piece = fc.constantFrom(
      ':',
      '::',
      '.',
      '0',
      '1',
      '00',
      'ffff',
      '255',
      '256',
      'a.b',
      '1.2.3.4',
      'G',
      ' ',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 17 }).map((p) => p.join('')),
          fc.string(),
        ),
        (text) => {
          expect(parseIpv4(text) !== undefined).toBe(isIPv4(text));
          if (!text.includes('%')) expect(parseIpv6(text) !== undefined).toBe(isIPv6(text));
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('comes back as the same bytes', () => {
    fc.assert(
      fc.property(address, fc.nat(5), (bytes, before) => {
        const text = formatAddress(bytes);
        expect(parseAddress(text)).toEqual(bytes);
        const room = new Uint8Array(before + bytes.length + 3).fill(7);
        room.set(bytes, before);
        expect(formatAddress(room, before, bytes.length)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it('comes back as the same text when it was canonical', () => {
    fc.assert(
      fc.property(address, (bytes) => {
        const text = formatAddress(bytes);
        expect(formatAddress(parseAddress(text)!)).toBe(text);
        expect(text).toBe(text.toLowerCase());
      }),
    );
  });

  // RFC 5952 sections 4 and 5, and the examples of RFC 4291 section 2.2.
  it.each([
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::AAAA', '2001:db8::aaaa'],
    ['FF01:0:0:0:0:0:0:101', 'ff01::101'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['0:0:0:0:0:ffff:c000:221', '::ffff:192.0.2.33'],
  ])('writes %s as %s', (text, canonical) => {
    expect(formatAddress(parseAddress(text)!)).toBe(canonical);
  });
});

describe('parseScopedAddress', () => {
  it('takes a zone behind IPv6 only', () => {
    expect(parseScopedAddress('fe80::1%eth0')).toEqual({ address: parseIpv6('fe80::1'), zone: 'eth0' });
    expect(parseScopedAddress('fe80::1')).toEqual({ address: parseIpv6('fe80::1'), zone: undefined });
    for (const text of [
      'fe80::1%',
      '10.0.0.1%eth0',
      'fe80::1%a%b',
      'fe80::1%a b',
      'fe80::1%a/64',
      `::1%${'x'.repeat(65)}`,
    ]) {
      expect(parseScopedAddress(text), text).toBeUndefined();
    }
  });
});

describe('prefixes', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['10.1.2.3/0', '0.0.0.0/0'],
    ['10.1.2.255/31', '10.1.2.254/31'],
    ['fd00::1/64', 'fd00::/64'],
    ['fd00::1', 'fd00::1/128'],
    ['ffff:ffff::/17', 'ffff:8000::/17'],
    ['::1/0', '::/0'],
  ])('masks %s to %s', (text, masked) => {
    expect(formatPrefix(parsePrefix(text)!)).toBe(masked);
  });

  it('keeps host bits where an interface needs them', () => {
    expect(formatPrefix(parseInterfaceAddress('10.1.2.3/8')!)).toBe('10.1.2.3/8');
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    'fd00::/129',
    '/8',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::/1e1',
  ])('refuses %s', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });

  it('contain exactly the addresses that mask to them', () => {
    fc.assert(
      fc.property(address, address, fc.nat(128), fc.boolean(), (one, other, bits, near) => {
        const prefixLength = Math.min(bits, one.length * 8);
        const prefix = { address: one.slice(), prefixLength };
        maskAddress(prefix.address, prefixLength);
        const probe = near && one.length === other.length ? one.slice() : other;
        if (near && probe.length > 0) probe[bits % probe.length] ^= 1 << (bits & 7);
        const masked = probe.slice();
        if (probe.length === one.length) maskAddress(masked, prefixLength);
        expect(prefixContains(prefix, probe)).toBe(
          probe.length === one.length && masked.every((byte, i) => byte === prefix.address[i]),
        );
        expect(prefixContains(prefix, one)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('canonicalAddress', () => {
  it('takes the IPv4 address out of a mapped one, and leaves all others', () => {
    expect(canonicalAddress(parseIpv6('::ffff:127.0.0.1')!)).toEqual(Uint8Array.of(127, 0, 0, 1));
    for (const text of [
      '127.0.0.1',
      '::127.0.0.1',
      '::fffe:127.0.0.1',
      '::1:ffff:127.0.0.1',
      '64:ff9b::127.0.0.1',
    ]) {
      expect(canonicalAddress(parseAddress(text)!)).toEqual(parseAddress(text)!);
    }
  });
});

describe('parseDecimal', () => {
  it('takes digits only, up to the greatest', () => {
    expect(parseDecimal('0', 0)).toBe(0);
    expect(parseDecimal('65535', 65535)).toBe(65535);
    expect(parseDecimal('4294967295', 0xffffffff)).toBe(0xffffffff);
    for (const text of ['', '00', '65536', '-1', '+1', '1.0', ' 1', '1 ', '0x1', '99999999999', '１']) {
      expect(parseDecimal(text, 65535), text).toBe(-1);
    }
  });
});
