/**
 * Mistakes that other implementations made, each as an attack on ours: the defects known of WireGuard on small boards,
 * and the published advisories that concern a tunnel. The name of each test says where it happened.
 */
import { describe, expect, it, vi } from 'vitest';
import * as constantTime from '../../src/crypto/constant-time.js';
import { Batch } from '../../src/packet/batch.js';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import { LIMITS } from '../../src/wireguard/limits.js';
import lowOrder from '../crypto/vectors/low-order.json' with { type: 'json' };
import { openCookieReply, withMacs } from './reference/cookie.js';
import { fromHex, type KeyPair, keyPair } from './reference/identity.js';
import { Initiation, ReceivedInitiation } from './reference/noise.js';
import { tai64n } from './reference/tai64n.js';
import {
  COOKIE_REPLY,
  counterOf,
  DATA,
  gapsOf,
  INITIATION,
  keepalives,
  ofType,
  RESPONSE,
  typeOf,
} from './virtual/messages.js';
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
  Seed,
  VirtualClock,
  type VirtualNode,
  World,
} from './virtual/world.js';

vi.mock('../../src/crypto/constant-time.js', async (original) => {
  const real = await original<typeof constantTime>();
  return { ...real, equal: vi.fn(real.equal), equalAt: vi.fn(real.equalAt), isZero: vi.fn(real.isZero) };
});

const ATTACKER = endpointOf(203, 0, 113, 66, 6666);
const A_KEYS: KeyPair = keyPair(privateKeyOf('a'));

function established(seed = 1): { world: World; a: VirtualNode; b: VirtualNode } {
  const { world, a, b } = pair(seed);
  a.send(A_TO_B());
  world.exchange();
  b.send(B_TO_A());
  world.exchange();
  a.delivered.length = 0;
  b.delivered.length = 0;
  return { world, a, b };
}

/** Initiations of `a`, made by the slow twin, each a second later than the one before. */
function initiations(b: VirtualNode, count: number, from = 1): Initiation[] {
  return Array.from(
    { length: count },
    (_, i) =>
      new Initiation({
        static: A_KEYS,
        responderPublicKey: b.publicKey,
        timestamp: tai64n(BigInt(from + i) * 1_000_000_000n),
      }),
  );
}

function from(source: Uint8Array, to: VirtualNode, bytes: Uint8Array): Datagram {
  return { bytes, from: source, to: to.address, at: to.world.clock.monotonic() };
}

/** Fills a device's handshake queue faster than it can work. */
function overload(node: VirtualNode, count = 200): void {
  const junk = new Uint8Array(148);
  junk[0] = 1;
  for (let i = 0; i < count; i++) node.device.queueHandshake(junk, 0, junk.length, ATTACKER, 0);
}

const v6 = (last: number): Uint8Array => new Uint8Array([0xfd, ...Array(14).fill(0), last]);

