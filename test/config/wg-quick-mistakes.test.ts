/** Every mistake there is to make: its place, what is said of it, and the remedy. */

import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/config/problem.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { INTERFACE, OWN, PEER, PEER_A, PEER_B, PRIVATE, PSK, read } from './wg-quick-sample.js';

interface Broken {
  readonly what: string;
  readonly text: string;
  readonly expected: readonly string[];
  /** Only warnings: the configuration is still used. */
  readonly usable?: true;
}

const KEY_REMEDY = 'make one with "cloudbridge-gateway genkey" or paste it again, whole';
const PSK_REMEDY = 'make one with "cloudbridge-gateway genpsk" or paste it again, whole';
const PUBLIC_REMEDY = 'copy it from the peer, where "cloudbridge-gateway pubkey" or "wg show" tells it';
const MTU_REMEDY = 'leave the line out, or write 1420 for a path that carries 1500 bytes';
const PREFIX_REMEDY = 'write it as in 10.0.0.2/24 or fd00::2/64';
const LINE_REMEDY = 'put "#" before it if it is a remark';
const LINE_MESSAGE = 'the line is neither a section, as [Peer], nor a setting, as MTU = 1420';
const KEEPALIVE = 'the interval is neither "off" nor a number of seconds from 0 to 65535';
const KEEPALIVE_REMEDY = 'write 25 behind a NAT or firewall, otherwise leave the line out';
const KNOWN_IN_PEER = 'PublicKey, PresharedKey, AllowedIPs, Endpoint, PersistentKeepalive';
const TABLE = 'the table is neither "auto" nor "off" nor the number of a routing table';
const TABLE_REMEDY = 'leave the line out for "auto", or write "off" and set routes yourself';
const ENDPOINT_FORM = 'write 192.0.2.1:51820, [2001:db8::1]:51820 or vpn.example.net:51820';

