import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/packet/address.js';
import { ENDPOINT_BYTES, FAMILY_VIRTUAL } from '../../src/packet/endpoint.js';
import { endpointRecord } from '../../src/packet/endpoint-text.js';
import { IcmpView, isEchoRequest, writeEchoReply } from '../../src/packet/icmp.js';
import { Ipv4View } from '../../src/packet/ipv4.js';
import { Ipv6View } from '../../src/packet/ipv6.js';
import { UdpView, writeUdpDestination, writeUdpPacket, writeUdpSource } from '../../src/packet/udp.js';
import {
  concat,
  DESTINATION4,
  DESTINATION6,
  echo,
  hex,
  ipv4,
  ipv6,
  SOURCE4,
  SOURCE6,
  slowChecksum,
  uint16,
} from './samples.js';

const TEXT = hex('68656c6c6f21 00ff 80');

function open(packet: Uint8Array, offset = 0, length = packet.length - offset): Ipv4View | Ipv6View {
  const four = new Ipv4View();
  if (four.at(packet, offset, length)) return four;
  const six = new Ipv6View();
  if (six.at(packet, offset, length)) return six;
  throw new Error('neither IPv4 nor IPv6');
}

function icmpOf(ip: Ipv4View | Ipv6View): IcmpView {
  const icmp = new IcmpView();
  expect(icmp.at(ip.bytes, ip.payloadOffset, ip.payloadLength)).toBe(true);
  return icmp;
}

const swapped = {
  4: (payload: Uint8Array) => {
    const packet = ipv4(1, payload);
    packet.set(DESTINATION4, 12);
    packet.set(SOURCE4, 16);
    packet.fill(0, 4, 6);
    packet.fill(0, 10, 12);
    packet.set(uint16(slowChecksum(packet.subarray(0, 20))), 10);
    return packet;
  },
  6: (payload: Uint8Array) => {
    const packet = ipv6(58, payload);
    packet.set(DESTINATION6, 8);
    packet.set(SOURCE6, 24);
    packet.set(hex('60000000'), 0);
    packet[7] = 64;
    return packet;
  },
};

describe('writeEchoReply', () => {
  const requests = [
    { name: 'IPv4', version: 4, packet: ipv4(1, echo(4, 8, TEXT)) },
    { name: 'IPv4 with options', version: 4, packet: ipv4(1, echo(4, 8, TEXT), hex('94040000 01010100')) },
    { name: 'IPv6', version: 6, packet: ipv6(58, echo(6, 128, TEXT)) },
    {
      name: 'IPv6 with an extension header',
      version: 6,
      packet: ipv6(60, concat(hex('3a00 0104 00000000'), echo(6, 128, TEXT))),
    },
  ] as const;

  it.each(requests)('answers $name, elsewhere and in place', ({ version, packet }) => {
    const payload = version === 4 ? echo(4, 0, TEXT) : echo(6, 129, TEXT);
    const expected = swapped[version](payload);
    for (const inPlace of [false, true]) {
      const request = concat(new Uint8Array(3), packet, new Uint8Array(3));
      const ip = open(request, 3, packet.length);
      const icmp = icmpOf(ip);
      expect(isEchoRequest(ip, icmp)).toBe(true);
      const into = inPlace ? request : new Uint8Array(200).fill(0xee);
      const length = writeEchoReply(into, 3, ip, icmp);
      expect(length).toBe(expected.length);
      const reply = into.slice(3, 3 + length);
      expect(reply).toEqual(expected);
      expect(icmpOf(open(reply)).checksumRight(open(reply))).toBe(true);
    }
  });

  it('writes nothing where the reply does not fit', () => {
    for (const { packet } of requests) {
      const ip = open(packet);
      const into = new Uint8Array(40);
      expect(writeEchoReply(into, 12, ip, icmpOf(ip))).toBe(0);
      expect(into).toEqual(new Uint8Array(40));
    }
  });

  const not: readonly (readonly [string, Uint8Array])[] = [
    ['a reply', ipv4(1, echo(4, 0, TEXT))],
    ['a reply over IPv6', ipv6(58, echo(6, 129, TEXT))],
    ['an ICMP echo request over IPv6', ipv6(1, echo(4, 8, TEXT))],
    ['an ICMPv6 echo request over IPv4', ipv4(58, echo(6, 128, TEXT))],
    ['the type of the other version', ipv4(1, echo(4, 128, TEXT))],
    [
      'a damaged request',
      ipv4(
        1,
        Uint8Array.from(echo(4, 8, TEXT), (byte, i) => (i === 12 ? byte ^ 1 : byte)),
      ),
    ],
    ['a fragment', ipv6(44, concat(hex('3a00 0001 00000001'), echo(6, 128, TEXT)))],
    [
      'another code',
      ipv4(
        1,
        Uint8Array.from(echo(4, 8, TEXT), (b, i) => (i === 1 ? 1 : i === 3 ? b - 1 : b)),
      ),
    ],
  ];
  it.each(not)('is not asked for by %s', (_name, packet) => {
    const ip = open(packet);
    expect(isEchoRequest(ip, icmpOf(ip))).toBe(false);
  });
});

