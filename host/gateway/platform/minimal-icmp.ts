/** The ICMP messages that the minimal mode sends besides echo replies: its own pings, and refusals. */

import { addToSum, checksumOfSum, pseudoSum6 } from '../../../src/packet/checksum.js';
import {
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_BYTES,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_UNREACHABLE,
} from '../../../src/packet/icmp.js';
import {
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  IPV6_MINIMUM_MTU,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
} from '../../../src/packet/ip.js';
import { type Ipv4View, writeIpv4Header } from '../../../src/packet/ipv4.js';
import { type Ipv6View, writeIpv6Header } from '../../../src/packet/ipv6.js';

/** RFC 792 and RFC 4443 section 3.1: the codes of "destination unreachable" and the one of "parameter problem". */
const PORT_UNREACHABLE_V4 = 3;
const PROTOCOL_UNREACHABLE_V4 = 2;
const PORT_UNREACHABLE_V6 = 4;
const ICMPV6_PARAMETER_PROBLEM = 4;
const UNRECOGNIZED_NEXT_HEADER = 1;
/** Offset of the next header field in the IPv6 header, which is what a parameter problem points at. */
const NEXT_HEADER_FIELD = 6;

/** RFC 1812 section 4.3.2.3: as much of the packet as fits into 576 bytes. */
const ICMP_MAX_PACKET = 576;
const ECHO_PAYLOAD = 32;
const MAX_MESSAGE = IPV6_MINIMUM_MTU;

export type Refusal = 'no-port' | 'no-protocol';

/** Builds packets in one buffer, which the next call overwrites. */
export class IcmpWriter {
  readonly packet = new Uint8Array(MAX_MESSAGE);

  /** An echo request; the length of the packet in bytes. Both addresses have 4 or both have 16 bytes. */
  echoRequest(source: Uint8Array, destination: Uint8Array, identifier: number, sequence: number): number {
    const v4 = source.length === 4;
    const at = v4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    const { packet } = this;
    packet.fill(0, 0, at + ICMP_HEADER_BYTES + ECHO_PAYLOAD);
    packet[at] = v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
    packet[at + 4] = identifier >>> 8;
    packet[at + 5] = identifier;
    packet[at + 6] = sequence >>> 8;
    packet[at + 7] = sequence;
    return this.finish(ICMP_HEADER_BYTES + ECHO_PAYLOAD, source, 0, destination, 0, v4);
  }

  /** Tells the sender of a packet that it is not taken here; the length of the answer in bytes. */
  refusal(ip: Ipv4View | Ipv6View, why: Refusal): number {
    const v4 = ip.version === 4;
    const at = v4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    const { packet } = this;
    const room = (v4 ? ICMP_MAX_PACKET : IPV6_MINIMUM_MTU) - at - ICMP_HEADER_BYTES;
    const quoted = Math.min(ip.totalLength, room);
    packet.fill(0, at, at + ICMP_HEADER_BYTES);
    if (v4) {
      packet[at] = ICMP_UNREACHABLE;
      packet[at + 1] = why === 'no-port' ? PORT_UNREACHABLE_V4 : PROTOCOL_UNREACHABLE_V4;
    } else if (why === 'no-port') {
      packet[at] = ICMPV6_UNREACHABLE;
      packet[at + 1] = PORT_UNREACHABLE_V6;
    } else {
      packet[at] = ICMPV6_PARAMETER_PROBLEM;
      packet[at + 1] = UNRECOGNIZED_NEXT_HEADER;
      packet[at + 7] = NEXT_HEADER_FIELD;
    }
    packet.set(ip.bytes.subarray(ip.offset, ip.offset + quoted), at + ICMP_HEADER_BYTES);
    const length = ICMP_HEADER_BYTES + quoted;
    return this.finish(length, ip.bytes, ip.destinationOffset, ip.bytes, ip.sourceOffset, v4);
  }

  /** Checksum and IP header around the message that stands in its place already. */
  private finish(
    length: number,
    source: Uint8Array,
    sourceAt: number,
    destination: Uint8Array,
    destinationAt: number,
    v4: boolean,
  ): number {
    const { packet } = this;
    const at = v4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    const write = v4 ? writeIpv4Header : writeIpv6Header;
    const protocol = v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
    write(packet, 0, at + length, protocol, source, sourceAt, destination, destinationAt);
    packet[at + 2] = 0;
    packet[at + 3] = 0;
    const pseudo = v4 ? 0 : pseudoSum6(packet, 0, PROTOCOL_ICMPV6, length);
    const checksum = checksumOfSum(addToSum(pseudo, packet, at, length));
    packet[at + 2] = checksum >>> 8;
    packet[at + 3] = checksum;
    return at + length;
  }
}
