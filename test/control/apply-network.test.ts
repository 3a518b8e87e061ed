import { describe, expect, it } from 'vitest';
import type { NetworkPeer } from '../../src/control/network-state.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { NetworkApplier } from '../../src/gateway/apply-network.js';
import { pairOf } from '../../src/identity/keys.js';
import type { TunnelKeys } from '../../src/identity/rotation.js';
import { formatPrefix } from '../../src/packet/address.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import {
  A_TO_B,
  B_TO_A,
  endpointOf,
  nodePrimitives,
  privateKeyOf,
  World,
} from '../wireguard/virtual/world.js';

const keysOf = (name: string) => pairOf(nodePrimitives(), privateKeyOf(name));
const publicOf = (name: string): string => keyToBase64(keysOf(name).publicKey);
const only = (name: string): TunnelKeys => ({ using: keysOf(name), beside: undefined });

const entry = (id: string, last: number, extra: Partial<NetworkPeer> = {}): NetworkPeer => ({
  id,
  publicKey: publicOf(id),
  nextPublicKey: undefined,
  presharedKey: undefined,
  allowedIps: [`10.0.0.${last}/32`],
  endpoint: `192.0.2.${last}:51820`,
  keepalive: undefined,
  online: undefined,
  ...extra,
});

function twoGateways() {
  const world = new World(1);
  const a = world.add({ name: 'a', address: endpointOf(192, 0, 2, 1, 51820) });
  const b = world.add({ name: 'b', address: endpointOf(192, 0, 2, 2, 51820) });
  const atA = new NetworkApplier(a.device);
  const atB = new NetworkApplier(b.device);
  const applyA = (keys: TunnelKeys, peers: NetworkPeer[]) => atA.apply({ keys, peers, keepalive: 0 });
  const applyB = (keys: TunnelKeys, peers: NetworkPeer[]) => atB.apply({ keys, peers, keepalive: 0 });
  applyA(only('a'), [entry('b', 2)]);
  applyB(only('b'), [entry('a', 1)]);
  return { world, a, b, atA, atB, applyA, applyB };
}

describe('a network brought to a device', () => {
  it('changes nothing, and sends nothing, when applied again', () => {
    const { world, a, applyA, atA } = twoGateways();
    a.send(A_TO_B());
    world.exchange();
    const peer = atA.peer('b');
    const keypair = peer?.keypairs.current;
    expect(keypair).toBeDefined();
    for (let i = 0; i < 3; i++) applyA(only('a'), [entry('b', 2)]);
    expect(world.exchange()).toEqual([]);
    expect(atA.peer('b')).toBe(peer);
    expect(peer?.keypairs.current).toBe(keypair);
  });

  it('leaves a peer where it has roamed to, whatever the network names, while its session lives', () => {
    const { world, a, b, applyB, atB } = twoGateways();
    a.send(A_TO_B());
    world.exchange();
    a.address = endpointOf(203, 0, 113, 9, 1234);
    a.send(A_TO_B());
    world.exchange();
    applyB(only('b'), [entry('a', 1), entry('c', 3)]);
    expect(formatEndpoint(atB.peer('a')!.endpoint, 0)).toBe('203.0.113.9:1234');
    const where = () => formatEndpoint(atB.peer('a')!.endpoint, 0);
    // A lie: nobody answers there. The tunnel does not notice, the owner does.
    applyB(only('b'), [entry('a', 1, { endpoint: '198.51.100.1:1' }), entry('c', 3)]);
    for (let i = 0; i < 100; i++) {
      b.send(B_TO_A());
      a.send(A_TO_B());
      world.run(1_000);
      atB.review();
    }
    expect(a.delivered.length).toBe(100);
    expect(where()).toBe('203.0.113.9:1234');
    expect(atB.reason(atB.peer('a')!)).toContain('the control plane names 198.51.100.1:1');
    expect(b.device.peerCount).toBe(2);
    // The truth: the peer answers at the new place, and is followed there.
    a.address = endpointOf(192, 0, 2, 77, 7);
    applyB(only('b'), [entry('a', 1, { endpoint: '192.0.2.77:7' }), entry('c', 3)]);
    world.exchange();
    expect(where()).toBe('192.0.2.77:7');
    // The session is dead: what is said is all there is.
    a.address = endpointOf(192, 0, 2, 78, 8);
    b.send(B_TO_A());
    world.run(60_000);
    applyB(only('b'), [entry('a', 1, { endpoint: '192.0.2.78:8' }), entry('c', 3)]);
    atB.review();
    expect(where()).toBe('192.0.2.78:8');
    expect(atB.reason(atB.peer('a')!)).toBeUndefined();
  });

  it('moves a prefix, and removes a peer with its sessions', () => {
    const { a, applyA, atA } = twoGateways();
    applyA(only('a'), [entry('b', 2), entry('c', 3)]);
    applyA(only('a'), [entry('b', 2, { allowedIps: ['10.0.0.9/32'] }), entry('c', 2)]);
    const texts = (id: string) => a.device.allowedIps.entries(atA.peer(id)!).map(formatPrefix);
    expect(texts('b')).toEqual(['10.0.0.9/32']);
    expect(texts('c')).toEqual(['10.0.0.2/32']);
    applyA(only('a'), [entry('c', 2)]);
    expect(a.device.peerCount).toBe(1);
    applyA(only('a'), []);
    expect(a.device.peerCount).toBe(0);
  });

  it('keeps to the rest when the network says what cannot be: our own key as a peer', () => {
    const { a, applyA, atA } = twoGateways();
    applyA(only('a'), [entry('b', 2), entry('self', 5, { publicKey: publicOf('a') }), entry('c', 3)]);
    expect([...atA.peers()].map(([id]) => id)).toEqual(['b', 'c']);
    expect(a.device.peerCount).toBe(2);
  });

  it('carries a rotation through all of its steps without the loss of one packet', () => {
    const { world, a, b, applyA, applyB, atB } = twoGateways();
    let sent = 0;
    const traffic = (): void => {
      for (let i = 0; i < 400; i++) {
        a.send(A_TO_B());
        b.send(B_TO_A());
        sent++;
        world.run(500);
      }
      expect([a.delivered.length, b.delivered.length]).toEqual([sent, sent]);
    };
    const peers = [entry('b', 2)];
    const [old, fresh] = [keysOf('a'), keysOf('a2')];
    const next = publicOf('a2');
    traffic();
    const peer = atB.peer('a');
    applyA({ using: old, beside: fresh }, peers);
    traffic();
    applyB(only('b'), [entry('a', 1, { nextPublicKey: next })]);
    traffic();
    applyA({ using: fresh, beside: old }, peers);
    traffic();
    expect(peer?.usesNextKey).toBe(true);
    // Once back and forth again, as when no acknowledgement comes.
    applyA({ using: old, beside: fresh }, peers);
    traffic();
    applyA({ using: fresh, beside: old }, peers);
    traffic();
    applyB(only('b'), [entry('a', 1, { publicKey: next })]);
    traffic();
    applyA({ using: fresh, beside: undefined }, peers);
    traffic();
    expect(atB.peer('a')).toBe(peer);
    expect(keyToBase64(a.publicKey)).toBe(next);
    expect(b.device.peer(old.publicKey)).toBeUndefined();
  });
});