const addresses = [
  ['10.0.0.1', '192.0.2.7'],
  ['fd00::1', '2001:db8::7'],
] as const;

describe('writeUdpPacket', () => {
  it('writes what the views read, for any payload', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...addresses),
        fc.nat(65535),
        fc.nat(65535),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(20),
        ([from, to], sourcePort, destinationPort, payload, at) => {
          const source = endpointRecord(parseAddress(from)!, sourcePort, 0);
          const destination = endpointRecord(parseAddress(to)!, destinationPort, 0);
          const into = new Uint8Array(400).fill(0xee);
          const length = writeUdpPacket(into, at, source, 0, destination, 0, payload, 0, payload.length);
          expect(length).toBe((from.includes(':') ? 48 : 28) + payload.length);
          expect(into.subarray(0, at).every((byte) => byte === 0xee)).toBe(true);
          expect(into.subarray(at + length).every((byte) => byte === 0xee)).toBe(true);

          const ip = open(into, at, length);
          expect(ip).toMatchObject({ protocol: 17, totalLength: length, hopLimit: 64, isFragment: false });
          if (ip.version === 4) expect(ip.checksumRight).toBe(true);
          const udp = new UdpView();
          expect(udp.at(into, ip.payloadOffset, ip.payloadLength)).toBe(true);
          expect(udp.checksum).not.toBe(0);
          expect(udp.checksumRight(ip)).toBe(true);
          expect(into.slice(udp.payloadOffset, udp.payloadOffset + udp.payloadLength)).toEqual(payload);
          const records = new Uint8Array(2 * ENDPOINT_BYTES).fill(0xee);
          writeUdpSource(records, 0, ip, udp);
          writeUdpDestination(records, ENDPOINT_BYTES, ip, udp);
          expect(records).toEqual(concat(source, destination));
        },
      ),
    );
  });

  it('sends a checksum that comes out as zero as all ones', () => {
    const [source, destination] = addresses[0].map((text) => endpointRecord(parseAddress(text)!, 1, 0));
    const into = new Uint8Array(64);
    // The two payload bytes take up what the sum of all else lacks.
    writeUdpPacket(into, 0, source, 0, destination, 0, Uint8Array.of(0, 0), 0, 2);
    const payload = into.slice(26, 28);
    writeUdpPacket(into, 0, source, 0, destination, 0, payload, 0, 2);
    expect(into.slice(26, 30)).toEqual(concat(hex('ffff'), payload));
  });

  it('takes a payload that already stands in its place', () => {
    const [source, destination] = addresses[0].map((text) => endpointRecord(parseAddress(text)!, 1, 0));
    const into = new Uint8Array(64);
    into.set(TEXT, 5 + 28);
    const length = writeUdpPacket(into, 5, source, 0, destination, 0, into, 33, TEXT.length);
    expect(into.slice(33, 5 + length)).toEqual(TEXT);
  });

  it('refuses what no packet can hold', () => {
    const four = endpointRecord(parseAddress('10.0.0.1')!, 1, 0);
    const six = endpointRecord(parseAddress('fd00::1')!, 1, 0);
    const virtual = new Uint8Array(ENDPOINT_BYTES).fill(FAMILY_VIRTUAL, 0, 1);
    const none = new Uint8Array(ENDPOINT_BYTES);
    const into = new Uint8Array(70000);
    const payload = new Uint8Array(65536);
    const write = (size: number, from: Uint8Array, to: Uint8Array, room = into) =>
      writeUdpPacket(room, 0, from, 0, to, 0, payload, 0, size);
    expect(write(10, four, six)).toBe(0);
    expect(write(10, virtual, virtual)).toBe(0);
    expect(write(10, none, none)).toBe(0);
    expect(write(10, four, four, new Uint8Array(37))).toBe(0);
    expect(write(65535 - 28, four, four)).toBe(65535);
    expect(write(65535 - 27, four, four)).toBe(0);
    expect(write(65535 - 8, six, six)).toBe(40 + 65535);
    expect(write(65535 - 7, six, six)).toBe(0);
  });
});
