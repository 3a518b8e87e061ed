/** The portable path is the readable twin: both are given the same traffic under the same keys and counters. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KeySlots } from '../../host/gateway/offload/key-slots.js';
import { Kernel, RUN_BYTES } from '../../host/gateway/wasm/kernel.js';
import { Seeded } from '../crypto/seeded.js';
import { A_TO_B, endpointOf, pair, type VirtualNode } from '../wireguard/virtual/world.js';
import { kernelFile, makeKernel } from './built-kernel.js';
import { FastReceiver, FastSender, merge } from './fast-end.js';
import { GSO, superFrame, TCP_FLAG, tcpFields, tcpPacket, udpPacket, vnetFrame } from './frames.js';
import { segmentFrame } from './segment-twin.js';

const INNER = {
  4: { a: Uint8Array.of(10, 0, 0, 1), b: Uint8Array.of(10, 0, 0, 2) },
  6: { a: new Uint8Array(16).fill(0xfd), b: new Uint8Array(16).fill(0xfe) },
};

function universe(seed: number, fast: boolean) {
  const kernel = makeKernel();
  const both = pair(seed, fast ? { keypairs: new KeySlots(kernel) } : {});
  both.a.device.allowedIps.insert(INNER[6].b, 128, both.a.peer);
  both.b.device.allowedIps.insert(INNER[6].a, 128, both.b.peer);
  return { ...both, kernel };
}

/** With a session between them. */
function established(seed: number, fast: boolean) {
  const made = universe(seed, fast);
  made.a.send(A_TO_B());
  made.world.exchange();
  made.b.delivered.length = 0;
  return made;
}

/** A frame of a's TUN: TCP with segmentation offload, or one packet. */
function randomFrame(random: Seeded, payload = random.pick([0, 1, 40, 700, 1300, 9000, 60_000])): Uint8Array {
  const version = random.pick([4, 6] as const);
  const fields = tcpFields(random, version);
  fields.source = INNER[version].a;
  fields.destination = INNER[version].b;
  fields.payload = random.bytes(payload);
  fields.flags = TCP_FLAG.ack | random.pick([0, TCP_FLAG.psh, TCP_FLAG.fin]);
  const transport = version === 4 ? 20 : 40;
  const size = random.pick([536, 1220, 1420 - transport - 20 - fields.options.length]);
  if (random.below(4) === 0) {
    fields.payload = fields.payload.subarray(0, 1300);
    return vnetFrame({}, random.pick([tcpPacket, udpPacket])(fields));
  }
  return superFrame(tcpPacket(fields), transport, 6, size, version === 4 ? GSO.tcp4 : GSO.tcp6);
}

