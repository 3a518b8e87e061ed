/** Packets and virtio-net frames for the tests of the kernel: plain code, byte by byte, independent of the product's. */

import type { Seeded } from '../crypto/seeded.js';

export const VNET = 10;
export const NEEDS_CSUM = 1;
export const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5, ecn: 0x80 } as const;
export const TCP_FLAG = {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
} as const;

export function get16(b: Uint8Array, at: number): number {
  return b[at]! * 256 + b[at + 1]!;
}

export function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = (value >> 8) & 255;
  b[at + 1] = value & 255;
}

export function get32(b: Uint8Array, at: number): number {
  return get16(b, at) * 65536 + get16(b, at + 2);
}

export function put32(b: Uint8Array, at: number, value: number): void {
  put16(b, at, Math.floor(value / 65536) & 0xffff);
  put16(b, at + 2, value & 0xffff);
}

/** RFC 1071, one big-endian word after the other. */
export function onesSum(b: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < b.length; i += 2) {
    sum += b[i]! * 256 + (i + 1 < b.length ? b[i + 1]! : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

export interface Headers {
  version: 4 | 6;
  /** Where TCP or UDP begins. */
  transport: number;
  /** Where the payload begins. */
  payload: number;
}

/** Sum of the pseudo-header: addresses, protocol and the transport's length. */
export function pseudoSum(packet: Uint8Array, protocol: number, length: number): number {
  const addresses = packet[0]! >> 4 === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  const rest = new Uint8Array(4);
  put16(rest, 0, protocol);
  put16(rest, 2, length);
  return onesSum(rest, onesSum(addresses));
}

export function setIpv4Checksum(packet: Uint8Array): void {
  const header = (packet[0]! & 15) * 4;
  put16(packet, 10, 0);
  put16(packet, 10, 0xffff - onesSum(packet.subarray(0, header)));
}

/** Completes the TCP or UDP checksum of a packet whose transport begins at `transport`. */
export function setTransportChecksum(packet: Uint8Array, transport: number, protocol: 6 | 17): void {
  const field = transport + (protocol === 6 ? 16 : 6);
  put16(packet, field, 0);
  const sum = onesSum(packet.subarray(transport), pseudoSum(packet, protocol, packet.length - transport));
  const value = 0xffff - sum;
  put16(packet, field, value === 0 && protocol === 17 ? 0xffff : value);
}

export function transportChecksumHolds(packet: Uint8Array, transport: number, protocol: 6 | 17): boolean {
  const length = packet.length - transport;
  return onesSum(packet.subarray(transport), pseudoSum(packet, protocol, length)) === 0xffff;
}

export interface TcpFields {
  version: 4 | 6;
  source: Uint8Array;
  destination: Uint8Array;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgment: number;
  flags: number;
  window: number;
  /** A multiple of 4 bytes. */
  options: Uint8Array;
  payload: Uint8Array;
  /** IPv4. */
  id: number;
  fragment: number;
  ipOptions: Uint8Array;
  ttl: number;
  trafficClass: number;
  flowLabel: number;
  urgent: number;
}

export function tcpFields(random: Seeded, version: 4 | 6): TcpFields {
  const addressBytes = version === 4 ? 4 : 16;
  return {
    version,
    source: random.bytes(addressBytes),
    destination: random.bytes(addressBytes),
    sourcePort: random.below(65536),
    destinationPort: random.below(65536),
    sequence: random.word(),
    acknowledgment: random.word(),
    flags: TCP_FLAG.ack,
    window: random.below(65536),
    options: random.pick([new Uint8Array(0), random.bytes(12), random.bytes(20)]),
    payload: new Uint8Array(0),
    id: random.below(65536),
    fragment: random.pick([0, 0x4000]),
    ipOptions: new Uint8Array(0),
    ttl: 1 + random.below(255),
    trafficClass: random.below(256),
    flowLabel: random.below(0x100000),
    urgent: 0,
  };
}

export function ipHeader(fields: TcpFields, protocol: number, length: number): Uint8Array {
  if (fields.version === 4) {
    const header = new Uint8Array(20 + fields.ipOptions.length);
    header[0] = 0x40 | (header.length / 4);
    header[1] = fields.trafficClass;
    put16(header, 2, header.length + length);
    put16(header, 4, fields.id);
    put16(header, 6, fields.fragment);
    header[8] = fields.ttl;
    header[9] = protocol;
    header.set(fields.source, 12);
    header.set(fields.destination, 16);
    header.set(fields.ipOptions, 20);
    setIpv4Checksum(header);
    return header;
  }
  const header = new Uint8Array(40);
  put32(header, 0, 0x60000000 + fields.trafficClass * 0x100000 + fields.flowLabel);
  put16(header, 4, length);
  header[6] = protocol;
  header[7] = fields.ttl;
  header.set(fields.source, 8);
  header.set(fields.destination, 24);
  return header;
}

export function join(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A whole TCP packet with its checksums. */
export function tcpPacket(fields: TcpFields): Uint8Array {
  const tcp = new Uint8Array(20 + fields.options.length);
  put16(tcp, 0, fields.sourcePort);
  put16(tcp, 2, fields.destinationPort);
  put32(tcp, 4, fields.sequence);
  put32(tcp, 8, fields.acknowledgment);
  tcp[12] = (tcp.length / 4) << 4;
  tcp[13] = fields.flags;
  put16(tcp, 14, fields.window);
  put16(tcp, 18, fields.urgent);
  tcp.set(fields.options, 20);
  const header = ipHeader(fields, 6, tcp.length + fields.payload.length);
  const packet = join(header, tcp, fields.payload);
  setTransportChecksum(packet, header.length, 6);
  return packet;
}

export function udpPacket(fields: TcpFields): Uint8Array {
  const udp = new Uint8Array(8);
  put16(udp, 0, fields.sourcePort);
  put16(udp, 2, fields.destinationPort);
  put16(udp, 4, 8 + fields.payload.length);
  const header = ipHeader(fields, 17, 8 + fields.payload.length);
  const packet = join(header, udp, fields.payload);
  setTransportChecksum(packet, header.length, 17);
  return packet;
}

export interface VnetHeader {
  flags: number;
  type: number;
  headerLength: number;
  size: number;
  start: number;
  offset: number;
}

/** virtio_net_hdr is in host order: little-endian on every machine WebAssembly knows. */
export function vnetFrame(header: Partial<VnetHeader>, packet: Uint8Array): Uint8Array {
  const { flags = 0, type = 0, headerLength = 0, size = 0, start = 0, offset = 0 } = header;
  const bytes = new Uint8Array(VNET);
  const view = new DataView(bytes.buffer);
  bytes[0] = flags;
  bytes[1] = type;
  view.setUint16(2, headerLength, true);
  view.setUint16(4, size, true);
  view.setUint16(6, start, true);
  view.setUint16(8, offset, true);
  return join(bytes, packet);
}

export function readVnet(frame: Uint8Array): VnetHeader {
  const view = new DataView(frame.buffer, frame.byteOffset, VNET);
  return {
    flags: frame[0]!,
    type: frame[1]!,
    headerLength: view.getUint16(2, true),
    size: view.getUint16(4, true),
    start: view.getUint16(6, true),
    offset: view.getUint16(8, true),
  };
}

/** The frame TUN gives for a super-packet: lengths of the whole, and the pseudo-header's sum in the checksum field. */
export function superFrame(
  packet: Uint8Array,
  transport: number,
  protocol: 6 | 17,
  size: number,
  type: number,
): Uint8Array {
  const copy = Uint8Array.from(packet);
  const offset = protocol === 6 ? 16 : 6;
  put16(copy, transport + offset, pseudoSum(copy, protocol, copy.length - transport));
  const headerLength = transport + (protocol === 6 ? (copy[transport + 12]! >> 4) * 4 : 8);
  return vnetFrame({ flags: NEEDS_CSUM, type, headerLength, size, start: transport, offset }, copy);
}
