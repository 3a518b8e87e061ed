import { describe, expect, it } from 'vitest';
import { AllowedIps } from '../../src/wireguard/allowedips.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { endpointOf, privateKeyOf, Seed, World } from './virtual/world.js';

/** The slow twin: every prefix in a list, compared bit by bit. */
class RouteList {
  routes: { address: Uint8Array; length: number; peer: Peer }[] = [];

  insert(address: Uint8Array, length: number, peer: Peer): void {
    const masked = maskedTo(address, length);
    this.routes = this.routes.filter((r) => r.length !== length || !same(r.address, masked));
    this.routes.push({ address: masked, length, peer });
  }

  remove(address: Uint8Array, length: number, peer: Peer): boolean {
    const masked = maskedTo(address, length);
    const before = this.routes.length;
    this.routes = this.routes.filter(
      (r) => r.length !== length || r.peer !== peer || !same(r.address, masked),
    );
    return this.routes.length < before;
  }

  lookup(address: Uint8Array): Peer | undefined {
    const matching = this.routes.filter(
      (r) => r.address.length === address.length && same(maskedTo(address, r.length), r.address),
    );
    return matching.sort((a, b) => b.length - a.length)[0]?.peer;
  }
}

function maskedTo(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - i * 8))));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

const text = (address: Uint8Array, length: number): string =>
  `${Buffer.from(address).toString('hex')}/${length}`;

function somePeers(count: number): Peer[] {
  const { device } = new World().add({ name: 'hub', address: endpointOf(192, 0, 2, 1, 51820) });
  return Array.from({ length: count }, (_, i) => device.addPeer(privateKeyOf(`peer ${i}`)));
}

const ip4 = (...bytes: number[]): Uint8Array => new Uint8Array(bytes);

describe('AllowedIPs', () => {
  it('agrees with a list of routes of both families, through moves and removals', () => {
    const peers = somePeers(12);
    for (let value = 1; value <= 10; value++) {
      const seed = new Seed(value);
      const table = new AllowedIps(peers);
      const list = new RouteList();
      // Few distinct bytes, so that prefixes nest and collide.
      const address = (): Uint8Array =>
        new Uint8Array(seed.below(2) === 0 ? 4 : 16).map(() => [0, 1, 128, 255][seed.below(4)]);
      for (let i = 0; i < 500; i++) {
        const message = `seed ${value}, try ${i}`;
        const at = address();
        const length = seed.below(at.length * 8 + 1);
        const peer = peers[seed.below(peers.length)];
        const kind = seed.below(10);
        if (kind < 6) {
          table.insert(at, length, peer);
          list.insert(at, length, peer);
        } else if (kind < 9) {
          const own = list.routes.find((route) => route.peer === peer);
          const [from, bits] = kind < 8 && own ? [own.address, own.length] : [at, length];
          expect(table.remove(from, bits, peer), message).toBe(list.remove(from, bits, peer));
        } else if (seed.below(6) === 0) {
          table.removePeer(peer);
          list.routes = list.routes.filter((route) => route.peer !== peer);
        }
        expect(table.size, message).toBe(list.routes.length);
        for (let look = 0; look < 3; look++) {
          const wanted = address();
          const found = wanted.length === 4 ? table.lookup4(wanted, 0) : table.lookup6(wanted, 0);
          expect(found?.id, `${message}, ${text(wanted, 0)}`).toBe(list.lookup(wanted)?.id);
        }
      }
      for (const peer of peers) {
        const own = list.routes.filter((route) => route.peer === peer);
        expect(
          table
            .entries(peer)
            .map((e) => text(e.address, e.prefixLength))
            .sort(),
        ).toEqual(own.map((route) => text(route.address, route.length)).sort());
      }
    }
  });

  it('masks host bits and says so when asked', () => {
    const [peer] = somePeers(1);
    const table = new AllowedIps([peer]);
    table.insert(ip4(10, 1, 2, 3), 20, peer);
    expect(table.entries(peer)).toEqual([{ address: ip4(10, 1, 0, 0), prefixLength: 20 }]);
    expect(table.remove(ip4(10, 1, 15, 255), 20, peer)).toBe(true);
    expect(table.size).toBe(0);
  });

  it('moves a prefix to the peer it is given to last', () => {
    const [a, b] = somePeers(2);
    const table = new AllowedIps([a, b]);
    table.insert(ip4(10, 0, 0, 0), 8, a);
    table.insert(ip4(10, 0, 0, 0), 8, b);
    expect(table.lookup4(ip4(10, 9, 9, 9), 0)).toBe(b);
    expect(table.entries(a)).toEqual([]);
    expect(table.remove(ip4(10, 0, 0, 0), 8, a)).toBe(false);
    expect(table.size).toBe(1);
  });

  it('keeps the families apart', () => {
    const [a, b] = somePeers(2);
    const table = new AllowedIps([a, b]);
    table.insert(new Uint8Array(4), 0, a);
    table.insert(new Uint8Array(16), 0, b);
    expect(table.lookup4(ip4(1, 2, 3, 4), 0)).toBe(a);
    expect(table.lookup6(new Uint8Array(16).fill(7), 0)).toBe(b);
  });

  it('reads the address at the offset given, and nothing else', () => {
    const [peer] = somePeers(1);
    const table = new AllowedIps([peer]);
    table.insert(ip4(10, 0, 0, 7), 32, peer);
    expect(table.lookup4(ip4(9, 9, 9, 10, 0, 0, 7, 9), 3)).toBe(peer);
    expect(table.lookup4(ip4(9, 9, 9, 10, 0, 0, 7, 9), 2)).toBe(undefined);
  });

  it.each([
    [ip4(10, 0, 0, 0), 33],
    [ip4(10, 0, 0, 0), -1],
    [ip4(10, 0, 0, 0), Number.NaN],
    [new Uint8Array(16), 129],
    [new Uint8Array(5), 8],
    [new Uint8Array(0), 0],
  ])('refuses %s/%s', (address, length) => {
    const [peer] = somePeers(1);
    const table = new AllowedIps([peer]);
    expect(() => table.insert(address, length, peer)).toThrow(RangeError);
    expect(table.size).toBe(0);
  });

  it('holds ten thousand peers with a prefix of each family, and loses exactly those that go', () => {
    const { device } = new World().add({ name: 'hub', address: endpointOf(192, 0, 2, 1, 51820) });
    const table = device.allowedIps;
    const peers: Peer[] = [];
    const v4 = (i: number): Uint8Array => ip4(10, i >> 16, i >> 8, i);
    const v6 = (i: number): Uint8Array => new Uint8Array([0xfd, ...Array(12).fill(0), i >> 16, i >> 8, i]);
    const count = 10_000;
    for (let i = 0; i < count; i++) {
      const key = new Uint8Array(32);
      new DataView(key.buffer).setUint32(0, i + 1);
      const peer = device.addPeer(key);
      peers.push(peer);
      table.insert(v4(i), 32, peer);
      table.insert(v6(i), 128, peer);
    }
    expect(device.peerCount).toBe(count);
    const wrong = peers.filter(
      (peer, i) => table.lookup4(v4(i), 0) !== peer || table.lookup6(v6(i), 0) !== peer,
    );
    expect(wrong).toEqual([]);
    for (let i = 0; i < count; i += 2) device.removePeer(peers[i]);
    expect(table.size).toBe(count);
    const strays = peers.filter((peer, i) => table.lookup4(v4(i), 0) !== (i % 2 === 0 ? undefined : peer));
    expect(strays).toEqual([]);
    device.removeAllPeers();
    expect([device.peerCount, table.size]).toEqual([0, 0]);
  });
});