function packetsOf(frame: Uint8Array): Uint8Array[] {
  const cut = segmentFrame(frame);
  if ('refused' in cut) throw new Error(cut.refused);
  return cut.packets;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

function portableSend(node: VirtualNode, frame: Uint8Array): Uint8Array[] {
  for (const packet of packetsOf(frame)) node.send(packet);
  return node.take().map((datagram) => datagram.bytes);
}

describe('sending', () => {
  it('gives the same datagrams, byte for byte', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const portable = established(seed, false);
      const fast = established(seed, true);
      const sender = new FastSender(fast.kernel, fast.a);
      const random = new Seeded(seed);
      for (let i = 0; i < 20; i++) {
        const frame = randomFrame(random);
        expect(sender.frame(frame).map(hex), `seed ${seed}, frame ${i}`).toEqual(
          portableSend(portable.a, frame).map(hex),
        );
      }
      expect(fast.a.peer.txBytes).toBe(portable.a.peer.txBytes);
      expect(fast.a.device.nextDeadline()).toBe(portable.a.device.nextDeadline());
    }
  });

  it('makes runs that one send can carry', () => {
    const { a, kernel } = established(1, true);
    const sender = new FastSender(kernel, a);
    const fields = { ...tcpFields(new Seeded(1), 4), source: INNER[4].a, destination: INNER[4].b };
    for (const size of [100, 536, 1380]) {
      const packet = tcpPacket({ ...fields, options: new Uint8Array(0), payload: new Uint8Array(65_000) });
      sender.frame(superFrame(packet, 20, 6, size, GSO.tcp4));
      expect(sender.datagrams.length).toBe(Math.ceil(65_000 / size));
      for (const run of sender.runs)
        expect(run * (((size + 40 + 15) & ~15) + 32)).toBeLessThanOrEqual(RUN_BYTES + 64);
      expect(Math.max(...sender.runs)).toBeLessThanOrEqual(64);
    }
  });

  it('lets packets wait for a session, in the same order', () => {
    const portable = universe(3, false);
    const fast = universe(3, true);
    const sender = new FastSender(fast.kernel, fast.a);
    const random = new Seeded(3);
    for (let i = 0; i < 6; i++) {
      const frame = randomFrame(random, 5000);
      for (const packet of packetsOf(frame)) portable.a.send(packet);
      expect(sender.frame(frame)).toEqual([]);
    }
    portable.world.exchange();
    fast.world.exchange();
    expect(fast.b.delivered.length).toBeGreaterThan(6);
    expect(fast.b.delivered.map(hex)).toEqual(portable.b.delivered.map(hex));
  });

  it('counts what has no peer, and what is no packet', () => {
    const { a, kernel } = established(1, true);
    const sender = new FastSender(kernel, a);
    const fields = {
      ...tcpFields(new Seeded(1), 4),
      source: INNER[4].a,
      destination: Uint8Array.of(9, 9, 9, 9),
    };
    expect(sender.frame(vnetFrame({}, tcpPacket(fields)))).toEqual([]);
    expect(a.device.counters.noRoute).toBe(1);
    expect(sender.frame(new Uint8Array(60))).toEqual([]);
    expect(sender.counters.badFrames).toBe(1);
  });

  it('uses no counter twice, and none at all past the last', () => {
    const { a, kernel } = established(1, true);
    const sender = new FastSender(kernel, a);
    const { current } = a.peer.keypairs;
    if (!current) throw new Error('no session');
    current.sendHigh = 1;
    current.sendLow = 0xffff_fffe;
    const payload = new Uint8Array(4000);
    const fields = { ...tcpFields(new Seeded(1), 4), source: INNER[4].a, destination: INNER[4].b, payload };
    const frame = superFrame(tcpPacket(fields), 20, 6, 1000, GSO.tcp4);
    const counters = sender.frame(frame).map((d) => Buffer.from(d).readBigUInt64LE(8));
    expect(counters).toEqual([0x1_ffff_fffen, 0x1_ffff_ffffn, 0x2_0000_0000n, 0x2_0000_0001n]);
    current.sendHigh = 0xffff_ffff;
    current.sendLow = 0xffff_dffd;
    expect(sender.frame(frame)).toEqual([]);
  });
});

/** A random stretch of a's datagrams with what a network does to them. */
function hostileTraffic(random: Seeded, datagrams: readonly Uint8Array[]): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (const datagram of datagrams) {
    switch (random.below(30)) {
      case 0:
        out.push(datagram, datagram);
        break;
      case 1: {
        const flipped = Uint8Array.from(datagram);
        flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
        out.push(flipped);
        break;
      }
      case 2:
        out.push(random.bytes(1 + random.below(1600)), datagram);
        break;
      case 3:
        out.push(datagram.subarray(0, 1 + random.below(datagram.length - 1)));
        break;
      case 4:
        break;
      default:
        out.push(datagram);
    }
  }
  return out;
}

