import { beforeEach, describe, expect, it } from 'vitest';
import { MinimalDevice } from '../../host/gateway/platform/minimal-device.js';
import { parseAddress } from '../../src/packet/address.js';
import { Batch } from '../../src/packet/batch.js';
import { endpointRecord } from '../../src/packet/endpoint-text.js';
import { ICMP_UNREACHABLE, ICMPV6_UNREACHABLE, IcmpView } from '../../src/packet/icmp.js';
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP } from '../../src/packet/ip.js';
import { Ipv4View, writeIpv4Header } from '../../src/packet/ipv4.js';
import { Ipv6View, writeIpv6Header } from '../../src/packet/ipv6.js';
import { writeUdpPacket } from '../../src/packet/udp.js';

const MTU = 1280;
const address = (text: string) => parseAddress(text)!;
const record = (text: string, port: number) => endpointRecord(address(text), port, 0);

describe('the minimal mode’s packet device', () => {
  let left: MinimalDevice;
  let right: MinimalDevice;
  const batch = new Batch(MTU + 100);

  beforeEach(() => {
    left = new MinimalDevice([address('10.0.0.1'), address('fd00::1')], MTU);
    right = new MinimalDevice([address('10.0.0.2'), address('fd00::2')], MTU);
  });

  /** A tunnel without anything in between. */
  function join(): void {
    const carry = (from: MinimalDevice, to: MinimalDevice) => {
      from.onReadable = () => {
        batch.clear();
        while (from.readBatch(batch) > 0) {
          const copy = new Batch(MTU + 100);
          for (let i = 0; i < batch.count; i++) copy.push(batch.bytes, batch.offset[i], batch.length[i]);
          batch.clear();
          to.writeBatch(copy);
        }
      };
    };
    carry(left, right);
    carry(right, left);
  }

  function give(device: MinimalDevice, packet: Uint8Array): void {
    const one = new Batch(65_535, 1);
    one.push(packet, 0, packet.length);
    device.writeBatch(one);
  }

  function take(device: MinimalDevice): Uint8Array | undefined {
    const one = new Batch(MTU, 1);
    return device.readBatch(one) === 1
      ? one.bytes.slice(one.offset[0], one.offset[0] + one.length[0])
      : undefined;
  }

  function udp(from: string, to: string, port: number, payload = 'hello'): Uint8Array {
    const packet = new Uint8Array(2000);
    const bytes = Buffer.from(payload);
    const length = writeUdpPacket(
      packet,
      0,
      record(from, 4000),
      0,
      record(to, port),
      0,
      bytes,
      0,
      bytes.length,
    );
    return packet.slice(0, length);
  }

  function tcp(from: string, to: string): Uint8Array {
    const v4 = address(from).length === 4;
    const packet = new Uint8Array((v4 ? 20 : 40) + 20);
    const write = v4 ? writeIpv4Header : writeIpv6Header;
    const header = write(packet, 0, packet.length, PROTOCOL_TCP, address(from), 0, address(to), 0);
    packet[header + 12] = 0x50;
    return packet;
  }

  it('answers pings over both versions', async () => {
    join();
    expect(await left.ping('10.0.0.2', 1000)).toBeGreaterThanOrEqual(0);
    expect(await left.ping('fd00::2', 1000)).toBeGreaterThanOrEqual(0);
    expect(await right.ping('10.0.0.1', 1000)).toBeGreaterThanOrEqual(0);
  });

  it('tells pings apart, and says when none came back', async () => {
    join();
    const all = await Promise.all(
      ['10.0.0.2', '10.0.0.77', 'fd00::2', 'fd00::77'].map((one) => left.ping(one, 50)),
    );
    expect(all.map((time) => time !== undefined)).toEqual([true, false, true, false]);
    expect(await new MinimalDevice([address('10.0.0.1')], MTU).ping('fd00::2', 50)).toBeUndefined();
    expect(await left.ping('no address', 50)).toBeUndefined();
  });

  it('takes no forged or damaged echo reply for an answer', async () => {
    const answer = left.ping('10.0.0.2', 60);
    const request = take(left)!;
    const reply = new Uint8Array(request);
    // Addresses swapped and type 0, but the checksum left as it was: for type 8.
    reply.set(request.subarray(12, 16), 16);
    reply.set(request.subarray(16, 20), 12);
    reply[20] = 0;
    give(left, reply);
    expect(left.counters.malformed).toBe(1);
    expect(await answer).toBeUndefined();
  });

  it('carries datagrams between ports, byte for byte', () => {
    join();
    for (const [from, to] of [
      ['10.0.0.1', '10.0.0.2'],
      ['fd00::1', 'fd00::2'],
    ]) {
      const server = right.openPort(to, 53);
      const client = left.openPort(from);
      const heard: string[] = [];
      server.onDatagram = (bytes, source) => server.send(Buffer.from(`<${Buffer.from(bytes)}>`), source);
      client.onDatagram = (bytes, source) =>
        heard.push(`${Buffer.from(bytes)} from ${source.host} ${source.port}`);
      client.send(Buffer.from('question'), { host: to, port: 53 });
      client.send(new Uint8Array(0), { host: to, port: 53 });
      expect(heard).toEqual([`<question> from ${to} 53`, `<> from ${to} 53`]);
    }
  });

  it('gives a port to one only, and again once it is closed', () => {
    const port = left.openPort('10.0.0.1', 53);
    expect(() => left.openPort('10.0.0.1', 53)).toThrow(/taken/);
    left.openPort('fd00::1', 53);
    port.close();
    left.openPort('10.0.0.1', 53);
    expect(() => left.openPort('10.0.0.9', 54)).toThrow(/not an address/);
  });

  it('runs out of dynamic ports without looping for ever', () => {
    const ports = [];
    for (let port = 49_152; port <= 65_535; port++) ports.push(left.openPort('10.0.0.1'));
    expect(() => left.openPort('10.0.0.1')).toThrow(/no UDP port/);
    ports[5].close();
    left.openPort('10.0.0.1');
  });

  it('refuses TCP and closed ports with the ICMP error of the version', () => {
    const icmp = new IcmpView();
    give(left, tcp('10.0.0.2', '10.0.0.1'));
    give(left, udp('10.0.0.2', '10.0.0.1', 9));
    for (const code of [2, 3]) {
      const packet = take(left)!;
      const ip = new Ipv4View();
      expect(ip.at(packet, 0, packet.length) && ip.checksumRight).toBe(true);
      expect(ip.protocol).toBe(PROTOCOL_ICMP);
      expect(icmp.at(packet, ip.payloadOffset, ip.payloadLength) && icmp.checksumRight(ip)).toBe(true);
      expect([icmp.type, icmp.code]).toEqual([ICMP_UNREACHABLE, code]);
      // RFC 792: the original header follows, so that the sender finds the socket it is about.
      expect(packet[icmp.payloadOffset] >>> 4).toBe(4);
    }
    give(left, tcp('fd00::2', 'fd00::1'));
    give(left, udp('fd00::2', 'fd00::1', 9));
    for (const expected of [
      [4, 1],
      [ICMPV6_UNREACHABLE, 4],
    ]) {
      const packet = take(left)!;
      const ip = new Ipv6View();
      expect(ip.at(packet, 0, packet.length)).toBe(true);
      expect(ip.protocol).toBe(PROTOCOL_ICMPV6);
      expect(icmp.at(packet, ip.payloadOffset, packet.length - ip.payloadOffset)).toBe(true);
      expect(icmp.checksumRight(ip)).toBe(true);
      expect([icmp.type, icmp.code]).toEqual(expected);
    }
    expect(left.counters.refused).toBe(4);
  });

  it('says nothing to packets for others, fragments, and what it cannot read', () => {
    give(left, udp('10.0.0.2', '10.0.0.3', 53));
    expect(left.counters.notForUs).toBe(1);

    const fragment = udp('10.0.0.2', '10.0.0.1', 53);
    fragment[6] = 0x20;
    fragment[10] = 0;
    fragment[11] = 0;
    writeChecksum(fragment);
    give(left, fragment);
    expect(left.counters.fragments).toBe(1);

    const damaged = udp('10.0.0.2', '10.0.0.1', 53);
    damaged[damaged.length - 1] ^= 1;
    give(left, damaged);
    give(left, new Uint8Array([0x45, 0, 0]));
    give(left, new Uint8Array(64));
    give(left, new Uint8Array(64).fill(0xff));
    expect(left.counters.malformed).toBe(4);
    expect(take(left)).toBeUndefined();
  });

  it('accounts for every cut or changed copy of a packet', () => {
    const packets = [
      udp('10.0.0.2', '10.0.0.1', 53),
      udp('fd00::2', 'fd00::1', 53),
      tcp('fd00::2', 'fd00::1'),
    ];
    for (const packet of packets) {
      for (let length = 1; length < packet.length; length++) give(left, packet.slice(0, length));
      for (let at = 0; at < packet.length; at++) {
        for (const bit of [1, 16, 128]) {
          const changed = packet.slice();
          changed[at] ^= bit;
          give(left, changed);
        }
      }
      while (take(left) !== undefined);
    }
    const { notForUs, malformed, fragments, refused } = left.counters;
    const given = packets.reduce((sum, packet) => sum + packet.length - 1 + packet.length * 3, 0);
    // Everything is accounted for, but for changed ICMP types, which are none of ours.
    expect(notForUs + malformed + fragments + refused).toBeLessThanOrEqual(given);
    expect(malformed).toBeGreaterThan(given / 2);
  });

  it('drops, and counts, what its queue or the MTU cannot take', () => {
    const port = left.openPort('10.0.0.1');
    port.send(new Uint8Array(MTU - 28), { host: '10.0.0.2', port: 1 });
    expect(take(left)).toHaveLength(MTU);
    port.send(new Uint8Array(MTU - 27), { host: '10.0.0.2', port: 1 });
    expect(left.counters.dropped).toBe(1);
    for (let i = 0; i < 300; i++) port.send(new Uint8Array(1), { host: '10.0.0.2', port: 1 });
    expect(left.counters.dropped).toBe(1 + 300 - 256);
    port.send(new Uint8Array(1), { host: 'fd00::2', port: 1 });
    expect(left.counters.dropped).toBe(2 + 300 - 256);
  });

  it('hands its queue out in order, over the ring’s end', () => {
    const port = left.openPort('10.0.0.1');
    let sent = 0;
    let received = 0;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 100; i++)
        port.send(new Uint8Array([sent >> 8, sent++]), { host: '10.0.0.2', port: 1 });
      for (let packet = take(left); packet !== undefined; packet = take(left)) {
        expect((packet[28] << 8) | packet[29]).toBe(received++);
      }
    }
    expect(received).toBe(2000);
  });
});

/** RFC 791: recomputed after a change to the header. */
function writeChecksum(packet: Uint8Array): void {
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (packet[i] << 8) | packet[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet[10] = ~sum >>> 8;
  packet[11] = ~sum;
}