describe('defects known of WireGuard on small boards', () => {
  it('row 1: the inner source, not the destination, must be the peer’s (IPv4)', () => {
    const { world, a, b } = established();
    const spoofed = [[10, 0, 0, 9], [10, 0, 0, 1], [192, 0, 2, 2], [0, 0, 0, 0], [127, 0, 0, 1]]; // biome-ignore format: a list
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

describe('published advisories', () => {
  it('boringtun 0.7.1, 32-bit nonce counter: the packet after 2^32 - 1 has another nonce than the first', () => {
    const { world, a, b } = established();
    const keypair = a.peer.keypairs.current!;
    const nonces = new Set<bigint>();
    const bodies = new Set<string>();
    const jumps: [number, number][] = [[0, 1], [0xffff_ffff, 0], [0, 1], [0xffff_ffff, 0x7fff_ffff]]; // biome-ignore format: a list
    keypair.sendLow = 1;
    for (const [low, high] of jumps) {
      if (BigInt(high) * 2n ** 32n + BigInt(low) > BigInt(keypair.sendHigh) * 2n ** 32n) {
        keypair.sendLow = low;
        keypair.sendHigh = high;
      }
      for (let i = 0; i < 3; i++) {
        a.send(A_TO_B());
        for (const datagram of ofType(world.exchange(), DATA, a)) {
          expect(nonces.has(counterOf(datagram))).toBe(false);
          nonces.add(counterOf(datagram));
          bodies.add(Buffer.from(datagram.bytes.slice(16)).toString('hex'));
        }
      }
    }
    expect(bodies.size).toBe(nonces.size);
    expect(nonces.size).toBe(12);
    expect(b.delivered.length).toBeGreaterThan(0);
  });

  it('TS-2025-003, comparison that takes time: macs are compared in constant time', () => {
    const equal = vi.mocked(constantTime.equal);
    const { a, b } = pair();
    a.send(A_TO_B());
    const [initiation] = a.take();
    for (const at of [116, 131]) {
      equal.mockClear();
      const bytes = initiation.bytes.slice();
      bytes[at] ^= 1;
      b.receive({ ...initiation, bytes });
      expect(equal.mock.calls.map(([x, y]) => [x.length, y.length])).toEqual([[16, 16]]);
    }
    overload(b);
    b.settle();
    equal.mockClear();
    b.receive(initiation);
    b.receive(initiation);
    // Once there is a cookie secret: mac1, then mac2.
    expect(equal.mock.calls.length).toBe(3);
  });

  it('TS-2025-003: and that comparison looks at every byte, however early the difference', () => {
    for (let at = 0; at < 16; at++) {
      let reads = 0;
      const counted = new Proxy(new Uint8Array(16), {
        get: (target, key) => {
          if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
          return Reflect.get(target, key, target) as unknown;
        },
      });
      const other = new Uint8Array(16);
      other[at] = 1;
      expect(constantTime.equal(counted, other)).toBe(false);
      expect(reads).toBe(16);
    }
  });

  it('coturn CVE-2026-27624, IPv4 in IPv6 clothes: a mapped address is not the IPv4 address', () => {
    const { world, a, b } = established();
    const mapped = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2]);
    b.device.allowedIps.insert(new Uint8Array(16), 0, b.peer);
    b.send(ipv6Packet(mapped, v6(1), 8));
    world.exchange();
    expect([a.delivered, a.device.counters.wrongSource]).toEqual([[], 1]);
  });

  it('Nebula #1840, headers that confuse the classifier: only what the packet’s own version says is read', () => {
    const { a, b } = established();
    const keypair = b.peer.keypairs.current!;
    const cases: [string, (packet: Uint8Array) => void][] = [
      ['no version', (p) => p.set([0x05])],
      ['version 5', (p) => p.set([0x55])],
      ['version 6 in an IPv4 packet', (p) => p.set([0x65])],
      ['a header of 16 bytes', (p) => p.set([0x44])],
      ['a length below the header', (p) => p.set([0, 19], 2)],
      ['a length of 0', (p) => p.set([0, 0], 2)],
      ['a length beyond the packet', (p) => p.set([0xff, 0xff], 2)],
    ];
    for (const [what, spoil] of cases) {
      const packet = B_TO_A(100);
      spoil(packet);
      a.receive(sealedBy(b, packet));
      expect(a.delivered, what).toEqual([]);
    }
    expect(a.device.counters.badPacket + a.device.counters.wrongSource).toBe(cases.length);
    a.receive(sealedBy(b, B_TO_A(100)));
    expect(a.delivered.length).toBe(1);
    expect(keypair.sendLow).toBeGreaterThan(cases.length);
  });

  it('NetBird, reflection: whoever is not authenticated gets nothing, or less than it sent', () => {
    const { a, b } = established();
    const seed = new Seed(66);
    overload(b);
    b.settle();
    b.take();
    const [valid] = initiations(b, 1, 2_000_000_000);
    for (let i = 0; i < 3_000; i++) {
      const length = [0, 1, 31, 32, 33, 64, 92, 147, 148, 149, 500, 1452][seed.below(12)];
      const bytes = new Uint8Array(length);
      seed.fill(bytes);
      if (length > 4 && seed.below(8) > 0) bytes.set([1 + seed.below(4), 0, 0, 0]);
      if (length === 148 && seed.below(3) === 0) bytes.set(valid.message.subarray(0, 100 + seed.below(32)));
      b.receive(from(ATTACKER, b, bytes));
      expect(b.take(), `message ${i}`).toEqual([]);
    }
    // With a valid mac1, which needs no more than our public key: one message, shorter than the question.
    for (const length of [92, 148]) {
      const body = new Uint8Array(length - 32);
      body[0] = length === 148 ? 1 : 2;
      b.receive(from(ATTACKER, b, withMacs(body, b.publicKey)));
      const answers = b.take();
      expect(answers.length).toBe(1);
      expect(answers[0].bytes.length).toBeLessThan(length);
    }
    expect(a.take()).toEqual([]);
  });
});

/** A message from `node` that says what it likes, past every check on sending. */
function sealedBy(node: VirtualNode, packet: Uint8Array): Datagram {
  const { world, device, peer } = node;
  const keypair = peer.keypairs.current!;
  expect(keypair.takeCounters(1)).toBe(true);
  const bytes = new Uint8Array(packet.length + 32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, keypair.remoteIndex, true);
  view.setUint32(8, keypair.takenLow, true);
  view.setUint32(12, keypair.takenHigh, true);
  bytes.set(packet, 16);
  const nothing = new Uint8Array(0);
  const { takenLow, takenHigh, sendKey } = keypair;
  world.primitives.aeadSeal(sendKey, takenLow, takenHigh, bytes, 16, packet.length, nothing);
  expect(device.counters.tooLarge).toBe(0);
  return { bytes, from: node.address, to: peer.endpoint.slice(), at: world.clock.monotonic() };
}

describe('silence', () => {
  const spoiled: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['a reserved byte set', (m) => m.with(1, 1)],
    ['another reserved byte set', (m) => m.with(3, 0x80)],
    ['type 0', (m) => m.with(0, 0)],
    ['type 5', (m) => m.with(0, 5)],
    ['one byte less', (m) => m.slice(0, -1)],
    ['one byte more', (m) => new Uint8Array([...m, 0])],
    ['nothing at all', () => new Uint8Array(0)],
    ['mac1 of one bit less', (m) => m.with(116, m[116] ^ 1)],
    [
      'a changed ephemeral key under a valid mac1',
      (m) => withMacs(m.slice(0, 116).with(9, m[9] ^ 1), B_PUBLIC),
    ],
    [
      'a changed static key under a valid mac1',
      (m) => withMacs(m.slice(0, 116).with(41, m[41] ^ 1), B_PUBLIC),
    ],
    [
      'a changed timestamp under a valid mac1',
      (m) => withMacs(m.slice(0, 116).with(90, m[90] ^ 1), B_PUBLIC),
    ],
  ];
  const B_PUBLIC = keyPair(privateKeyOf('b')).publicKey;

  it.each(spoiled)('meets an initiation with %s', (_what, spoil) => {
    const { world, b } = pair();
    const [good] = initiations(b, 1);
    b.receive(from(ATTACKER, b, spoil(good.message)));
    expect(b.take()).toEqual([]);
    expect(b.peer.endpoint).not.toEqual(ATTACKER);
    expect([b.device.indicesInUse, b.peer.rxBytes, b.peer.state]).toEqual([0, 0, 'idle']);
    world.clock.set(world.clock.monotonic() + 25);
    b.receive(from(ATTACKER, b, good.message));
    expect(b.take().map(typeOf)).toEqual([RESPONSE]);
  });

  it('meets strangers, old timestamps, and whoever speaks to a device without a key', () => {
    const { world, b } = pair();
    const stranger = keyPair(privateKeyOf('stranger'));
    const timestamp = tai64n(10n ** 9n);
    const foreign = new Initiation({ static: stranger, responderPublicKey: b.publicKey, timestamp });
    b.receive(from(ATTACKER, b, foreign.message));
    expect(b.take()).toEqual([]);
    const [older, same, newer] = initiations(b, 3);
    for (const [initiation, answers] of [
      [newer, 1],
      [newer, 0],
      [same, 0],
      [older, 0],
    ] as const) {
      // biome-ignore format: a table
      world.clock.set(world.clock.monotonic() + 1_000);
      b.receive(from(ATTACKER, b, initiation.message));
      expect(b.take().length).toBe(answers);
    }
    b.device.setPrivateKey(undefined);
    b.receive(
      from(ATTACKER, b, initiations(b.world.add({ name: 'b', address: ATTACKER }), 1, 99)[0].message),
    );
    expect(b.take()).toEqual([]);
  });

  it('meets data for nobody, and old data after the keys are gone', () => {
    const { world, a, b } = established();
    b.send(B_TO_A());
    const [data] = b.take();
    a.receive({ ...data, bytes: data.bytes.with(4, data.bytes[4] ^ 1), from: ATTACKER });
    expect(a.device.counters.unknownIndex).toBe(1);
    world.run(600_000);
    a.receive({ ...data, from: ATTACKER });
    expect([a.take(), a.device.counters.unknownIndex]).toEqual([[], 2]);
  });
});

describe('forgeries', () => {
  it('a forged response does not end a handshake that waits for the true one', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    const [initiation] = a.take();
    b.receive(initiation);
    const [response] = b.take();
    // Everything that the transcript covers; the indices are only under mac1, whose key is public.
    for (const at of [12, 43, 44, 59]) {
      const body = response.bytes.slice(0, 60);
      body[at] ^= 1;
      a.receive(from(ATTACKER, a, withMacs(body, a.publicKey)));
    }
    expect([a.device.counters.refusedResponses, a.peer.state]).toEqual([4, 'handshaking']);
    expect(a.peer.endpoint).toEqual(b.address);
    a.receive(response);
    world.exchange();
    expect(b.delivered).toEqual([A_TO_B()]);
  });

  it('a forged cookie reply is ignored, and so is a true one to another message', () => {
    const { world, a, b } = pair();
    a.send(A_TO_B());
    const [initiation] = a.take();
    const sender = new DataView(initiation.bytes.buffer).getUint32(4, true);
    const seed = new Seed(4);
    for (let i = 0; i < 50; i++) {
      const bytes = new Uint8Array(64);
      seed.fill(bytes);
      bytes.set([3, 0, 0, 0]);
      new DataView(bytes.buffer).setUint32(4, sender, true);
      a.receive(from(ATTACKER, a, bytes));
    }
    expect([a.device.counters.cookieRepliesReceived, a.peer.reason]).toEqual([0, 'awaiting-response']);
    const retry = ofType(world.run(6_000), INITIATION, a);
    expect(retry.every(({ bytes }) => bytes.slice(132).every((byte) => byte === 0))).toBe(true);
    overload(b);
    b.device.queueHandshake(initiation.bytes, 0, 148, a.address, 0);
    b.settle();
    for (const reply of b.take()) a.receive(reply);
    expect(a.device.counters.cookieRepliesReceived).toBe(0);
  });

  it.each(lowOrder.points)('a public key of low order is refused everywhere: $what', ({ u }) => {
    const point = fromHex(u);
    const zeros = new Uint8Array(32);
    const bogus: KeyPair = { privateKey: zeros, publicKey: point };
    const { world, a, b } = pair();

    // Configured as a peer.
    const peer = a.device.addPeer(point);
    peer.setEndpoint(ATTACKER, 0);
    a.device.allowedIps.insert(new Uint8Array([10, 9, 9, 9]), 32, peer);
    a.send(ipv4Packet([10, 0, 0, 1], [10, 9, 9, 9], 8));
    expect([world.run(10_000), peer.state, peer.reason]).toEqual([[], 'failed', 'invalid-public-key']);
    expect(a.device.indicesInUse).toBe(0);

    // As the ephemeral key of an initiation, the shared secret being known to all.
    const initiation = new Initiation({
      static: A_KEYS,
      responderPublicKey: b.publicKey,
      timestamp: tai64n(10n ** 18n),
      ephemeral: bogus,
      ephemeralSecret: zeros,
    });
    b.receive(from(ATTACKER, b, initiation.message));
    expect([b.take(), b.device.counters.refusedInitiations]).toEqual([[], 1]);

    // And of a response.
    a.send(A_TO_B());
    const received = ReceivedInitiation.read(a.take()[0].bytes, keyPair(privateKeyOf('b')))!;
    const { message } = received.respond({ ephemeral: bogus, ephemeralSecret: zeros });
    a.receive(from(b.address, a, message));
    expect([a.device.counters.refusedResponses, a.peer.state]).toEqual([1, 'handshaking']);
  });

  it('the same forged response with an honest key would be accepted: the test above is not vacuous', () => {
    const { a, b } = pair();
    a.send(A_TO_B());
    const received = ReceivedInitiation.read(a.take()[0].bytes, keyPair(privateKeyOf('b')))!;
    a.receive(from(b.address, a, received.respond().message));
    expect(a.peer.state).toBe('established');
  });
});