describe('receiving', () => {
  it.each([false, true])(
    'delivers the same packets and keeps the same counters (merged buffers: %s)',
    (merged) => {
      for (let seed = 1; seed <= 25; seed++) {
        const portable = established(seed, false);
        const fast = established(seed, true);
        const receiver = new FastReceiver(fast.kernel, fast.b);
        const random = new Seeded(500 + seed);
        const clean = Array.from({ length: 12 }, () => portableSend(portable.a, randomFrame(random))).flat();
        const datagrams = hostileTraffic(random, clean);
        for (const bytes of datagrams) {
          portable.b.receive({ bytes, from: portable.a.address, to: portable.b.address, at: 0 });
        }
        const buffers = merged ? merge(datagrams) : datagrams.map((one) => [one]);
        for (const buffer of buffers) {
          receiver.buffer(buffer, fast.a.address);
          if (random.below(3) === 0) receiver.flush();
        }
        receiver.flush();
        expect(receiver.packets.map(digest).sort(), `seed ${seed}`).toEqual(
          portable.b.delivered.map(digest).sort(),
        );
        expect(receiver.counters.packetsDelivered).toBe(portable.b.delivered.length);
        expect(fast.b.peer.rxBytes).toBe(portable.b.peer.rxBytes);
        expect(fast.b.device.nextDeadline()).toBe(portable.b.device.nextDeadline());
        if (!merged) expect(fast.b.device.counters).toEqual(portable.b.device.counters);
        else expect(receiver.counters.coalescedBuffers).toBeGreaterThan(0);
      }
    },
  );

  it('writes a stream as super-packets', () => {
    const { a, b, kernel } = established(7, true);
    const receiver = new FastReceiver(kernel, b);
    const random = new Seeded(7);
    const fields = { ...tcpFields(random, 4), source: INNER[4].a, destination: INNER[4].b };
    fields.payload = random.bytes(40_000);
    const frame = superFrame(tcpPacket(fields), 20, 6, 1300, GSO.tcp4);
    receiver.buffer(portableSend(a, frame), a.address);
    receiver.flush();
    expect(receiver.frames.length).toBe(1);
    expect(receiver.packets.map(hex)).toEqual(packetsOf(frame).map(hex));
  });

  it('follows the endpoint of authentic new messages only', () => {
    const { a, b, kernel } = established(7, true);
    const receiver = new FastReceiver(kernel, b);
    const elsewhere = endpointOf(203, 0, 113, 9, 1000);
    const [first, second] = [1, 2].map((n) => portableSend(a, vnetFrame({}, A_TO_B(n * 100)))[0]!);
    receiver.buffer([first!], a.address);
    receiver.buffer([first!], elsewhere);
    const forged = Uint8Array.from(second!);
    forged[40]! ^= 1;
    receiver.buffer([forged], elsewhere);
    expect(b.peer.endpoint).toEqual(a.address);
    expect([b.device.counters.replayed, b.device.counters.badTag]).toEqual([1, 1]);
    receiver.buffer([second!], elsewhere);
    expect(b.peer.endpoint).toEqual(elsewhere);
  });

  it('drops packets whose source is not their sender’s, also in the middle of good ones', () => {
    const { a, b, kernel } = established(7, true);
    const receiver = new FastReceiver(kernel, b);
    const good = A_TO_B(64);
    const spoofed = Uint8Array.from(good);
    spoofed[15] = 77;
    const datagrams = [good, spoofed, good].flatMap((packet) => portableSend(a, vnetFrame({}, packet)));
    receiver.buffer(datagrams, a.address);
    receiver.flush();
    expect(receiver.packets.map(hex)).toEqual([good, good].map(hex));
    expect(b.device.counters.wrongSource).toBe(1);
  });

  it('gives handshake messages to the device, one by one, also from a merged buffer', () => {
    const { a, b, kernel } = universe(7, true);
    const receiver = new FastReceiver(kernel, b);
    a.peer.initiate(false);
    const [initiation] = a.take();
    const flood = Array.from({ length: 20 }, () => initiation!.bytes);
    receiver.buffer(flood, a.address);
    b.settle();
    expect(b.take().map((d) => d.bytes[0])).toEqual([2]);
    expect(b.device.counters.replayedInitiations).toBe(19);
  });

  it('confirms a new pair and sends what waited for it', () => {
    const { a, b, kernel } = universe(7, true);
    const receiver = new FastReceiver(kernel, b);
    a.peer.initiate(false);
    receiver.buffer([a.take()[0]!.bytes], a.address);
    b.settle();
    b.send(A_TO_B(9));
    const [response] = b.take();
    a.receive(response!);
    expect(b.peer.reason).toBe('awaiting-first-packet');
    receiver.buffer([a.take()[0]!.bytes], a.address);
    expect(b.peer.reason).toBe('confirmed');
    expect(b.device.counters.keepalivesReceived).toBe(1);
  });
});

