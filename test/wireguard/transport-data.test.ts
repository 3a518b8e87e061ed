/** Data messages (paper, section 5.4.6), byte for byte against the slow twin. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batch } from '../../src/packet/batch.js';
import { ENDPOINT_BYTES } from '../../src/packet/endpoint.js';
import { paddedLength } from '../../src/wireguard/transport-data.js';
import { Session } from './reference/session.js';
import {
  A_TO_B,
  B_TO_A,
  endpointOf,
  ipv4Packet,
  pair,
  portablePrimitives,
  Seed,
  type VirtualNode,
  type World,
} from './virtual/world.js';

function established(options = {}): { world: World; a: VirtualNode; b: VirtualNode } {
  const { world, a, b } = pair(1, options);
  a.send(A_TO_B());
  world.exchange();
  b.send(B_TO_A());
  world.exchange();
  a.delivered.length = b.delivered.length = 0;
  return { world, a, b };
}

/** The slow twin of a node's current session, which goes on where the node stands. */
function twinOf(node: VirtualNode): Session {
  const keypair = node.peer.keypairs.current!;
  const twin = new Session({
    sendKey: keypair.sendKey.slice(),
    receiveKey: keypair.receiveKey.slice(),
    localIndex: keypair.localIndex,
    remoteIndex: keypair.remoteIndex,
  });
  twin.sendCounter = BigInt(keypair.sendLow);
  return twin;
}

/** An IPv4 packet of exactly so many bytes in all, its payload not zero. */
function packetOf(length: number): Uint8Array {
  return B_TO_A(new Uint8Array(length - 20).map((_, i) => (i % 255) + 1));
}

const zeros = (count: number): Uint8Array => new Uint8Array(count);
const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

describe.each([
  ['the host’s primitives', {}],
  ['the portable primitives', { primitives: portablePrimitives(new Seed(1)) }],
])('a data message by %s', (_name, options) => {
  it('has the bytes of the slow twin, for packets of many lengths', () => {
    const { b } = established(options);
    const twin = twinOf(b);
    for (const length of [20, 21, 31, 32, 33, 47, 48, 100, 1279, 1280, 1404, 1405, 1419, 1420]) {
      const packet = packetOf(length);
      b.send(packet);
      const [message] = b.take();
      const padding = Math.min(Math.ceil(length / 16) * 16, 1420) - length;
      expect(message.bytes, `${length} bytes`).toEqual(twin.seal(joined(packet, zeros(padding))));
    }
  });

  it('is opened whatever its padding: none, the usual, or more', () => {
    const { a, b } = established(options);
    const twin = twinOf(b);
    for (const length of [20, 33, 1420]) {
      for (const padding of [0, 1, (16 - (length % 16)) % 16, 64]) {
        a.receive({
          bytes: twin.seal(joined(packetOf(length), zeros(padding))),
          from: b.address,
          to: a.address,
          at: 0,
        });
        expect(a.delivered.pop(), `${length} + ${padding}`).toEqual(packetOf(length));
      }
    }
  });

  it('is a keepalive when it is empty, and that is counted, not delivered', () => {
    const { a, b } = established(options);
    a.receive({ bytes: twinOf(b).seal(), from: b.address, to: a.address, at: 0 });
    expect([a.delivered, a.device.counters.keepalivesReceived]).toEqual([[], 1]);
  });
});

describe('padding', () => {
  it.each([
    [0, 1420, 0],
    [1, 1420, 16],
    [16, 1420, 16],
    [17, 1420, 32],
    [1408, 1420, 1408],
    [1409, 1420, 1420],
    [1420, 1420, 1420],
    [1421, 1420, 1420 + 16],
    [2840, 1420, 2840],
    [2841, 1420, 2840 + 16],
    [100, 0, 112],
    [1280, 1280, 1280],
    [5, 9, 9],
  ])('makes %i bytes under an MTU of %i to %i', (length, mtu, padded) => {
    expect(paddedLength(length, mtu)).toBe(padded);
  });

  it('never shortens, never adds 16, never makes a packet pass the MTU', () => {
    fc.assert(
      fc.property(fc.nat(70_000), fc.nat(9_000), (length, mtu) => {
        const padded = paddedLength(length, mtu);
        expect(padded - length).toBeGreaterThanOrEqual(0);
        expect(padded - length).toBeLessThan(16);
        if (length <= mtu) expect(padded).toBeLessThanOrEqual(mtu);
        if (padded % 16 !== 0 && mtu > 0)
          expect(length % mtu === 0 || padded % mtu === 0 || length > mtu).toBe(true);
      }),
    );
  });
});

