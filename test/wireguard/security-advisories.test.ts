/** The published advisories that concern a tunnel, each as an attack on ours. The name of each test says where it happened. */
import { describe, expect, it, vi } from 'vitest';
import * as constantTime from '../../src/crypto/constant-time.js';
import { ATTACKER, established, from, initiations, overload, sealedBy, v6 } from './attacks.js';
import { withMacs } from './reference/cookie.js';
import { counterOf, DATA, ofType } from './virtual/messages.js';
import { A_TO_B, B_TO_A, ipv6Packet, pair, Seed } from './virtual/world.js';

vi.mock('../../src/crypto/constant-time.js', async (original) => {
  const real = await original<typeof constantTime>();
  return { ...real, equal: vi.fn(real.equal), equalAt: vi.fn(real.equalAt), isZero: vi.fn(real.isZero) };
});

describe('published advisories', () => {
  it('boringtun 0.7.1, 32-bit nonce counter: the packet after 2^32 - 1 has another nonce than the first', () => {
    const { world, a, b } = established();
    const keypair = a.peer.keypairs.current!;
    const nonces = new Set<bigint>();
    const bodies = new Set<string>();
    const jumps: [number, number][] = [
      [0, 1],
      [0xffff_ffff, 0],
      [0, 1],
      [0xffff_ffff, 0x7fff_ffff],
    ];
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