const BROKEN: readonly Broken[] = [
  {
    what: 'an empty file',
    text: '',
    expected: ['f:1: error: [Interface]: the section is missing; write [Interface] with a PrivateKey'],
  },
  {
    what: 'only a peer',
    text: PEER,
    expected: ['f:1: error: [Interface]: the section is missing; write [Interface] with a PrivateKey'],
  },
  {
    what: 'no private key and no address',
    text: '[Interface]\n',
    expected: [
      'f:1: error: PrivateKey: the setting is missing; make one with "cloudbridge-gateway genkey"',
      'f:1: warning: Address: the interface has no address, so nothing on this host can use the tunnel; add a line as Address = 10.0.0.2/24',
    ],
  },
  {
    what: 'a private key that is too short',
    text: `[Interface]\nPrivateKey = ${PRIVATE.slice(1)}\nAddress = 10.0.0.1/24\n`,
    expected: [`f:2:14: error: PrivateKey: the key has 43 characters, a key has 44; ${KEY_REMEDY}`],
  },
  {
    what: 'a private key without a value',
    text: '[Interface]\nPrivateKey =\nAddress = 10.0.0.1/24\n',
    expected: [`f:2:13: error: PrivateKey: the key has 0 characters, a key has 44; ${KEY_REMEDY}`],
  },
  {
    what: 'a private key of zeros',
    text: `[Interface]\nPrivateKey = ${keyToBase64(new Uint8Array(32))}\nAddress = 10.0.0.1/24\n`,
    expected: [
      'f:2:14: error: PrivateKey: the key is all zero, which stands for no key; make one with "cloudbridge-gateway genkey"',
    ],
  },
  {
    what: 'a preshared key with a character of base64url',
    text: `${INTERFACE}${PEER}PresharedKey = -${PSK.slice(1)}\n`,
    expected: [`f:7:16: error: PresharedKey: the key has a character that is not of base64; ${PSK_REMEDY}`],
  },
  {
    what: 'a public key without its last character',
    text: `${INTERFACE}[Peer]\nPublicKey = ${PEER_A.slice(0, 43)}A\nAllowedIPs =\n`,
    expected: [`f:5:13: error: PublicKey: the key does not end in "="; ${PUBLIC_REMEDY}`],
  },
  {
    what: 'a public key that no 32 bytes give',
    text: `${INTERFACE}[Peer]\nPublicKey = ${'A'.repeat(42)}B=\nAllowedIPs =\n`,
    expected: [
      `f:5:13: error: PublicKey: the last character before "=" cannot stand there in the base64 of 32 bytes; ${PUBLIC_REMEDY}`,
    ],
  },
  {
    what: 'a peer without a key or addresses',
    text: `${INTERFACE}[Peer]\nEndpoint = 192.0.2.1:51820\n`,
    expected: [
      'f:4: error: PublicKey: the peer has no public key; add the key that "wg show" or "cloudbridge-gateway pubkey" tells at the peer',
      'f:4: warning: AllowedIPs: the peer has no addresses, so no packet goes to it and none from it is accepted; add a line as AllowedIPs = 10.0.0.3/32',
    ],
  },
  {
    what: 'the same peer twice',
    text: `${INTERFACE}${PEER}[Peer]\nPublicKey = ${PEER_A}\nAllowedIPs = 10.0.0.3/32\n`,
    expected: [
      'f:8:13: error: PublicKey: the same peer stands in line 5; put both sections into one, or correct the key',
    ],
  },
  {
    what: 'the gateway as its own peer',
    text: `${INTERFACE}[Peer]\nPublicKey = ${OWN}\nAllowedIPs = 10.0.0.3/32\n`,
    expected: [
      'f:5:13: error: PublicKey: this is the public key of the gateway itself; write the key of the other side',
    ],
  },
  {
    what: 'one prefix for two peers',
    text: `${INTERFACE}${PEER}[Peer]\nPublicKey = ${PEER_B}\nAllowedIPs = 10.9.0.0/16, 10.0.0.2\n`,
    expected: [
      'f:9:27: warning: AllowedIPs: 10.0.0.2/32 was given to the peer of line 4, in line 6; this one gets it; leave it with one of the two',
    ],
    usable: true,
  },
  {
    what: 'a misspelt setting',
    text: `${INTERFACE}LitsenPort = 51820\n`,
    expected: ['f:4:1: error: LitsenPort: this setting is not known; did you mean ListenPort?'],
  },
  {
    what: 'another misspelt setting',
    text: `${INTERFACE}${PEER}AllowedIP = 10.0.0.9/32\n`,
    expected: ['f:7:1: error: AllowedIP: this setting is not known; did you mean AllowedIPs?'],
  },
  {
    what: 'a setting nobody knows',
    text: `${INTERFACE}${PEER}Jitter = 3\n`,
    expected: [`f:7:1: error: this setting is not known; remove the line; known are ${KNOWN_IN_PEER}`],
  },
  {
    what: 'settings in the wrong sections',
    text: `${INTERFACE}AllowedIPs = 10.0.0.0/8\n${PEER}ListenPort = 51820\n`,
    expected: [
      'f:4:1: error: AllowedIPs: the setting does not belong into [Interface]; move it under [Peer]',
      'f:8:1: error: ListenPort: the setting does not belong into [Peer]; move it under [Interface]',
    ],
  },
  {
    what: 'a setting before any section',
    text: `Endpoint = 192.0.2.1:51820\n${INTERFACE}`,
    expected: [
      'f:1:1: error: Endpoint: the setting stands before any section; write [Peer] in a line above it',
    ],
  },
  {
    what: 'a misspelt section, said once',
    text: `${INTERFACE}[Peeer]\nPublicKey = ${PEER_A}\nWhatever = 1\n`,
    expected: ['f:4:2: error: the section is neither [Interface] nor [Peer]; did you mean Peer?'],
  },
  {
    what: 'a section that is not closed',
    text: `${INTERFACE}[Peer\n`,
    expected: [`f:4:1: error: ${LINE_MESSAGE}; ${LINE_REMEDY}`],
  },
  {
    what: 'two interfaces',
    text: `${INTERFACE}[interface]\nMTU = 1400\n`,
    expected: [
      'f:4:2: error: [Interface]: a second [Interface] section; the first is in line 1; put all of its settings under one',
    ],
  },
  {
    what: 'a line of prose',
    text: `${INTERFACE}  and so on\n`,
    expected: [`f:4:3: error: ${LINE_MESSAGE}; ${LINE_REMEDY}`],
  },
  {
    what: 'a setting given twice',
    text: `${INTERFACE}MTU = 1400\nMTU = 1420\n`,
    expected: [
      'f:5:1: warning: MTU: the setting was already given in line 4; this one counts; remove one of the two',
    ],
    usable: true,
  },
  {
    what: 'SaveConfig',
    text: `${INTERFACE}SaveConfig = true\n`,
    expected: [
      'f:4:14: warning: SaveConfig: the running configuration is not written back into the file here; remove the line, and keep changes made with "wg set" by "wg showconf"',
    ],
    usable: true,
  },
  {
    what: 'SaveConfig with another word',
    text: `${INTERFACE}SaveConfig = yes\n`,
    expected: [
      'f:4:14: error: SaveConfig: the value is neither "true" nor "false"; write "false" or leave the line out',
    ],
  },
  {
    what: 'addresses that are none',
    text: `[Interface]\nPrivateKey = ${PRIVATE}\nAddress = 10.0.0.256/24, 10.0.0.1/33, fd00::g/64, fd00::1/129, 10.0.0.7/24\n`,
    expected: [
      `f:3:11: error: Address: the IPv4 address is malformed; ${PREFIX_REMEDY}`,
      'f:3:26: error: Address: the prefix length is not a number of 0 to 32; write it as in 10.0.0.0/24',
      `f:3:39: error: Address: the IPv6 address is malformed; ${PREFIX_REMEDY}`,
      'f:3:51: error: Address: the prefix length is not a number of 0 to 128; write it as in fd00::/64',
    ],
  },
  {
    what: 'the same address twice',
    text: `${INTERFACE}Address = 10.0.0.1/32\n`,
    expected: ['f:4:11: error: Address: the same address stands in line 3; remove one of the two'],
  },
  {
    what: 'AllowedIPs with a comma too much',
    text: `${INTERFACE}[Peer]\nPublicKey = ${PEER_A}\nAllowedIPs = 10.0.0.0/8,, fd00::/64\n`,
    expected: ['f:6:25: error: AllowedIPs: an entry of the list is empty; remove the comma that is too much'],
  },
  {
    what: 'an MTU too small for IPv6',
    text: `${INTERFACE}MTU = 1279\nAddress = fd00::1/64\n`,
    expected: [
      'f:4:7: error: MTU: an MTU below 1280 does not go with the IPv6 address of line 5; write 1280 or more, or remove the IPv6 address',
    ],
  },
  {
    what: 'an MTU too large for any datagram',
    text: `${INTERFACE}MTU = 65456\n`,
    expected: [
      `f:4:7: error: MTU: the MTU is over 65455, the most that fits into a datagram with the tunnel's 80 bytes; ${MTU_REMEDY}`,
    ],
  },
  {
    what: 'an MTU that IP does not have',
    text: `${INTERFACE}MTU = 67\n`,
    expected: [`f:4:7: error: MTU: the MTU is below 68, the least that IP allows; ${MTU_REMEDY}`],
  },
  {
    what: 'an MTU that is no number',
    text: `${INTERFACE}MTU = big\n`,
    expected: [`f:4:7: error: MTU: the MTU is not a number; ${MTU_REMEDY}`],
  },
  {
    what: 'a port out of range',
    text: `${INTERFACE}ListenPort = 65536\n`,
    expected: [
      'f:4:14: error: ListenPort: the port is not a number of 0 to 65535; the usual port is 51820; 0 lets the system choose',
    ],
  },
  {
    what: 'a mark that is too long',
    text: `${INTERFACE}FwMark = 0x1ffffffff\n`,
    expected: [
      'f:4:10: error: FwMark: the mark is neither "off" nor a 32-bit number; write a number, decimal or hexadecimal as in 0xca6c, or "off"',
    ],
  },
  {
    what: 'tables that are none',
    text: `${INTERFACE}Table = constructor\n`,
    expected: [`f:4:9: error: Table: ${TABLE}; ${TABLE_REMEDY}`],
  },
  {
    what: 'a name server that is none',
    text: `${INTERFACE}DNS = 9.9.9.9, 9.9.9.999, fd00::z, no_problem, what?\n`,
    expected: [
      'f:4:16: error: DNS: the IPv4 address is malformed; write addresses of name servers and search domains, as in 10.0.0.1, home.example',
      'f:4:27: error: DNS: the IPv6 address is malformed; write addresses of name servers and search domains, as in 10.0.0.1, home.example',
      'f:4:48: error: DNS: the host name has a character that names cannot have; write addresses of name servers and search domains, as in 10.0.0.1, home.example',
    ],
  },
  {
    what: 'a keepalive out of range',
    text: `${INTERFACE}${PEER}PersistentKeepalive = 65536\n`,
    expected: [`f:7:23: error: PersistentKeepalive: ${KEEPALIVE}; ${KEEPALIVE_REMEDY}`],
  },
  {
    what: 'a negative keepalive',
    text: `${INTERFACE}${PEER}PersistentKeepalive = -1\n`,
    expected: [`f:7:23: error: PersistentKeepalive: ${KEEPALIVE}; ${KEEPALIVE_REMEDY}`],
  },
  {
    what: 'an endpoint without a port',
    text: `${INTERFACE}${PEER}Endpoint = vpn.example.net\n`,
    expected: [
      'f:7:12: error: Endpoint: the port is missing; write the port behind the name, usually :51820',
    ],
  },
  {
    what: 'an endpoint with port zero',
    text: `${INTERFACE}${PEER}Endpoint = 192.0.2.1:0\n`,
    expected: ['f:7:12: error: Endpoint: the port is not a number of 1 to 65535; the usual port is 51820'],
  },
  {
    what: 'an endpoint without a value',
    text: `${INTERFACE}${PEER}Endpoint =\n`,
    expected: [`f:7:11: error: Endpoint: the port is missing; ${ENDPOINT_FORM}`],
  },
  {
    what: 'a file in UTF-16',
    text: `[\0I\0n\0t\0`,
    expected: ['f:1: error: the file is not UTF-8 text; save it as UTF-8 text; some editors write UTF-16'],
  },
  {
    what: 'everything at once, in the order of lines',
    text: `MTU = 1\n[Interface]\nPrivateKey = no\nListenPort = x\n[Peer]\nPublicKey = no\nAllowedIPs = 1.2.3\nEndpoint = ::1\n`,
    expected: [
      'f:1:1: error: MTU: the setting stands before any section; write [Interface] in a line above it',
      'f:2: warning: Address: the interface has no address, so nothing on this host can use the tunnel; add a line as Address = 10.0.0.2/24',
      `f:3:14: error: PrivateKey: the key has 2 characters, a key has 44; ${KEY_REMEDY}`,
      'f:4:14: error: ListenPort: the port is not a number of 0 to 65535; the usual port is 51820; 0 lets the system choose',
      `f:6:13: error: PublicKey: the key has 2 characters, a key has 44; ${PUBLIC_REMEDY}`,
      `f:7:14: error: AllowedIPs: the IPv4 address is malformed; ${PREFIX_REMEDY}`,
      'f:8:12: error: Endpoint: the port is missing; write [::1]:51820',
    ],
  },
];

describe('a broken configuration', () => {
  it.each(BROKEN)('with $what', ({ text, expected, usable }) => {
    const { config, problems } = read(text);
    expect(problems.map((problem) => formatProblem(problem, 'f'))).toEqual(expected);
    expect(config !== undefined).toBe(usable === true);
  });
});
