import { describe, expect, it } from 'vitest';
import { parseTargetRule, type TargetRule, Targets } from '../../host/relay/targets.js';

const EVERYTHING = ['0.0.0.0/0', '[::/0]'].map((text) => parseTargetRule(text)!);

function judge(host: string, port = '53', rules: readonly TargetRule[] = EVERYTHING, own: string[] = []) {
  return new Targets(rules, own).judge(`/.well-known/masque/udp/${host}/${port}/`);
}

/** Every way to write an address that the relay must never reach, as it would stand in a request. */
const FORBIDDEN = [
  // Loopback.
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '0x7f.0.0.1',
  '0x7f000001',
  '2130706433',
  '0177.0.0.1',
  '127.0.0.1.',
  '127.000.000.001',
  '%31%32%37.0.0.1',
  '127%2e0%2e0%2e1',
  '%3A%3A1',
  '%3a%3A1',
  '0%3A0%3A0%3A0%3A0%3A0%3A0%3A1',
  '%5B%3A%3A1%5D',
  '[::1]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost.localdomain',
  '127.0.0.1%00',
  '127.0.0.1%20',
  '%20127.0.0.1',
  '127.0.0.1%2F',
  '127.0.0.1%23',
  '127.0.0.1%40evil',
  '127.255.255.254',
  // Loopback inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo.
  '%3A%3Affff%3A127.0.0.1',
  '%3A%3Affff%3A7f00%3A1',
  '0%3A0%3A0%3A0%3A0%3Affff%3A7f00%3A0001',
  '%3A%3A127.0.0.1',
  '%3A%3A7f00%3A1',
  '%3A%3Affff%3A0%3A127.0.0.1',
  '64%3Aff9b%3A%3A127.0.0.1',
  '64%3Aff9b%3A%3A7f00%3A1',
  '64%3Aff9b%3A1%3A%3A7f00%3A1',
  '2002%3A7f00%3A1%3A%3A',
  '2002%3Aa9fe%3Aa9fe%3A%3A1',
  '2001%3A0%3A%3A1',
  // Unspecified.
  '0.0.0.0',
  '0',
  '00.0.0.0',
  '%3A%3A',
  '0%3A%3A0',
  '%3A%3Affff%3A0.0.0.0',
  '0.1.2.3',
  // Link-local and the metadata services.
  '169.254.169.254',
  '0xa9fea9fe',
  '2852039166',
  '169.254.43518',
  '%3A%3Affff%3A169.254.169.254',
  '%3A%3Affff%3Aa9fe%3Aa9fe',
  'fd00%3Aec2%3A%3A254',
  'fe80%3A%3A1',
  'fe80%3A%3A1%25eth0',
  'fe80%3A%3A1%2525eth0',
  'febf%3A%3A1',
  'fec0%3A%3A1',
  'metadata.google.internal',
  // Everybody.
  '224.0.0.1',
  '239.255.255.250',
  '255.255.255.255',
  'ff02%3A%3A1',
  'ff05%3A%3A2',
  '240.0.0.1',
  '100%3A%3A1',
  // Any name, however harmless: it means what its owner wants it to mean by the time it is used.
  'example.com',
  'relay.example',
  'xn--80ak6aa92e.com',
  '1.2.3.4.nip.io',
  '%D1%80.com',
  'a'.repeat(253),
  // Unicode digits and dots, double encoding, what is no address at all.
  '%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1',
  '127%E3%80%820.0.1',
  '%2531%2532%2537.0.0.1',
  '%2e%2e',
  '..',
  '.',
  '%',
  '%zz',
  '%0a',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '%3A%3A%3A',
  '1%3A2',
  'g%3A%3A1',
  '%3A%3A1.2.3.400',
];

