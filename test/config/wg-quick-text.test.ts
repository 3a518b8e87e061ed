import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InterfaceConfig, PeerConfig, TunnelConfig } from '../../src/config/tunnel-config.js';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { formatWgQuick } from '../../src/config/wg-quick-text.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { maskAddress, type Prefix, parseAddress, parsePrefix } from '../../src/packet/address.js';
import { endpointRecord } from '../../src/packet/endpoint-text.js';

const key = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => bytes.some((byte) => byte !== 0));
const ip = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(ip, fc.nat(128))
  .map(([address, bits]) => ({ address, prefixLength: Math.min(bits, address.length * 8) }));
const name = fc.domain().filter((text) => text.length < 200);
const command = fc.constantFrom('echo up', 'iptables -A FORWARD -i %i -j ACCEPT', 'sh -c "a = b, c; d"');

const own: fc.Arbitrary<InterfaceConfig> = fc.record({
  privateKey: key,
  listenPort: fc.option(fc.nat(65535), { nil: undefined }),
  addresses: fc.uniqueArray(prefix, { maxLength: 4, selector: (p) => p.address.join() }),
  mtu: fc.option(fc.integer({ min: 1280, max: 65455 }), { nil: undefined }),
  dnsServers: fc.array(ip, { maxLength: 3 }),
  dnsSearch: fc.array(name, { maxLength: 2 }),
  table: fc.oneof(fc.constantFrom('auto' as const, 'off' as const), fc.integer({ min: 1, max: 0xffffffff })),
  fwMark: fc.nat(0xffffffff),
  preUp: fc.array(command, { maxLength: 2 }),
  postUp: fc.array(command, { maxLength: 2 }),
  preDown: fc.array(command, { maxLength: 2 }),
  postDown: fc.array(command, { maxLength: 2 }),
});

const peer: fc.Arbitrary<PeerConfig> = fc.record({
  line: fc.constant(0),
  publicKey: key,
  presharedKey: fc.option(key, { nil: undefined }),
  allowedIps: fc.array(prefix, { maxLength: 4 }).map((prefixes) => {
    for (const { address, prefixLength } of prefixes) maskAddress(address, prefixLength);
    return [...new Map(prefixes.map((p) => [`${p.address.join()}/${p.prefixLength}`, p])).values()];
  }),
  endpoint: fc.option(
    fc.oneof(
      fc
        .tuple(ip, fc.integer({ min: 1, max: 65535 }))
        .map(([address, port]) => ({ kind: 'address' as const, record: endpointRecord(address, port, 0) })),
      fc.record({ kind: fc.constant('name' as const), host: name, port: fc.integer({ min: 1, max: 65535 }) }),
    ),
    { nil: undefined },
  ),
  persistentKeepalive: fc.nat(65535),
});

const config: fc.Arbitrary<TunnelConfig> = fc.record({
  interface: own,
  peers: fc.uniqueArray(peer, { maxLength: 4, selector: (p) => p.publicKey.join() }),
});

describe('formatWgQuick', () => {
  it('writes what parseWgQuick reads back', () => {
    fc.assert(
      fc.property(config, (written) => {
        const { config: read, problems } = parseWgQuick(formatWgQuick(written));
        expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
        expect({ ...read, peers: read!.peers.map((p) => ({ ...p, line: 0 })) }).toEqual(written);
      }),
      { numRuns: 500 },
    );
  });

  it('writes what a phone expects, and no defaults', () => {
    const one = new Uint8Array(32).fill(1);
    const two = new Uint8Array(32).fill(2);
    const text = formatWgQuick({
      interface: {
        privateKey: one,
        listenPort: undefined,
        addresses: [{ address: parseAddress('10.0.0.2')!, prefixLength: 24 }],
        mtu: undefined,
        dnsServers: [],
        dnsSearch: [],
        table: 'auto',
        fwMark: 0,
        preUp: [],
        postUp: [],
        preDown: [],
        postDown: [],
      },
      peers: [
        {
          line: 0,
          publicKey: two,
          presharedKey: undefined,
          allowedIps: [parsePrefix('10.0.0.0/24')!, parsePrefix('fd00::/64')!],
          endpoint: { kind: 'address', record: endpointRecord(parseAddress('192.0.2.1')!, 51820, 0) },
          persistentKeepalive: 25,
        },
      ],
    });
    expect(text).toBe(`[Interface]
PrivateKey = ${keyToBase64(one)}
Address = 10.0.0.2/24

[Peer]
PublicKey = ${keyToBase64(two)}
AllowedIPs = 10.0.0.0/24, fd00::/64
Endpoint = 192.0.2.1:51820
PersistentKeepalive = 25
`);
  });
});

describe('parseWgQuick', () => {
  const word = fc.constantFrom(
    '[',
    ']',
    'Interface',
    'Peer',
    '[Interface]',
    '[Peer]',
    '\n',
    '\r\n',
    '\r',
    ' ',
    '\t',
    '=',
    ',',
    '#',
    '/',
    ':',
    '%',
    '.',
    'PrivateKey',
    'AllowedIPs',
    'Address',
    'Endpoint',
    'DNS',
    'MTU',
    'PostUp',
    'off',
    '0',
    '10.0.0.1',
    'fd00::1',
    '\ufeff',
  );

  it('comes back from any text, with a configuration exactly when nothing is wrong', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.array(word, { maxLength: 60 }).map((words) => words.join('')),
        ),
        (text) => {
          const { config: read, problems } = parseWgQuick(text);
          const lines = text.split(/\r\n|\r|\n/);
          for (const { line, column } of problems) {
            expect(line >= 1 && line <= lines.length).toBe(true);
            if (column !== undefined) expect(column <= lines[line - 1].length + 1).toBe(true);
          }
          expect(read === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
