import { describe, expect, it } from 'vitest';
import type { PeerConfig, TunnelConfig } from '../../src/config/tunnel-config.js';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { applyConfig } from '../../src/gateway/apply-config.js';
import { formatPrefix } from '../../src/packet/address.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import { A_TO_B, endpointOf, pair, privateKeyOf } from '../wireguard/virtual/world.js';

const NONE = new Map<PeerConfig, Uint8Array>();

function read(privateKey: Uint8Array, peers: string): TunnelConfig {
  const text = `[Interface]\nPrivateKey = ${keyToBase64(privateKey)}\nAddress = 10.0.0.1/24\n${peers}`;
  const { config, problems } = parseWgQuick(text);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

const section = (key: Uint8Array, lines: string) => `[Peer]\nPublicKey = ${keyToBase64(key)}\n${lines}\n`;
const STRANGER = new Uint8Array(32).fill(9);

/** Gateway `a`, configured by text, with a session to `b`. */
function established() {
  const { world, a, b } = pair();
  const ownKey = privateKeyOf(a.name);
  const apply = (peers: string, before?: TunnelConfig, key = ownKey) => {
    const config = read(key, peers);
    applyConfig(a.device, config, before, NONE);
    return config;
  };
  const lines = `AllowedIPs = ${a.device.allowedIps.entries(a.peer).map(formatPrefix).join(', ')}\nEndpoint = ${formatEndpoint(b.address, 0)}`;
  const config = apply(section(b.publicKey, lines));
  a.send(A_TO_B(10));
  world.exchange();
  expect(a.peer.state).toBe('established');
  return { world, a, b, apply, lines, config };
}

const initiations = (device: { counters: { initiationsSent: number } }) => device.counters.initiationsSent;

describe('applyConfig', () => {
  it('leaves the session of an unchanged peer alone', () => {
    const { world, a, b, apply, lines, config } = established();
    const before = [initiations(a.device), a.peer.keypairs.current];
    apply(section(b.publicKey, lines), config);
    apply(section(b.publicKey, lines) + section(STRANGER, 'AllowedIPs = 10.9.0.0/16'), config);
    expect([initiations(a.device), a.peer.keypairs.current]).toEqual(before);
    a.send(A_TO_B(20));
    world.exchange();
    expect(b.delivered.at(-1)).toEqual(A_TO_B(20));
  });

  it('removes peers that are gone and adds those that are new', () => {
    const { a, apply, config } = established();
    apply(section(STRANGER, 'AllowedIPs = 10.9.0.0/16\nPersistentKeepalive = 25'), config);
    expect(Array.from(a.device.peers(), (peer) => peer.publicKey)).toEqual([STRANGER]);
    expect(a.peer.persistentKeepalive).toBe(25);
  });

  it('moves a prefix between peers without disturbing either', () => {
    const { a, b, apply, lines, config } = established();
    const current = a.peer.keypairs.current;
    const first = apply(
      section(b.publicKey, `${lines}, 10.8.0.0/16`.replace(/\n(.*)(, .*)$/, '$2\n$1')) +
        section(STRANGER, ''),
      config,
    );
    const [ours, stranger] = a.device.peers();
    expect(a.device.allowedIps.entries(ours).map(formatPrefix)).toContain('10.8.0.0/16');
    apply(section(b.publicKey, lines) + section(STRANGER, 'AllowedIPs = 10.8.0.0/16'), first);
    expect(a.device.allowedIps.entries(ours).map(formatPrefix)).not.toContain('10.8.0.0/16');
    expect(a.device.allowedIps.entries(stranger).map(formatPrefix)).toEqual(['10.8.0.0/16']);
    expect(a.peer.keypairs.current).toBe(current);
  });

  it('lets a peer stay where it has roamed to, unless the file names another endpoint', () => {
    const { a, b, apply, lines, config } = established();
    const roamed = endpointOf(198, 51, 100, 7, 4242);
    a.peer.setEndpoint(roamed, 0);
    const same = apply(section(b.publicKey, lines), config);
    expect(formatEndpoint(a.peer.endpoint, 0)).toBe('198.51.100.7:4242');
    apply(section(b.publicKey, lines.replace(/Endpoint = .*/, 'Endpoint = 203.0.113.1:5')), same);
    expect(formatEndpoint(a.peer.endpoint, 0)).toBe('203.0.113.1:5');
  });

  it('takes the address that a name was resolved to', () => {
    const { a, apply, b } = established();
    const config = read(privateKeyOf(a.name), section(b.publicKey, 'Endpoint = gateway.example:51820'));
    applyConfig(a.device, config, undefined, new Map([[config.peers[0], endpointOf(192, 0, 2, 9, 51820)]]));
    expect(formatEndpoint(a.peer.endpoint, 0)).toBe('192.0.2.9:51820');
    expect(a.peer.endpointName).toEqual({ host: 'gateway.example', port: 51820 });
    apply(section(b.publicKey, 'Endpoint = 192.0.2.9:51820'), config);
    expect(a.peer.endpointName).toBeUndefined();
  });

  it('ends sessions when the private key is another, and only then', () => {
    const { a, b, apply, lines, config } = established();
    apply(section(b.publicKey, lines), config, privateKeyOf('somebody else'));
    expect(a.peer.state).not.toBe('established');
  });

  it('sets and removes a preshared key', () => {
    const { a, b, apply, lines, config } = established();
    const psk = new Uint8Array(32).fill(5);
    const withKey = apply(section(b.publicKey, `${lines}\nPresharedKey = ${keyToBase64(psk)}`), config);
    expect(a.peer.presharedKey).toEqual(psk);
    apply(section(b.publicKey, lines), withKey);
    expect(a.peer.presharedKey).toBeUndefined();
  });
});