describe('a key pair that found no slot in the kernel', () => {
  it('is served by the portable path, with the same bytes', () => {
    const portable = established(9, false);
    const fast = established(9, false);
    const sender = new FastSender(fast.kernel, fast.a);
    const receiver = new FastReceiver(fast.kernel, fast.b);
    const random = new Seeded(9);
    for (let i = 0; i < 20; i++) {
      const frame = randomFrame(random);
      const expected = portableSend(portable.a, frame);
      const sent = sender.frame(frame);
      expect(sent.map(hex)).toEqual(expected.map(hex));
      for (const bytes of expected) {
        portable.b.receive({ bytes, from: portable.a.address, to: portable.b.address, at: 0 });
      }
      for (const buffer of merge(sent)) receiver.buffer(buffer, fast.a.address);
    }
    receiver.flush();
    expect(receiver.packets.map(digest)).toEqual(portable.b.delivered.map(digest));
    expect(fast.b.peer.rxBytes).toBe(portable.b.peer.rxBytes);
    expect(fast.b.device.counters).toEqual(portable.b.device.counters);
  });

  it('is how it ends when the table is full; a slot is erased and free again when its pair is', () => {
    const kernel = new Kernel(kernelFile, 1280);
    const key = new Uint8Array(32).fill(7);
    const slots: number[] = [];
    for (let slot = kernel.takeSlot(key, key, 1); slot >= 0; slot = kernel.takeSlot(key, key, 1))
      slots.push(slot);
    expect(slots.length).toBeGreaterThan(50_000);
    expect(new Set(slots).size).toBe(slots.length);
    kernel.releaseSlot(slots[30_000]!);
    const memory = new Uint8Array(kernel.memory.buffer);
    const other = new Uint8Array(32).fill(8);
    expect(kernel.takeSlot(other, other, 1)).toBe(slots[30_000]);
    for (const slot of slots) kernel.releaseSlot(slot);
    expect(Buffer.from(memory.buffer).includes(Buffer.from(key))).toBe(false);
  });
});

