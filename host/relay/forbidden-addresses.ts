/**
 * Addresses that no relay forwards to, whatever its target list says: those that mean the relay itself, its link, or
 * everybody. An address that has another inside (mapped, compatible, translated, tunnelled) is judged by both.
 */

import { type Prefix, parsePrefix, prefixContains } from '../../src/packet/address.js';

/** Why an address is refused, by block (IANA special-purpose registries, RFC 6890). */
const FORBIDDEN: readonly (readonly [Prefix, string])[] = Object.freeze(
  (
    [
      ['0.0.0.0/8', 'unspecified'],
      ['127.0.0.0/8', 'loopback'],
      // With the metadata services of clouds, 169.254.169.254.
      ['169.254.0.0/16', 'link-local'],
      ['192.0.0.0/24', 'protocol assignments'],
      ['224.0.0.0/4', 'multicast'],
      ['240.0.0.0/4', 'reserved'],
      ['::/128', 'unspecified'],
      ['::1/128', 'loopback'],
      ['100::/64', 'discard'],
      ['fe80::/10', 'link-local'],
      ['fec0::/10', 'site-local'],
      ['fd00:ec2::254/128', 'metadata'],
      ['ff00::/8', 'multicast'],
    ] as const
  ).map(([text, why]): readonly [Prefix, string] => [parsePrefix(text)!, why]),
);

/** Where in an IPv6 address an IPv4 address lies, by block. */
const EMBEDDED: readonly (readonly [Prefix, number, string])[] = Object.freeze(
  (
    [
      ['::ffff:0:0/96', 12, 'IPv4-mapped'],
      ['::/96', 12, 'IPv4-compatible'],
      ['::ffff:0:0:0/96', 12, 'IPv4-translated'],
      ['64:ff9b::/96', 12, 'NAT64'],
      ['64:ff9b:1::/48', 12, 'NAT64'],
      ['2002::/16', 2, '6to4'],
      // The client's address is the last four bytes, inverted: there is no telling where it ends up.
      ['2001::/32', 12, 'Teredo'],
    ] as const
  ).map(([text, at, what]): readonly [Prefix, number, string] => [parsePrefix(text)!, at, what]),
);

/** Why the relay never forwards there, or undefined. An address in disguise is refused for the disguise alone. */
export function forbidden(address: Uint8Array): string | undefined {
  for (const [prefix, why] of FORBIDDEN) if (prefixContains(prefix, address)) return why;
  if (address.length !== 16) return undefined;
  for (const [prefix, at, what] of EMBEDDED) {
    if (!prefixContains(prefix, address)) continue;
    const inner = forbidden(address.subarray(at, at + 4));
    return inner === undefined ? what : `${what}, ${inner}`;
  }
  return undefined;
}
