/** UDP (RFC 768): a checked view of a datagram inside an IP packet, and the writer of whole packets. */

import { addToSum, checksumOfSum, isSumRight, pseudoSum4, pseudoSum6 } from './checksum.js';
import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
  FAMILY_IPV6,
} from './endpoint.js';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, PROTOCOL_UDP } from './ip.js';
import { type Ipv4View, writeIpv4Header } from './ipv4.js';
import { type Ipv6View, writeIpv6Header } from './ipv6.js';

export const UDP_HEADER_BYTES = 8;

const LENGTH = 4;
const CHECKSUM = 6;

const EMPTY = new Uint8Array(0);

/** Points at a datagram in somebody else's bytes; the same contract as `Ipv4View`. */
export class UdpView {
  bytes: Uint8Array = EMPTY;
  offset = 0;
  /** Header and payload in bytes, as the header says. */
  length = 0;

  /** `length` is what the IP packet holds. False when the header is cut short or claims less or more than that. */
  at(bytes: Uint8Array, offset: number, length: number): boolean {
    if (length < UDP_HEADER_BYTES || offset + length > bytes.length) return false;
    const claimed = (bytes[offset + LENGTH] << 8) | bytes[offset + LENGTH + 1];
    if (claimed < UDP_HEADER_BYTES || claimed > length) return false;
    this.bytes = bytes;
    this.offset = offset;
    this.length = claimed;
    return true;
  }

  get sourcePort(): number {
    return (this.bytes[this.offset] << 8) | this.bytes[this.offset + 1];
  }

  get destinationPort(): number {
    return (this.bytes[this.offset + 2] << 8) | this.bytes[this.offset + 3];
  }

  get checksum(): number {
    return (this.bytes[this.offset + CHECKSUM] << 8) | this.bytes[this.offset + CHECKSUM + 1];
  }

  get payloadOffset(): number {
    return this.offset + UDP_HEADER_BYTES;
  }

  get payloadLength(): number {
    return this.length - UDP_HEADER_BYTES;
  }

  /**
   * Whether the datagram arrived as sent. A checksum of 0 means "none": right over IPv4 (RFC 768), wrong over IPv6
   * (RFC 8200 section 8.1).
   */
  checksumRight(ip: Ipv4View | Ipv6View): boolean {
    if (this.checksum === 0) return ip.version === 4;
    return isSumRight(
      addToSum(ip.pseudoSum(PROTOCOL_UDP, this.length), this.bytes, this.offset, this.length),
    );
  }
}

Object.freeze(UdpView.prototype);

/** Writes the endpoint record of the datagram's sender. */
export function writeUdpSource(records: Uint8Array, at: number, ip: Ipv4View | Ipv6View, udp: UdpView): void {
  writeRecord(records, at, ip, ip.sourceOffset, udp.sourcePort);
}

/** Writes the endpoint record of the datagram's receiver. */
export function writeUdpDestination(
  records: Uint8Array,
  at: number,
  ip: Ipv4View | Ipv6View,
  udp: UdpView,
): void {
  writeRecord(records, at, ip, ip.destinationOffset, udp.destinationPort);
}

function writeRecord(
  records: Uint8Array,
  at: number,
  ip: Ipv4View | Ipv6View,
  address: number,
  port: number,
): void {
  // By hand rather than by `writeEndpoint`, which would need a subarray, that is, an object per packet.
  records.fill(0, at, at + ENDPOINT_BYTES);
  records[at] = ip.version === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  records[at + 2] = port >>> 8;
  records[at + 3] = port;
  const to = endpointAddressOffset(at);
  const size = ip.version === 4 ? 4 : 16;
  for (let i = 0; i < size; i++) records[to + i] = ip.bytes[address + i];
}

/**
 * Writes a whole IP packet with one datagram at `into[at ..]` and returns its length in bytes, or 0 when it does not
 * fit there, is longer than IP allows, or when the two endpoint records are not of the same IP family. The payload
 * must not overlap the place written to unless it already stands where it belongs.
 */
export function writeUdpPacket(
  into: Uint8Array,
  at: number,
  source: Uint8Array,
  sourceAt: number,
  destination: Uint8Array,
  destinationAt: number,
  payload: Uint8Array,
  payloadAt: number,
  payloadLength: number,
): number {
  const family = endpointFamily(source, sourceAt);
  if (family !== endpointFamily(destination, destinationAt)) return 0;
  if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) return 0;
  const ipHeader = family === FAMILY_IPV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const length = UDP_HEADER_BYTES + payloadLength;
  const total = ipHeader + length;
  if (at + total > into.length || length > 65535 || (family === FAMILY_IPV4 && total > 65535)) return 0;

  const udp = at + ipHeader;
  const to = udp + UDP_HEADER_BYTES;
  if (payload === into) into.copyWithin(to, payloadAt, payloadAt + payloadLength);
  else into.set(payload.subarray(payloadAt, payloadAt + payloadLength), to);

  const write = family === FAMILY_IPV4 ? writeIpv4Header : writeIpv6Header;
  write(
    into,
    at,
    total,
    PROTOCOL_UDP,
    source,
    endpointAddressOffset(sourceAt),
    destination,
    endpointAddressOffset(destinationAt),
  );
  const sourcePort = endpointPort(source, sourceAt);
  const destinationPort = endpointPort(destination, destinationAt);
  into[udp] = sourcePort >>> 8;
  into[udp + 1] = sourcePort;
  into[udp + 2] = destinationPort >>> 8;
  into[udp + 3] = destinationPort;
  into[udp + LENGTH] = length >>> 8;
  into[udp + LENGTH + 1] = length;
  into[udp + CHECKSUM] = 0;
  into[udp + CHECKSUM + 1] = 0;
  const pseudo =
    family === FAMILY_IPV4
      ? pseudoSum4(into, at, PROTOCOL_UDP, length)
      : pseudoSum6(into, at, PROTOCOL_UDP, length);
  // RFC 768: a computed zero is sent as all ones, since zero means "none".
  const checksum = checksumOfSum(addToSum(pseudo, into, udp, length)) || 0xffff;
  into[udp + CHECKSUM] = checksum >>> 8;
  into[udp + CHECKSUM + 1] = checksum;
  return total;
}