describe('a merged buffer with forged datagrams in it', () => {
  const SIZE = 1200;
  /** A fresh receiver and `count` datagrams of `SIZE` bytes for it; one buffer of good ones first when `warm`. */
  function scene(count: number, warm: boolean) {
    const { a, b, kernel } = established(21, true);
    const receiver = new FastReceiver(kernel, b);
    const packet = A_TO_B(SIZE - 32 - 20);
    const make = (n: number): Uint8Array[] =>
      Array.from({ length: n }, () => portableSend(a, vnetFrame({}, packet))).flat();
    if (warm) receiver.buffer(make(3), a.address);
    receiver.flush();
    receiver.frames.length = 0;
    const good = make(count);
    expect(good.every((one) => one.length === SIZE)).toBe(true);
    return { a, b, receiver, good };
  }

  /** What somebody who sees the traffic, but has no key, may put between: always of the merged length. */
  const forgeries: [name: string, forge: (good: Uint8Array) => Uint8Array][] = [
    ['noise', () => new Seeded(5).bytes(SIZE)],
    ['zeros', () => new Uint8Array(SIZE)],
    ['a message with a wrong tag', (good) => good.map((byte, i) => (i === SIZE - 1 ? byte ^ 1 : byte))],
    ['another receiver index', (good) => good.map((byte, i) => (i === 5 ? byte ^ 1 : byte))],
    ['beginnings of messages everywhere', (good) => good.map((byte, i) => (i < 32 ? byte : good[i % 32]!))],
    ['one false beginning', (good) => good.map((byte, i) => (i >= 400 && i < 416 ? good[i - 400]! : byte))],
    ['an initiation’s type', (good) => good.map((byte, i) => (i === 0 ? 1 : byte))],
  ];

  describe.each([true, false])('(a length known from before: %s)', (warm) => {
    it.each(forgeries)('%s in any place costs only itself', (_name, forge) => {
      for (const place of [0, 1, 2, 7, 11]) {
        const { a, receiver, good } = scene(12, warm);
        receiver.buffer(
          good.map((one, i) => (i === place ? forge(one) : one)),
          a.address,
        );
        receiver.flush();
        expect(receiver.packets.length, `place ${place}`).toBe(11);
      }
    });

    it('several of them cost only themselves', () => {
      for (const places of [
        [0, 1],
        [1, 3, 5, 7],
        [0, 4, 5, 6, 11],
      ]) {
        const { a, receiver, good } = scene(12, warm);
        const forge = forgeries[0]![1];
        receiver.buffer(
          good.map((one, i) => (places.includes(i) ? forge(one) : one)),
          a.address,
        );
        receiver.flush();
        expect(receiver.packets.length, places.join(' ')).toBe(12 - places.length);
      }
    });

    it('a shorter end without a beginning costs only itself', () => {
      for (const length of [1, 3, 17, 100, 1199]) {
        for (const count of [1, 2, 5]) {
          const { a, receiver, good } = scene(count, warm);
          receiver.buffer([...good, new Uint8Array(length).fill(0xee)], a.address);
          receiver.flush();
          expect(receiver.packets.length, `${count} and ${length} bytes`).toBe(count);
        }
      }
    });
  });

  it.each([
    ['a multiple', 1104, [552, 552, 552, 552, 552]],
    ['a part', 192, [576, 192]],
    ['a part', 288, [576, 576, 288]],
  ])('keeps everything and its order when the length before was %s of its own', (_name, before, lengths) => {
    const { a, b, kernel } = established(22, true);
    const receiver = new FastReceiver(kernel, b);
    const made = (length: number, mark: number): Uint8Array => {
      const packet = A_TO_B(length - 32 - 20);
      packet[20] = mark;
      return portableSend(a, vnetFrame({}, packet))[0]!;
    };
    receiver.buffer(
      [0, 0, 0].map((mark) => made(before, mark)),
      a.address,
    );
    receiver.flush();
    receiver.frames.length = 0;
    receiver.buffer(
      lengths.map((length, i) => made(length, i)),
      a.address,
    );
    receiver.flush();
    expect(receiver.packets.map((packet) => packet[20])).toEqual(lengths.map((_, i) => i));
  });

  it('made of nothing else is dropped whole', () => {
    const { a, b, receiver, good } = scene(50, true);
    const [, forge] = forgeries[4]!;
    const before = b.peer.rxBytes;
    receiver.buffer(good.map(forge), a.address);
    receiver.flush();
    expect(receiver.packets.length).toBe(0);
    expect(receiver.counters.strideUnknown).toBe(1);
    expect(b.peer.rxBytes).toBe(before);
    // And the true ones are still welcome.
    receiver.buffer(good, a.address);
    receiver.flush();
    expect(receiver.packets.length).toBe(50);
  });

  it('ends with every length that UDP can bring, without a crash', () => {
    const { a, receiver, good } = scene(1, false);
    const random = new Seeded(77);
    for (const length of [0, 1, 3, 4, 15, 31, 32, 33, 63, 64, 65, 91, 92, 147, 148, 149, 65_507, 65_535]) {
      for (const type of [0, 1, 2, 3, 4, 5]) {
        const bytes = random.bytes(length);
        bytes.set(good[0]!.subarray(0, Math.min(16, length)));
        if (length > 0) bytes[0] = type;
        receiver.buffer([bytes], a.address);
      }
    }
    receiver.flush();
    expect(receiver.packets.length).toBe(0);
    receiver.buffer(good, a.address);
    receiver.flush();
    expect(receiver.packets.length).toBe(1);
  });
});
