import { describe, expect, it } from 'vitest';
import { Seeded } from '../crypto/seeded.js';
import { makeKernel } from './built-kernel.js';
import { coalesce } from './coalesce-twin.js';
import {
  GSO,
  join,
  readVnet,
  TCP_FLAG,
  type TcpFields,
  tcpFields,
  tcpPacket,
  udpPacket,
  VNET,
} from './frames.js';
import { segmentFrame } from './segment-twin.js';

const kernel = makeKernel();
const lane = kernel.lane(1);

/** By the kernel: the frames for TUN that these packets make in one batch. */
function byKernel(packets: readonly Uint8Array[]): Uint8Array[] {
  let at = lane.input + 16;
  for (const packet of packets) {
    kernel.bytes.set(packet, at);
    lane.call.deliver(at, packet.length);
    at += (packet.length + 32 + 15) & ~15;
  }
  const count = lane.call.finishDeliveries();
  const frames = Array.from({ length: count }, (_, i) => {
    const from = lane.deliveries[2 * i]!;
    return kernel.bytes.slice(from, from + lane.deliveries[2 * i + 1]!);
  });
  lane.call.clearDeliveries();
  return frames;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What the receiving stack sees in the end: the frames taken apart again. */
function packetsOf(frames: readonly Uint8Array[]): string[] {
  return frames.flatMap((frame) => {
    const cut = segmentFrame(frame);
    // A packet that was damaged passes as it is.
    return 'packets' in cut ? cut.packets.map(hex) : [hex(frame.subarray(VNET))];
  });
}

/** The next `count` segments of a connection. */
function stream(random: Seeded, fields: TcpFields, count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const packet = tcpPacket({ ...fields, payload: random.bytes(size) });
    fields.sequence = (fields.sequence + size) % 2 ** 32;
    fields.id = (fields.id + 1) & 0xffff;
    return packet;
  });
}

function plain(seed: number, version: 4 | 6): TcpFields {
  return { ...tcpFields(new Seeded(seed), version), options: new Uint8Array(12) };
}