describe('a batch', () => {
  /** Fills unused bytes so that a write outside an entry shows. */
  const MARK = 0xa5;

  it('is sealed in place: what goes through goes on, the rest is left out, and nothing else is touched', () => {
    const { world, a, b } = established();
    const batch = new Batch(1500, 64);
    batch.bytes.fill(MARK);
    const packets = Array.from({ length: 64 }, (_, i) =>
      i % 3 === 2 ? ipv4Packet([10, 0, 0, 1], [10, 9, 9, 9], i) : A_TO_B(i * 20),
    );
    for (const packet of packets) batch.push(packet, 0, packet.length);
    a.device.seal(batch);
    for (let i = 0; i < 64; i++) {
      const start = batch.offset[i];
      const end = start + batch.length[i];
      const slot = batch.bytes.subarray(i * batch.slotSize, (i + 1) * batch.slotSize);
      if (i % 3 === 2) {
        expect(batch.length[i]).toBe(0);
        continue;
      }
      const outside = [
        ...slot.subarray(0, start - i * batch.slotSize),
        ...slot.subarray(end - i * batch.slotSize),
      ];
      expect(
        outside.every((byte) => byte === MARK),
        `entry ${i}`,
      ).toBe(true);
      expect(batch.endpoints.slice(i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES)).toEqual(b.address);
    }
    expect(a.device.counters.noRoute).toBe(21);

    // And is opened as a batch, spoiled entries apart.
    for (let i = 0; i < 64; i++) {
      batch.endpoints.set(a.address, i * ENDPOINT_BYTES);
      if (i % 8 === 0 && batch.length[i] > 0) batch.bytes[batch.offset[i] + 20] ^= 1;
    }
    const spoiled = packets.filter((_, i) => i % 8 === 0 && i % 3 !== 2).length;
    b.device.open(batch);
    const opened: Uint8Array[] = [];
    for (let i = 0; i < 64; i++) {
      if (batch.length[i] > 0)
        opened.push(batch.bytes.slice(batch.offset[i], batch.offset[i] + batch.length[i]));
    }
    expect(opened).toEqual(packets.filter((_, i) => i % 3 !== 2 && i % 8 !== 0));
    expect(b.device.counters.badTag).toBe(spoiled);
    expect(world.exchange()).toEqual([]);
  });

  it('takes a packet that fills its slot, and refuses one with no room for header or tag', () => {
    const { a } = established();
    const batch = new Batch(1420, 2);
    for (const [from, length, fits] of [
      [32, 1420, true],
      [32, 1452, false],
      [15, 100, false],
      [16, 100, true],
    ] as const) {
      batch.clear();
      const i = batch.claim(100);
      batch.offset[i] = from;
      batch.length[i] = length;
      batch.bytes.set(A_TO_B(0), from);
      const { tooLarge } = a.device.counters;
      a.device.seal(batch);
      expect([batch.length[0] > 0, a.device.counters.tooLarge - tooLarge], `${length} at ${from}`).toEqual([
        fits,
        fits ? 0 : 1,
      ]);
    }
  });

  it('of anything at all is opened without writing outside its entries', () => {
    const { a } = established();
    const index = a.peer.keypairs.current!.localIndex;
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (datagrams) => {
        const batch = new Batch(256, 8);
        batch.bytes.fill(MARK);
        for (const bytes of datagrams) {
          if (bytes.length > 8) {
            bytes.set([1 + (bytes[0] % 4), 0, 0, 0]);
            new DataView(bytes.buffer).setUint32(4, index, true);
          }
          batch.push(bytes, 0, bytes.length);
        }
        const lengths = batch.length.slice();
        batch.endpoints.fill(0);
        a.device.open(batch);
        for (let i = 0; i < 8; i++) {
          const slot = batch.bytes.subarray(i * batch.slotSize, (i + 1) * batch.slotSize);
          const length = i < datagrams.length ? lengths[i] : 0;
          expect(slot.subarray(0, 32).every((byte) => byte === MARK)).toBe(true);
          expect(slot.subarray(32 + length).every((byte) => byte === MARK)).toBe(true);
          expect(batch.length[i] === 0 || i >= datagrams.length).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('what cannot be sent', () => {
  it('is counted with its reason', () => {
    const { a } = established();
    a.send(ipv4Packet([10, 0, 0, 1], [10, 9, 9, 9], 8));
    a.send(new Uint8Array([0x45]));
    a.send(new Uint8Array([0x60, 1, 2, 3]));
    a.send(new Uint8Array([0x00, 1, 2, 3]));
    expect(a.device.counters.noRoute).toBe(4);
    a.peer.setEndpoint(new Uint8Array(ENDPOINT_BYTES), 0);
    a.send(A_TO_B());
    expect(a.device.counters.noEndpoint).toBe(1);
    expect(a.take()).toEqual([]);
    a.peer.setEndpoint(endpointOf(192, 0, 2, 2, 51820), 0);
    a.send(A_TO_B());
    expect(a.take().length).toBe(1);
  });
});
