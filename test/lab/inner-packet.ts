/**
 * IP packets as a peer behind the tunnel would make them; written by hand so that a test can also make bad ones.
 */
import { isIPv6 } from 'node:net';
import { type Bytes, concat } from '../wireguard/reference/symmetric.js';

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
export const NO_NEXT_HEADER = 59;
export const DESTINATION_OPTIONS = 60;

export function addressBytes(text: string): Bytes {
  if (!isIPv6(text)) return new Uint8Array(text.split('.').map(Number));
  const [head, tail] = text.split('::').map((half) => half.split(':').filter(Boolean));
  const groups = tail ? [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail] : head;
  return new Uint8Array(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
  );
}

function u16(n: number): Bytes {
  return new Uint8Array([n >> 8, n & 255]);
}

/** The Internet checksum, RFC 1071. */
function checksum(...parts: Bytes[]): Bytes {
  const all = concat(...parts);
  let sum = 0;
  for (let i = 0; i < all.length; i += 2) sum += (all[i] << 8) | (all[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return u16(~sum & 0xffff);
}

export interface IpFields {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Bytes;
  readonly identification?: number;
  /** In bytes; a multiple of 8. */
  readonly fragmentOffset?: number;
  readonly moreFragments?: boolean;
}

export function ipv4(fields: IpFields): Bytes {
  const flags = (fields.moreFragments ? 0x2000 : 0) | ((fields.fragmentOffset ?? 0) >> 3);
  const start = concat(
    new Uint8Array([0x45, 0]),
    u16(20 + fields.payload.length),
    u16(fields.identification ?? 0),
    u16(flags),
    new Uint8Array([64, fields.protocol]),
  );
  const addresses = concat(addressBytes(fields.source), addressBytes(fields.destination));
  return concat(start, checksum(start, addresses), addresses, fields.payload);
}

export function ipv6(fields: IpFields): Bytes {
  return concat(
    new Uint8Array([0x60, 0, 0, 0]),
    u16(fields.payload.length),
    new Uint8Array([fields.protocol, 64]),
    addressBytes(fields.source),
    addressBytes(fields.destination),
    fields.payload,
  );
}

/** An IPv4 or IPv6 packet, after the family of its addresses. */
export function ip(fields: IpFields): Bytes {
  return isIPv6(fields.source) ? ipv6(fields) : ipv4(fields);
}

function pseudoHeader(source: string, destination: string, protocol: number, length: number): Bytes {
  const addresses = concat(addressBytes(source), addressBytes(destination));
  return isIPv6(source)
    ? concat(addresses, u16(0), u16(length), new Uint8Array([0, 0, 0, protocol]))
    : concat(addresses, new Uint8Array([0, protocol]), u16(length));
}

export interface EchoFields {
  readonly source: string;
  readonly destination: string;
  readonly sequence: number;
  readonly identifier?: number;
  /** Bytes behind the ICMP header. */
  readonly size?: number;
}

/** An ICMP or ICMPv6 echo request without its IP header. */
export function echoMessage(fields: EchoFields): Bytes {
  const v6 = isIPv6(fields.source);
  const rest = concat(
    u16(fields.identifier ?? 0x4342),
    u16(fields.sequence),
    new Uint8Array(fields.size ?? 8).map((_, i) => i),
  );
  const kind = new Uint8Array([v6 ? 128 : 8, 0]);
  const pseudo = v6
    ? pseudoHeader(fields.source, fields.destination, ICMPV6, rest.length + 4)
    : new Uint8Array(0);
  return concat(kind, checksum(pseudo, kind, u16(0), rest), rest);
}

export function echoRequest(fields: EchoFields): Bytes {
  const { source, destination } = fields;
  return ip({ source, destination, protocol: isIPv6(source) ? ICMPV6 : ICMP, payload: echoMessage(fields) });
}

export interface EchoReply {
  readonly source: string;
  readonly sequence: number;
  readonly size: number;
}

/** What an echo reply says, or `undefined` when the bytes (perhaps padded) are no echo reply. */
export function readEchoReply(packet: Bytes): EchoReply | undefined {
  if (packet.length < 28) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const v6 = packet[0] >> 4 === 6;
  const header = v6 ? 40 : (packet[0] & 15) * 4;
  const total = v6 ? 40 + view.getUint16(4) : view.getUint16(2);
  const protocol = packet[v6 ? 6 : 9];
  if (protocol !== (v6 ? ICMPV6 : ICMP) || packet[header] !== (v6 ? 129 : 0)) return undefined;
  const source = v6
    ? Array.from({ length: 8 }, (_, i) => view.getUint16(8 + 2 * i).toString(16)).join(':')
    : packet.slice(12, 16).join('.');
  return { source, sequence: view.getUint16(header + 6), size: total - header - 8 };
}

export interface UdpFields {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Bytes;
}

/** A UDP datagram without its IP header. */
export function udpMessage(fields: UdpFields): Bytes {
  const length = 8 + fields.data.length;
  const start = concat(u16(fields.sourcePort), u16(fields.destinationPort), u16(length));
  const pseudo = pseudoHeader(fields.source, fields.destination, UDP, length);
  return concat(start, checksum(pseudo, start, u16(0), fields.data), fields.data);
}

export function udpPacket(fields: UdpFields): Bytes {
  const { source, destination } = fields;
  return ip({ source, destination, protocol: UDP, payload: udpMessage(fields) });
}

export const SYN = 0x02;
export const PSH = 0x08;
export const ACK = 0x10;

export interface TcpFields {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly data?: Bytes;
}

function u32be(n: number): Bytes {
  return concat(u16((n >>> 16) & 0xffff), u16(n & 0xffff));
}

/** A TCP segment (RFC 9293 section 3.1) without options, in an IP packet. */
export function tcpPacket(fields: TcpFields): Bytes {
  const { source, destination, data = new Uint8Array(0) } = fields;
  const start = concat(
    u16(fields.sourcePort),
    u16(fields.destinationPort),
    u32be(fields.sequence),
    u32be(fields.acknowledgement),
    new Uint8Array([5 << 4, fields.flags]),
    u16(0xffff),
  );
  const pseudo = pseudoHeader(source, destination, TCP, 20 + data.length);
  const payload = concat(start, checksum(pseudo, start, u16(0), u16(0), data), u16(0), data);
  return ip({ source, destination, protocol: TCP, payload });
}

export interface TcpAnswer {
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
}

/** The numbers of a TCP segment in an IP packet, or `undefined` when it is something else. */
export function readTcp(packet: Bytes): TcpAnswer | undefined {
  if (packet.length < 40) return undefined;
  const v6 = packet[0] >> 4 === 6;
  const header = v6 ? 40 : (packet[0] & 15) * 4;
  if (packet[v6 ? 6 : 9] !== TCP) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset + header);
  return { sequence: view.getUint32(4), acknowledgement: view.getUint32(8), flags: view.getUint8(13) };
}
