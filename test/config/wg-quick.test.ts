import { describe, expect, it } from 'vitest';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import { formatPrefix, parseAddress } from '../../src/packet/address.js';
import { endpointRecord } from '../../src/packet/endpoint-text.js';
import { INTERFACE, PEER, PEER_A, PEER_B, PRIVATE, PSK, read } from './wg-quick-sample.js';

describe('parseWgQuick', () => {
  it('reads every setting', () => {
    const { config, problems } = read(`# the whole of it
[Interface]
PrivateKey = ${PRIVATE} # a remark
ListenPort = 51820
FwMark = 0xCA6C
Address = 10.0.0.1/24, fd00::1/64
Address = 10.1.0.1
DNS = 10.0.0.53, fd00::53, home.example
DNS = lan
MTU = 1400
Table = 1234
PreUp = echo a, b = c
PostUp = iptables -A FORWARD -i %i -j ACCEPT
PostUp = second
PreDown = third
PostDown = fourth
SaveConfig = false

[Peer]
PublicKey = ${PEER_A}
PresharedKey = ${PSK}
AllowedIPs = 10.0.0.2/32, 10.2.3.4/16
AllowedIPs = fd00::2/128, 10.0.0.2
Endpoint = [2001:db8::1]:51820
PersistentKeepalive = 25

[Peer]
PublicKey = ${PEER_B}
AllowedIPs =
Endpoint = vpn.example.net:443
PersistentKeepalive = off
`);
    expect(problems).toEqual([]);
    const own = config!.interface;
    expect({ ...own, addresses: own.addresses.map(formatPrefix) }).toEqual({
      privateKey: keyFromBase64(PRIVATE),
      listenPort: 51820,
      addresses: ['10.0.0.1/24', 'fd00::1/64', '10.1.0.1/32'],
      mtu: 1400,
      dnsServers: [parseAddress('10.0.0.53'), parseAddress('fd00::53')],
      dnsSearch: ['home.example', 'lan'],
      table: 1234,
      fwMark: 0xca6c,
      preUp: ['echo a, b = c'],
      postUp: ['iptables -A FORWARD -i %i -j ACCEPT', 'second'],
      preDown: ['third'],
      postDown: ['fourth'],
    });
    expect(config!.peers.map((peer) => ({ ...peer, allowedIps: peer.allowedIps.map(formatPrefix) }))).toEqual(
      [
        {
          line: 19,
          publicKey: keyFromBase64(PEER_A),
          presharedKey: keyFromBase64(PSK),
          allowedIps: ['10.0.0.2/32', '10.2.0.0/16', 'fd00::2/128'],
          endpoint: { kind: 'address', record: endpointRecord(parseAddress('2001:db8::1')!, 51820, 0) },
          persistentKeepalive: 25,
        },
        {
          line: 27,
          publicKey: keyFromBase64(PEER_B),
          presharedKey: undefined,
          allowedIps: [],
          endpoint: { kind: 'name', host: 'vpn.example.net', port: 443 },
          persistentKeepalive: 0,
        },
      ],
    );
  });

  it('has the defaults of wg-quick', () => {
    const { config, problems } = read(`${INTERFACE}${PEER}`);
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      interface: {
        listenPort: undefined,
        mtu: undefined,
        table: 'auto',
        fwMark: 0,
        dnsServers: [],
        preUp: [],
      },
      peers: [{ presharedKey: undefined, endpoint: undefined, persistentKeepalive: 0 }],
    });
  });

  it.each([
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
    ['CR alone', (text: string) => text.replaceAll('\n', '\r')],
    ['a byte order mark', (text: string) => `\ufeff${text}`],
    [
      'capitals',
      (text: string) => text.replace(/^(\w+) =/gm, (key) => key.toUpperCase()).replace('[Peer]', '[PEER]'),
    ],
    ['small letters', (text: string) => text.replace(/^(\w+) =/gm, (key) => key.toLowerCase())],
    ['tabs and spaces', (text: string) => text.replaceAll(' = ', '\t =  \t').replaceAll('\n', ' \t\n\t ')],
    ['no spaces', (text: string) => text.replaceAll(' = ', '=')],
    ['comments everywhere', (text: string) => text.replaceAll('\n', '# [Peer] = x\n#\n')],
    ['no last end of line', (text: string) => text.slice(0, -1)],
  ])('does not mind %s', (_name, change) => {
    const plain = read(`${INTERFACE}${PEER}`);
    const changed = read(change(`${INTERFACE}${PEER}`));
    expect(changed.problems).toEqual([]);
    expect(changed.config!.interface).toEqual(plain.config!.interface);
    expect({ ...changed.config!.peers[0], line: 0 }).toEqual({ ...plain.config!.peers[0], line: 0 });
  });

  it.each([
    ['Table = off', { table: 'off' }],
    ['Table = AUTO', { table: 'auto' }],
    ['Table = main', { table: 254 }],
    ['Table =', { table: 'auto' }],
    ['FwMark = off', { fwMark: 0 }],
    ['FwMark = 4294967295', { fwMark: 0xffffffff }],
    ['ListenPort = 0', { listenPort: 0 }],
    ['MTU = 65455', { mtu: 65455 }],
    ['MTU = 576', { mtu: 576 }],
    ['MTU =', { mtu: undefined }],
    ['DNS =', { dnsServers: [], dnsSearch: [] }],
    ['DNS = 9.9.9.9 lan', { dnsServers: [Uint8Array.of(9, 9, 9, 9)], dnsSearch: ['lan'] }],
    ['PostUp =', { postUp: [] }],
  ])('accepts %s', (line, expected) => {
    const { config, problems } = read(`${INTERFACE}${line}\n`);
    expect(problems).toEqual([]);
    expect(config!.interface).toMatchObject(expected);
  });

  it('takes a preshared key of zeros for none', () => {
    const { config, problems } = read(
      `${INTERFACE}${PEER}PresharedKey = ${keyToBase64(new Uint8Array(32))}\n`,
    );
    expect(problems).toEqual([]);
    expect(config!.peers[0].presharedKey).toBeUndefined();
  });

  it('finds an interface by the name in an endpoint', () => {
    const text = `${INTERFACE}${PEER}Endpoint = [fe80::1%eth7]:51820\n`;
    const found = parseWgQuick(text, { zoneIndex: (name) => (name === 'eth7' ? 9 : undefined) });
    expect(found.config!.peers[0].endpoint).toEqual({
      kind: 'address',
      record: endpointRecord(parseAddress('fe80::1')!, 51820, 9),
    });
    expect(parseWgQuick(text).problems).toMatchObject([
      { severity: 'error', key: 'Endpoint', line: 7, column: 12 },
    ]);
  });

  it('takes an endpoint inside of its own AllowedIPs', () => {
    expect(read(`${INTERFACE}${PEER}Endpoint = 10.0.0.2:51820\n`).problems).toEqual([]);
  });

  it('reads ten thousand peers', () => {
    const peers = Array.from({ length: 10_000 }, (_, i) => {
      const key = new Uint8Array(32).fill(7);
      key.set([i >>> 8, i & 0xff]);
      return `[Peer]\nPublicKey = ${keyToBase64(key)}\nAllowedIPs = 10.${i >>> 8}.${i & 0xff}.1/32\n`;
    });
    const { config, problems } = read(INTERFACE + peers.join(''));
    expect(problems).toEqual([]);
    expect(config!.peers.length).toBe(10_000);
  });
});