describe('secrets', () => {
  it('never reach the log', () => {
    const lines: string[] = [];
    const log = { write: (...all: unknown[]) => void lines.push(JSON.stringify(all)) };
    const secrets = new Set<string>();
    const note = (key: Uint8Array | undefined): void => {
      if (!key) return;
      const bytes = Buffer.from(key);
      secrets.add(bytes.toString('hex')).add(bytes.toString('base64')).add(bytes.toString('base64url'));
      secrets.add([...bytes].join(',')).add(bytes.subarray(0, 8).toString('hex'));
      secrets.add(bytes.subarray(0, 9).toString('base64'));
    };
    const psk = privateKeyOf('psk');
    const keypairs = {
      keypairInstalled: (pair: { sendKey: Uint8Array; receiveKey: Uint8Array }) => {
        note(pair.sendKey);
        note(pair.receiveKey);
      },
      keypairErased: () => {},
    };
    const { world, a, b } = pair(1, { log, keypairs });
    for (const node of [a, b]) {
      note(node.device.privateKey);
      node.peer.presharedKey = psk;
      node.peer.persistentKeepalive = 5;
    }
    note(psk);
    const staticShared = new Uint8Array(32);
    world.primitives.x25519(staticShared, a.device.privateKey!, b.publicKey);
    note(staticShared);
    a.send(A_TO_B());
    world.run(400_000);
    overload(b);
    world.run(2_000);
    world.passes = () => false;
    world.run(400_000);
    b.device.removeAllPeers();
    a.device.setPrivateKey(privateKeyOf('another'));
    note(a.device.privateKey);
    world.passes = () => true;
    world.run(10_000);
    a.address = ATTACKER;
    world.run(10_000);
    a.device.close();
    const events = new Set(lines.map((line) => JSON.parse(line)[1] as string));
    expect([...events]).toEqual(
      expect.arrayContaining(['session-established', 'under-load', 'handshake-unanswered']),
    );
    expect(secrets.size).toBeGreaterThan(30);
    for (const line of lines) for (const secret of secrets) expect(line.includes(secret)).toBe(false);
  });

  it('never reach an error’s text', () => {
    const { a } = pair();
    const key = privateKeyOf('secret');
    const attempts = [
      () => a.device.setPrivateKey(key.subarray(0, 31)),
      () => a.device.setPrivateKey(new Uint8Array([...key, 1])),
      () => a.device.addPeer(a.publicKey),
      () => a.device.allowedIps.insert(key, 3, a.peer),
    ];
    const hex = Buffer.from(key).toString('hex').slice(0, 12);
    const base64 = Buffer.from(key).toString('base64').slice(0, 10);
    for (const attempt of attempts) {
      let text = '';
      try {
        attempt();
      } catch (error) {
        text = `${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
      }
      expect(text).not.toBe('');
      expect(text).not.toContain(hex);
      expect(text).not.toContain(base64);
      expect(text).not.toContain([...key.subarray(0, 5)].join(','));
    }
  });
});

describe('endpoints', () => {
  it('follow the peer after an authenticated packet, also from IPv4 to IPv6', () => {
    const { world, a, b } = established();
    const v6Address = new Uint8Array(ENDPOINT_BYTES);
    writeEndpoint(v6Address, 0, v6(2), 7777);
    b.address = v6Address;
    b.send(B_TO_A(1));
    world.exchange();
    expect(a.peer.endpoint).toEqual(v6Address);
    a.send(A_TO_B(2));
    world.exchange();
    expect(b.delivered).toEqual([A_TO_B(2)]);
  });

  it('follow a keepalive and a new handshake as well', () => {
    const { world, a, b } = established();
    b.address = endpointOf(192, 0, 2, 2, 1111);
    b.peer.sendKeepalive();
    expect(keepalives(world.exchange(), b).length).toBe(1);
    expect(a.peer.endpoint).toEqual(b.address);
    world.run(10_000);
    b.address = endpointOf(192, 0, 2, 2, 2222);
    b.peer.initiate(false);
    expect(gapsOf(world.exchange()).length).toBeGreaterThan(0);
    expect(a.peer.endpoint).toEqual(b.address);
  });
});