describe('a relay that forwards everywhere', () => {
  it.each(FORBIDDEN)('still does not forward to %s', (host) => {
    const answer = judge(host);
    expect(answer.ok).toBe(false);
  });

  it.each([
    ['8.8.8.8', '8.8.8.8', 4],
    ['2001%3Adb8%3A%3A1', '2001:db8::1', 6],
    ['2001%3A0DB8%3A0000%3A0000%3A0000%3A0000%3A0000%3A0001', '2001:db8::1', 6],
    ['%38.8.8.8', '8.8.8.8', 4],
    ['2001%3Adb8%3A%3A192.0.2.1', '2001:db8::c000:201', 6],
  ])('forwards to %s as %s', (host, canonical, family) => {
    expect(judge(host)).toEqual({ ok: true, target: { kind: 'udp', host: canonical, family, port: 53 } });
  });

  it.each(['0', '65536', '99999', '-1', '+53', '5 3', '0x35', '53.0', '', '１'])(
    'knows no port %s',
    (port) => {
      expect(judge('8.8.8.8', port).ok).toBe(false);
    },
  );

  it.each([
    '/.well-known/masque/udp/8.8.8.8/53/extra',
    '/.well-known/masque/udp/8.8.8.8/53//',
    '/.well-known/masque/udp//53/',
    '/.well-known/masque/udp/8.8.8.8/53/?host=127.0.0.1',
    '/.well-known/masque/udp/8.8.8.8/53/#x',
    '/x/../.well-known/masque/udp/8.8.8.8/53/',
    '//.well-known/masque/udp/8.8.8.8/53/',
    'https://relay/.well-known/masque/udp/8.8.8.8/53/',
    '/.well-known/masque/ip/8.8.8.8/53/',
    '*',
    '',
  ])('knows no path %s', (path) => {
    expect(new Targets(EVERYTHING).judge(path).ok).toBe(false);
  });

  it('does not forward to itself', () => {
    expect(judge('198.51.100.1', '53', EVERYTHING, ['198.51.100.1']).ok).toBe(false);
    expect(judge('198.51.100.2', '53', EVERYTHING, ['198.51.100.1']).ok).toBe(true);
  });
});

describe('a list', () => {
  const rules = ['203.0.113.0/24:51820', '198.51.100.7:1024-2048', '[2001:db8::/32]:51820'].map(
    (text) => parseTargetRule(text)!,
  );

  it.each([
    ['203.0.113.9', '51820', true],
    ['203.0.113.9', '51821', false],
    ['203.0.114.9', '51820', false],
    ['198.51.100.7', '1024', true],
    ['198.51.100.7', '2048', true],
    ['198.51.100.7', '2049', false],
    ['198.51.100.8', '1024', false],
    ['2001%3Adb8%3A%3A1', '51820', true],
    ['2001%3Adb9%3A%3A1', '51820', false],
    // In disguise, an allowed address is refused, too: there is one spelling for each.
    ['%3A%3Affff%3A203.0.113.9', '51820', false],
    ['64%3Aff9b%3A%3A203.0.113.9', '51820', false],
  ])('%s port %s: %s', (host, port, ok) => {
    expect(judge(host, port, rules).ok).toBe(ok);
  });

  it('that is empty allows no address', () => {
    expect(judge('203.0.113.9', '51820', []).ok).toBe(false);
  });

  it.each([
    '',
    'x',
    '1.2.3.4:0',
    '1.2.3.4:2-1',
    '1.2.3.4:65536',
    '1.2.3.4/33',
    '[2001:db8::/129]:1',
    'example.com:53',
  ])('with %s in it is refused as a whole', (text) => {
    expect(parseTargetRule(text)).toBeUndefined();
  });
});

describe('names of gateways', () => {
  it.each(['one', 'gw-0123', 'A_b-9'])('%s is one', (name) => {
    expect(judge(`${name}.gateway.invalid`, '1', [])).toEqual({
      ok: true,
      target: { kind: 'meeting', name },
    });
  });
  it.each(['', '-x', 'a.b', 'a%0Ab', 'a%2Fb', 'x'.repeat(64), '%2e', '127.0.0.1'])('%s is none', (name) => {
    expect(judge(`${name}.gateway.invalid`, '1', []).ok).toBe(false);
  });
});
