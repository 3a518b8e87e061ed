import { describe, expect, it } from 'vitest';
import { BAD_OFFLOAD, NOT_IP } from '../../host/gateway/wasm/kernel.js';
import { Seeded } from '../crypto/seeded.js';
import { makeKernel } from './built-kernel.js';
import {
  GSO,
  join,
  NEEDS_CSUM,
  pseudoSum,
  put16,
  setIpv4Checksum,
  superFrame,
  TCP_FLAG,
  tcpFields,
  tcpPacket,
  transportChecksumHolds,
  udpPacket,
  vnetFrame,
} from './frames.js';
import { segmentFrame } from './segment-twin.js';

const kernel = makeKernel();
const lane = kernel.lane(0);
const FRAME_AT = lane.input + 6;

/** By the kernel: the packets of a frame, or its refusal. */
function byKernel(frame: Uint8Array): Uint8Array[] | number {
  kernel.bytes.set(frame, FRAME_AT);
  const count = lane.call.takeFrame(FRAME_AT, frame.length);
  if (count < 0) return count;
  return Array.from({ length: count }, (_, i) => {
    const length = lane.call.writeSegment(i, lane.output);
    expect(lane.call.segmentLength(i)).toBe(length);
    return kernel.bytes.slice(lane.output, lane.output + length);
  });
}

function compare(frame: Uint8Array, what: string): void {
  const expected = segmentFrame(frame);
  const got = byKernel(frame);
  if ('refused' in expected) {
    expect(got, what).toBe(expected.refused === 'not-ip' ? NOT_IP : BAD_OFFLOAD);
    return;
  }
  if (typeof got === 'number') throw new Error(`${what}: refused with ${got}`);
  expect(got.length, what).toBe(expected.packets.length);
  for (const [i, packet] of expected.packets.entries()) {
    if (Buffer.compare(got[i]!, packet) !== 0) {
      expect(Buffer.from(got[i]!).toString('hex'), `${what}, segment ${i}`).toBe(
        Buffer.from(packet).toString('hex'),
      );
    }
  }
}

/** A random frame as TUN may give it. */
function randomFrame(random: Seeded): Uint8Array {
  const version = random.pick([4, 6] as const);
  const fields = tcpFields(random, version);
  fields.payload = random.bytes(random.pick([0, 1, 2, 17, 100, 1400, 3000, 9001, 20000]));
  if (version === 4 && random.below(5) === 0) fields.ipOptions = random.bytes(random.pick([4, 40]));
  fields.flags = random.pick([
    TCP_FLAG.ack,
    TCP_FLAG.ack | TCP_FLAG.psh,
    TCP_FLAG.ack | TCP_FLAG.fin | TCP_FLAG.psh,
    TCP_FLAG.ack | TCP_FLAG.cwr | TCP_FLAG.psh,
    random.below(256),
  ]);
  // Sequence numbers and IPv4 ids around their wrap, too.
  if (random.below(4) === 0) fields.sequence = 2 ** 32 - random.below(5000);
  if (random.below(4) === 0) fields.id = 65536 - 1 - random.below(4);
  const transport = (version === 4 ? 20 : 40) + fields.ipOptions.length;
  const size = random.pick([1, 7, 536, 1220, 1368, 1448, 8900, 65535]);
  if (size < 100 && fields.payload.length > 2000) fields.payload = fields.payload.subarray(0, 500);
  switch (random.below(5)) {
    case 0:
      return vnetFrame({}, tcpPacket(fields));
    case 1: {
      const packet = udpPacket(fields);
      put16(packet, transport + 6, pseudoSum(packet, 17, packet.length - transport));
      return vnetFrame({ flags: NEEDS_CSUM, start: transport, offset: 6 }, packet);
    }
    case 2:
      return superFrame(udpPacket(fields), transport, 17, size, GSO.udp);
    default: {
      const ecn = (fields.flags & TCP_FLAG.cwr) !== 0 ? GSO.ecn : 0;
      return superFrame(tcpPacket(fields), transport, 6, size, (version === 4 ? GSO.tcp4 : GSO.tcp6) | ecn);
    }
  }
}

describe('cutting super-packets', () => {
  it('gives the bytes of the slow twin for random frames of TCP and UDP', () => {
    for (let seed = 0; seed < 1500; seed++) compare(randomFrame(new Seeded(seed)), `seed ${seed}`);
  });

  it('gives sound packets: every checksum holds and the payload is what it was', () => {
    const random = new Seeded(3);
    const fields = { ...tcpFields(random, 4), payload: random.bytes(60_000) };
    const packets = byKernel(superFrame(tcpPacket(fields), 20, 6, 1368, GSO.tcp4)) as Uint8Array[];
    const header = 40 + fields.options.length;
    expect(packets.length).toBe(Math.ceil(60_000 / 1368));
    for (const packet of packets) expect(transportChecksumHolds(packet, 20, 6)).toBe(true);
    expect(Buffer.compare(join(...packets.map((p) => p.subarray(header))), fields.payload)).toBe(0);
  });

  it('agrees with the twin on damaged frames, and refuses what does not fit', () => {
    let refused = 0;
    for (let seed = 0; seed < 4000; seed++) {
      const random = new Seeded(100_000 + seed);
      const frame = randomFrame(random);
      // The offload header and the headers behind it are where a wrong number could lead astray.
      for (let n = 1 + random.below(3); n > 0; n--)
        frame[random.below(Math.min(frame.length, 80))] = random.below(256);
      const cut = random.below(4) === 0 ? random.below(frame.length + 1) : frame.length;
      const damaged = frame.subarray(0, cut);
      if ('refused' in segmentFrame(damaged)) refused++;
      compare(damaged, `seed ${seed}`);
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it('refuses segmentation without a checksum to complete, of size 0, or of another protocol', () => {
    const random = new Seeded(9);
    const packet = tcpPacket({ ...tcpFields(random, 4), payload: random.bytes(4000) });
    const good = superFrame(packet, 20, 6, 1000, GSO.tcp4);
    expect(byKernel(good)).toHaveLength(4);
    const change = (at: number, value: number): Uint8Array => {
      const frame = Uint8Array.from(good);
      frame[at] = value;
      return frame;
    };
    expect(byKernel(change(0, 0))).toBe(BAD_OFFLOAD);
    expect(byKernel(change(1, GSO.tcp6))).toBe(BAD_OFFLOAD);
    expect(byKernel(change(1, 3))).toBe(BAD_OFFLOAD);
    expect(byKernel(change(6, 24))).toBe(BAD_OFFLOAD);
    const zero = change(4, 0);
    zero[5] = 0;
    expect(byKernel(zero)).toBe(BAD_OFFLOAD);
  });

  it('sends a computed UDP checksum of zero as all ones', () => {
    const random = new Seeded(4);
    const packet = udpPacket({
      ...tcpFields(random, 4),
      ipOptions: new Uint8Array(0),
      payload: new Uint8Array(2),
    });
    // One payload word is free to make the sum all ones, whose complement is zero.
    const checksum = packet[26]! * 256 + packet[27]!;
    put16(packet, 28, checksum);
    setIpv4Checksum(packet);
    put16(packet, 26, pseudoSum(packet, 17, packet.length - 20));
    const [out] = byKernel(vnetFrame({ flags: NEEDS_CSUM, start: 20, offset: 6 }, packet)) as Uint8Array[];
    expect(out!.subarray(26, 28)).toEqual(Uint8Array.of(0xff, 0xff));
    expect(transportChecksumHolds(out!, 20, 17)).toBe(true);
  });
});