describe('coalescing', () => {
  it.each([4, 6] as const)('makes one super-packet of a stream over IPv%i', (version) => {
    const random = new Seeded(1);
    const fields = plain(2, version);
    fields.sequence = 2 ** 32 - 3000;
    fields.id = 65533;
    const packets = stream(random, fields, 40, 1368);
    const frames = byKernel(packets);
    expect(frames.length).toBe(1);
    expect(readVnet(frames[0]!)).toEqual({
      flags: 1,
      type: version === 4 ? GSO.tcp4 : GSO.tcp6,
      headerLength: version === 4 ? 52 : 72,
      size: 1368,
      start: version === 4 ? 20 : 40,
      offset: 16,
    });
    expect(packetsOf(frames)).toEqual(packets.map(hex));
  });

  it('leaves a lone segment as it came, without any offload', () => {
    const packets = stream(new Seeded(1), plain(3, 4), 1, 1000);
    expect(byKernel(packets).map(hex)).toEqual([hex(join(new Uint8Array(VNET), packets[0]!))]);
  });

  it('ends a super-packet with a pushed or a shorter segment', () => {
    const random = new Seeded(5);
    const fields = plain(5, 4);
    const a = stream(random, fields, 3, 500);
    const shorter = stream(random, fields, 1, 400);
    const b = stream(random, fields, 2, 500);
    fields.flags |= TCP_FLAG.psh;
    const pushed = stream(random, fields, 1, 500);
    fields.flags = TCP_FLAG.ack;
    const c = stream(random, fields, 2, 500);
    const packets = [...a, ...shorter, ...b, ...pushed, ...c];
    const frames = byKernel(packets);
    expect(frames.length).toBe(3);
    expect(packetsOf(frames)).toEqual(packets.map(hex));
  });

  const differences: [name: string, change: (fields: TcpFields) => void][] = [
    ['a gap in the sequence', (f) => (f.sequence = (f.sequence + 1) % 2 ** 32)],
    ['an older sequence number', (f) => (f.sequence = (f.sequence + 2 ** 32 - 500) % 2 ** 32)],
    ['another acknowledgment', (f) => (f.acknowledgment ^= 1)],
    ['another window', (f) => (f.window ^= 1)],
    ['other options', (f) => (f.options = Uint8Array.from(f.options, (b) => b ^ 1))],
    ['longer options', (f) => (f.options = new Uint8Array(16))],
    ['an id that does not follow', (f) => (f.id = (f.id + 7) & 0xffff)],
    ['another time to live', (f) => (f.ttl ^= 1)],
    ['another traffic class (ECN mark)', (f) => (f.trafficClass ^= 3)],
    ['another Don’t Fragment bit', (f) => (f.fragment ^= 0x4000)],
    ['a fragment', (f) => (f.fragment = 0x2000)],
    ['a later fragment', (f) => (f.fragment = 0x0010)],
    ['IP options', (f) => (f.ipOptions = new Uint8Array(4).fill(1))],
    ['an urgent pointer', (f) => (f.urgent = 5)],
    ...Object.entries(TCP_FLAG)
      .filter(([name]) => name !== 'ack' && name !== 'psh')
      .map(([name, bit]): [string, (fields: TcpFields) => void] => [
        `the flag ${name}`,
        (f) => (f.flags |= bit),
      ]),
    ['no ACK', (f) => (f.flags = 0)],
  ];
  it.each(differences)('does not merge across %s', (_name, change) => {
    const random = new Seeded(6);
    const fields = plain(6, 4);
    const before = stream(random, fields, 2, 300);
    change(fields);
    const packets = [...before, ...stream(random, fields, 1, 300)];
    const frames = byKernel(packets);
    expect(frames.length).toBe(2);
    expect(packetsOf(frames)).toEqual(packets.map(hex));
  });

  it('does not merge across another IPv6 flow label or hop limit', () => {
    for (const change of [(f: TcpFields) => (f.flowLabel ^= 1), (f: TcpFields) => (f.ttl ^= 1)]) {
      const random = new Seeded(7);
      const fields = plain(7, 6);
      const before = stream(random, fields, 2, 300);
      change(fields);
      const packets = [...before, ...stream(random, fields, 1, 300)];
      expect(byKernel(packets).length).toBe(2);
    }
  });

  it('keeps the order of a connection when a segment cannot be merged, and that of others too', () => {
    const random = new Seeded(8);
    const one = plain(81, 4);
    const two = plain(82, 6);
    const packets: Uint8Array[] = [];
    for (let i = 0; i < 30; i++) {
      const fields = random.pick([one, two]);
      fields.flags = TCP_FLAG.ack | (random.below(6) === 0 ? TCP_FLAG.fin : 0);
      packets.push(...stream(random, fields, 1 + random.below(3), 200));
    }
    const out = packetsOf(byKernel(packets));
    for (const version of ['4', '6']) {
      expect(out.filter((p) => p.startsWith(version))).toEqual(
        packets.map(hex).filter((p) => p.startsWith(version)),
      );
    }
  });

  it('never merges a damaged segment: every bit flip stays in a frame of its own, unrepaired', () => {
    for (const version of [4, 6] as const) {
      const random = new Seeded(9);
      const packets = stream(random, plain(9, version), 3, 40);
      const middle = packets[1]!;
      for (let bit = 0; bit < middle.length * 8; bit++) {
        const flipped = Uint8Array.from(middle);
        flipped[bit >> 3]! ^= 128 >> (bit & 7);
        const version = flipped[0]! >> 4;
        // Such a thing does not get past the check of the packet's length, see `ipLength`.
        if (version !== middle[0]! >> 4 || (version === 4 ? bit >> 4 === 1 : bit >> 4 === 2)) continue;
        const frames = byKernel([packets[0]!, flipped, packets[2]!]);
        expect(frames.map(hex), `bit ${bit}`).toContain(hex(join(new Uint8Array(VNET), flipped)));
      }
    }
  });

  it('gives the bytes of the slow twin for random traffic, and loses nothing', () => {
    let merged = 0;
    for (let seed = 0; seed < 1200; seed++) {
      const random = new Seeded(seed);
      const packets = randomTraffic(random);
      const frames = byKernel(packets);
      const expected = coalesce(packets);
      expect(frames.map(hex), `seed ${seed}`).toEqual(expected.map(hex));
      expect(packetsOf(frames).sort(), `seed ${seed}`).toEqual(packets.map(hex).sort());
      merged += packets.length - frames.length;
    }
    expect(merged).toBeGreaterThan(5000);
  });

  it('fills super-packets to the largest IP packet and no further', () => {
    const packets = stream(new Seeded(11), plain(11, 4), 60, 1448);
    const frames = byKernel(packets);
    expect(frames.length).toBe(2);
    expect(frames[0]!.length).toBeLessThanOrEqual(VNET + 65535);
    expect(frames[0]!.length).toBeGreaterThan(VNET + 65535 - 1448);
    expect(packetsOf(frames)).toEqual(packets.map(hex));
  });
});

/** Several connections at once with everything odd that happens to them; also UDP, fragments and damage. */
function randomTraffic(random: Seeded): Uint8Array[] {
  const connections = Array.from({ length: 1 + random.below(11) }, () => {
    const fields = tcpFields(random, random.pick([4, 6] as const));
    return { fields, size: random.pick([1, 100, 536, 1000]) };
  });
  const packets: Uint8Array[] = [];
  for (let n = 5 + random.below(40); n > 0; n--) {
    const { fields, size } = random.pick(connections);
    const odd = random.below(12);
    const saved = { ...fields };
    if (odd === 0) fields.flags = random.below(256);
    if (odd === 1) fields.flags |= TCP_FLAG.psh;
    if (odd === 2) fields.sequence = random.word();
    if (odd === 3) fields.window = random.below(65536);
    if (odd === 4 && fields.version === 4) fields.id = random.below(65536);
    const length = odd === 5 ? random.below(size + 20) : size;
    if (odd === 6) {
      packets.push(udpPacket({ ...fields, payload: random.bytes(length) }));
      continue;
    }
    const made = stream(random, fields, 1 + random.below(4), length);
    if (odd === 7) {
      const victim = random.pick(made);
      const lengthField = fields.version === 4 ? 2 : 4;
      const at = 8 + random.below(victim.length - 8);
      if (at !== lengthField && at !== lengthField + 1) victim[at]! ^= 1 << random.below(8);
    }
    packets.push(...made);
    if (odd < 2) Object.assign(fields, { flags: saved.flags });
  }
  return packets;
}
