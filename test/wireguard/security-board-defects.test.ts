/** The defects known of WireGuard on small boards, each as an attack on ours. The name of each test says which. */
import { describe, expect, it } from 'vitest';
import { Batch } from '../../src/packet/batch.js';
import { LIMITS } from '../../src/wireguard/limits.js';
import { A_KEYS, ATTACKER, established, from, initiations, overload, v6 } from './attacks.js';
import { openCookieReply, withMacs } from './reference/cookie.js';
import { keyPair } from './reference/identity.js';
import { Initiation } from './reference/noise.js';
import { tai64n } from './reference/tai64n.js';
import { COOKIE_REPLY, DATA, INITIATION, ofType, RESPONSE, typeOf } from './virtual/messages.js';
import {
  A_TO_B,
  B_TO_A,
  type Datagram,
  endpointOf,
  ipv4Packet,
  ipv6Packet,
  MemoryStore,
  pair,
  privateKeyOf,
  VirtualClock,
  World,
} from './virtual/world.js';

describe('defects known of WireGuard on small boards', () => {
  it('row 1: the inner source, not the destination, must be the peer’s (IPv4)', () => {
    const { world, a, b } = established();
    const spoofed = [
      [10, 0, 0, 9],
      [10, 0, 0, 1],
      [192, 0, 2, 2],
      [0, 0, 0, 0],
      [127, 0, 0, 1],
    ];
    for (const source of spoofed) b.send(ipv4Packet(source, [10, 0, 0, 1], 8));
    world.exchange();
    expect([a.delivered, a.device.counters.wrongSource]).toEqual([[], spoofed.length]);
    // A gateway forwards: the destination is for routing to decide.
    b.device.allowedIps.insert(new Uint8Array([198, 51, 100, 0]), 24, b.peer);
    b.send(ipv4Packet([10, 0, 0, 2], [198, 51, 100, 7], 8));
    world.exchange();
    expect(a.delivered.length).toBe(1);
  });

  it('row 1: another peer’s address is no better than a stranger’s', () => {
    const { world, a, b } = established();
    const other = a.device.addPeer(keyPair(privateKeyOf('other')).publicKey);
    a.device.allowedIps.insert(new Uint8Array([10, 0, 0, 3]), 32, other);
    b.send(ipv4Packet([10, 0, 0, 3], [10, 0, 0, 1], 8));
    world.exchange();
    expect([a.delivered, a.device.counters.wrongSource]).toEqual([[], 1]);
  });

  it('row 2: a replayed packet is neither delivered nor moves the endpoint', () => {
    const { a, b } = established();
    b.send(B_TO_A());
    const [datagram] = b.take();
    a.receive(datagram);
    expect(a.delivered.length).toBe(1);
    a.receive({ ...datagram, from: ATTACKER });
    expect([a.delivered.length, a.device.counters.replayed]).toEqual([1, 1]);
    expect(a.peer.endpoint).toEqual(b.address);
  });

  it('row 2: nor does one that fell out of the window, or whose tag is wrong', () => {
    const { a, b } = established();
    b.send(B_TO_A());
    const [old] = b.take();
    const keypair = b.peer.keypairs.current!;
    keypair.sendLow += 9_000;
    b.send(B_TO_A());
    a.receive(b.take()[0]);
    a.receive({ ...old, from: ATTACKER });
    b.send(B_TO_A());
    const [fresh] = b.take();
    for (let at = 8; at < fresh.bytes.length; at++) {
      const bytes = fresh.bytes.slice();
      bytes[at] ^= 0x10;
      a.receive({ ...fresh, bytes, from: ATTACKER });
    }
    expect([a.delivered.length, a.device.counters.replayed]).toEqual([1, 1]);
    expect(a.device.counters.badTag).toBe(fresh.bytes.length - 8);
    expect(a.peer.endpoint).toEqual(b.address);
    // The forged counters did not move the window.
    a.receive({ ...fresh, from: ATTACKER });
    expect(a.delivered.length).toBe(2);
    expect(a.peer.endpoint).toEqual(ATTACKER);
  });

  it('row 2: a replayed handshake does not move it either', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    const [initiation] = a.take();
    b.receive(initiation);
    const [response] = b.take();
    a.receive(response);
    world.exchange();
    world.run(60_000);
    b.receive({ ...initiation, from: ATTACKER });
    a.receive({ ...response, from: ATTACKER });
    expect([b.peer.endpoint, a.peer.endpoint]).toEqual([a.address, b.address]);
    expect([...b.take(), ...a.take()]).toEqual([]);
    expect([b.device.counters.replayedInitiations, a.device.counters.refusedResponses]).toEqual([1, 1]);
  });

  it('row 3: IPv6 inside is routed, trimmed and filtered as IPv4 is', () => {
    const { world, a, b } = established();
    a.device.allowedIps.insert(v6(2), 128, a.peer);
    b.device.allowedIps.insert(v6(1), 128, b.peer);
    for (const payload of [0, 1, 15, 16, 1200]) b.send(ipv6Packet(v6(2), v6(1), payload));
    world.exchange();
    expect(a.delivered).toEqual([0, 1, 15, 16, 1200].map((n) => ipv6Packet(v6(2), v6(1), n)));
    b.send(ipv6Packet(v6(9), v6(1), 8));
    b.send(ipv6Packet(v6(1), v6(1), 8));
    world.exchange();
    expect([a.delivered.length, a.device.counters.wrongSource]).toEqual([5, 2]);
  });

  it('row 4: under load only who proves its address is answered, at the responder', () => {
    const { world, a, b } = pair();
    overload(b);
    expect(b.device.underLoad).toBe(true);
    a.send(A_TO_B());
    const [first] = a.take();
    b.device.queueHandshake(first.bytes, 0, 148, first.from, 0);
    b.settle();
    const [cookie, ...more] = b.take();
    expect([typeOf(cookie), more]).toEqual([COOKIE_REPLY, []]);
    a.receive(cookie);
    expect(a.peer.reason).toBe('cookie-received');
    // Not sent again at once: the cookie is for the next try.
    expect(a.take()).toEqual([]);
    const retried: Datagram[] = [];
    for (let step = 0; step < 6_000 && b.delivered.length === 0; step += 500) {
      overload(b);
      retried.push(...world.run(500));
    }
    const second = ofType(retried, INITIATION, a);
    expect(second.length).toBe(1);
    expect(second[0].at - first.at).toBeGreaterThanOrEqual(5_000);
    expect(second[0].bytes.slice(132)).not.toEqual(new Uint8Array(16));
    expect(b.device.counters.cookieRepliesSent).toBe(1);
    expect(b.delivered).toEqual([A_TO_B()]);
  });

  it('row 4: under load the initiator, too, asks for a cookie and gets it', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    b.receive(a.take()[0]);
    overload(a);
    const [response] = b.take();
    a.device.queueHandshake(response.bytes, 0, 92, response.from, 0);
    a.settle();
    const [cookie] = a.take();
    expect(typeOf(cookie)).toBe(COOKIE_REPLY);
    b.receive(cookie);
    const retried: Datagram[] = [];
    for (let step = 0; step < 6_000; step += 500) {
      overload(a);
      retried.push(...world.run(500));
    }
    const [second] = ofType(retried, RESPONSE, b);
    expect(second.bytes.slice(76)).not.toEqual(new Uint8Array(16));
    expect(b.delivered).toEqual([A_TO_B()]);
  });

  it('row 4: load begins at 128 waiting messages and ends a second after there are fewer', () => {
    const { world, b } = pair();
    overload(b, 127);
    expect(b.device.underLoad).toBe(false);
    overload(b, 1);
    expect(b.device.underLoad).toBe(true);
    b.settle();
    world.clock.set(world.clock.monotonic() + 999);
    expect(b.device.underLoad).toBe(true);
    world.clock.set(world.clock.monotonic() + 1);
    expect(b.device.underLoad).toBe(false);
  });

  it('row 4: under load a source with a cookie has five at once and twenty a second', () => {
    const { world, b } = pair();
    overload(b);
    const [first] = initiations(b, 1);
    b.device.queueHandshake(first.message, 0, 148, ATTACKER, 0);
    b.settle();
    const cookie = openCookieReply(b.take()[0].bytes, first.message, b.publicKey)!;
    expect(cookie.length).toBe(16);
    // Not even initiations: valid macs are enough to be counted.
    let body = 0;
    const knock = (): void => {
      const bytes = new Uint8Array(116).fill(++body);
      bytes.set([1, 0, 0, 0]);
      b.device.queueHandshake(withMacs(bytes, b.publicKey, cookie), 0, 148, ATTACKER, 0);
      b.settle();
    };
    for (let i = 0; i < 50; i++) knock();
    expect([b.device.counters.refusedInitiations, b.device.counters.rateLimited]).toEqual([5, 45]);
    for (let i = 0; i < 90; i++) {
      world.clock.set(world.clock.monotonic() + 10);
      knock();
    }
    expect(b.device.counters.refusedInitiations).toBe(5 + 18);
    expect(b.take()).toEqual([]);
  });

  it('row 4: the queue of a flood is bounded, and data goes on', () => {
    const { world, a, b } = established();
    overload(b, 20_000);
    expect(b.device.counters.handshakeQueueFull).toBe(20_000 - LIMITS.handshakeQueue);
    a.send(A_TO_B(5));
    const batch = new Batch(2048, 1);
    const [datagram] = a.take();
    batch.push(datagram.bytes, 0, datagram.bytes.length);
    batch.endpoints.set(datagram.from);
    b.device.open(batch);
    expect(batch.length[0]).toBe(25);
    world.exchange();
  });

  it.each([
    ['when the clock is at zero', 0],
    ['when 31 bits of milliseconds are full', 2 ** 31],
    ['when 32 bits of milliseconds are full', 2 ** 32],
    ['after a year', 365 * 86_400_000],
  ])('row 5: one initiation of a peer in 20 ms is answered, %s', (_when, edge) => {
    const clock = new VirtualClock();
    let now = Math.max(0, edge - 15);
    clock.monotonic = () => now;
    const world = new World();
    const b = world.add({ name: 'b', address: endpointOf(192, 0, 2, 2, 51820), clock });
    b.device.addPeer(A_KEYS.publicKey);
    const [first, second, third, fourth] = initiations(b, 4);
    const tryAt = (at: number, { message }: Initiation): number => {
      now = Math.max(0, edge - 15) + at;
      b.receive(from(ATTACKER, b, message));
      return b.take().length;
    };
    expect([tryAt(0, first), tryAt(19, second), tryAt(20, third), tryAt(39, fourth)]).toEqual([1, 0, 1, 0]);
    expect(b.device.counters.floodedInitiations).toBe(2);
  });

  it('row 5: a flood of one peer’s initiations is answered fifty times a second, and others are not held up', () => {
    const { world, b } = pair();
    const other = keyPair(privateKeyOf('other'));
    b.device.addPeer(other.publicKey);
    let answered = 0;
    for (const { message } of initiations(b, 100)) {
      b.receive(from(ATTACKER, b, message));
      answered += b.take().length;
      world.clock.set(world.clock.monotonic() + 5);
    }
    expect(answered).toBe(25);
    const { message } = new Initiation({
      static: other,
      responderPublicKey: b.publicKey,
      timestamp: tai64n(1n),
    });
    b.receive(from(ATTACKER, b, message));
    expect(b.take().length).toBe(1);
  });

  it('row 6: tens of thousands of peers, each with many AllowedIPs, are the default', () => {
    expect(LIMITS.maxPeers).toBeGreaterThanOrEqual(65_536);
    const { world, a, b } = pair();
    for (let i = 0; i < 2_000; i++) {
      const key = new Uint8Array(32).fill(7);
      new DataView(key.buffer).setUint32(0, i);
      const peer = b.device.addPeer(key);
      for (let n = 0; n < 8; n++) {
        b.device.allowedIps.insert(new Uint8Array([172, 16 + (i >> 8), i, n * 32]), 27, peer);
      }
    }
    a.send(A_TO_B());
    world.exchange();
    expect([b.device.peerCount, b.device.allowedIps.size, b.delivered.length]).toEqual([2_001, 16_001, 1]);
  });

  it('row 6: what is too many is said, and changes nothing', () => {
    const world = new World();
    const { device } = world.add({ name: 'a', address: ATTACKER, limits: { maxPeers: 2 } });
    device.addPeer(new Uint8Array(32).fill(1));
    device.addPeer(new Uint8Array(32).fill(2));
    expect(() => device.addPeer(new Uint8Array(32).fill(3))).toThrow(/maxPeers/);
    expect(device.peerCount).toBe(2);
  });

  it('row 7: a board without a clock is understood after every boot, and its last boot’s messages are not', () => {
    const world = new World();
    const hub = world.add({ name: 'hub', address: endpointOf(192, 0, 2, 1, 51820) });
    const store = new MemoryStore();
    const address = endpointOf(192, 0, 2, 2, 51820);
    let recorded: Datagram | undefined;
    for (let boot = 0; boot < 50; boot++) {
      const clock = new VirtualClock();
      const bootedAt = world.clock.monotonic();
      clock.monotonic = () => world.clock.monotonic();
      clock.wall = () => world.clock.monotonic() - bootedAt; // 1970 again
      const board = world.add({ name: 'board', address, store, clock });
      if (boot === 0) hub.device.addPeer(board.publicKey);
      board.device.addPeer(hub.publicKey).setEndpoint(hub.address, 0);
      board.peer.initiate(false);
      const travelled = world.exchange();
      expect(travelled.map(typeOf), `boot ${boot}`).toEqual([INITIATION, RESPONSE, DATA]);
      if (recorded) {
        hub.receive({ ...recorded, from: ATTACKER });
        expect(hub.take()).toEqual([]);
      }
      recorded = travelled[0];
      world.nodes.pop();
      world.run(3_000);
    }
    expect(hub.device.counters.replayedInitiations).toBe(49);
  });
});
