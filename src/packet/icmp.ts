/** ICMP (RFC 792) and ICMPv6 (RFC 4443): a checked view, and the answer to a ping. */

import { addToSum, checksumOfSum, isSumRight, pseudoSum6 } from './checksum.js';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from './ip.js';
import { type Ipv4View, writeIpv4Header } from './ipv4.js';
import { type Ipv6View, writeIpv6Header } from './ipv6.js';

/** Type, code, checksum and four bytes that depend on the type: the same in both versions. */
export const ICMP_HEADER_BYTES = 8;

/** RFC 792. */
export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO_REQUEST = 8;
/** RFC 4443 sections 3.1, 3.2, 4.1 and 4.2. */
export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;

const CHECKSUM = 2;

const EMPTY = new Uint8Array(0);

/** Points at a message in somebody else's bytes; the same contract as `Ipv4View`. */
export class IcmpView {
  bytes: Uint8Array = EMPTY;
  offset = 0;
  /** Header and payload in bytes. */
  length = 0;

  /** `length` is what the IP packet holds. False when the header is cut short. */
  at(bytes: Uint8Array, offset: number, length: number): boolean {
    if (length < ICMP_HEADER_BYTES || offset + length > bytes.length) return false;
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    return true;
  }

  get type(): number {
    return this.bytes[this.offset];
  }

  get code(): number {
    return this.bytes[this.offset + 1];
  }

  get checksum(): number {
    return (this.bytes[this.offset + CHECKSUM] << 8) | this.bytes[this.offset + CHECKSUM + 1];
  }

  /** Of an echo request or reply. */
  get identifier(): number {
    return (this.bytes[this.offset + 4] << 8) | this.bytes[this.offset + 5];
  }

  /** Of an echo request or reply. */
  get sequence(): number {
    return (this.bytes[this.offset + 6] << 8) | this.bytes[this.offset + 7];
  }

  get payloadOffset(): number {
    return this.offset + ICMP_HEADER_BYTES;
  }

  get payloadLength(): number {
    return this.length - ICMP_HEADER_BYTES;
  }

  /** RFC 4443 section 2.3 adds the pseudo header that RFC 792 does without. */
  checksumRight(ip: Ipv4View | Ipv6View): boolean {
    const pseudo = ip.version === 4 ? 0 : ip.pseudoSum(PROTOCOL_ICMPV6, this.length);
    return isSumRight(addToSum(pseudo, this.bytes, this.offset, this.length));
  }
}

Object.freeze(IcmpView.prototype);

/**
 * Whether this message asks for an echo and may be answered: whole, unfragmented, of the version's own type, and
 * undamaged. That the packet is addressed to us, and not to a group, is for the caller to know.
 */
export function isEchoRequest(ip: Ipv4View | Ipv6View, icmp: IcmpView): boolean {
  const protocol = ip.version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
  const type = ip.version === 4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
  if (ip.protocol !== protocol || icmp.type !== type || icmp.code !== 0) return false;
  // An atomic fragment (RFC 6946) is whole, so the flag alone does not count.
  if (ip.moreFragments || ip.fragmentOffset !== 0) return false;
  return icmp.checksumRight(ip);
}

/**
 * Writes the echo reply to a request at `into[at ..]`, options and extension headers left out, and returns the
 * packet's length in bytes, or 0 when it does not fit. `into` and `at` may be the request's own bytes and offset:
 * the reply is never longer. The views then point at bytes that have changed.
 */
export function writeEchoReply(
  into: Uint8Array,
  at: number,
  ip: Ipv4View | Ipv6View,
  icmp: IcmpView,
): number {
  const v4 = ip.version === 4;
  const header = v4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const length = icmp.length;
  const total = header + length;
  if (at + total > into.length) return 0;
  const message = at + header;
  const { bytes, offset } = icmp;
  // Addresses first: with options in the request, the message moves up over nothing but those options.
  const write = v4 ? writeIpv4Header : writeIpv6Header;
  const protocol = v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
  write(into, at, total, protocol, ip.bytes, ip.destinationOffset, ip.bytes, ip.sourceOffset);
  if (bytes === into) into.copyWithin(message, offset, offset + length);
  else into.set(bytes.subarray(offset, offset + length), message);
  into[message] = v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
  into[message + CHECKSUM] = 0;
  into[message + CHECKSUM + 1] = 0;
  const pseudo = v4 ? 0 : pseudoSum6(into, at, PROTOCOL_ICMPV6, length);
  const checksum = checksumOfSum(addToSum(pseudo, into, message, length));
  into[message + CHECKSUM] = checksum >>> 8;
  into[message + CHECKSUM + 1] = checksum;
  return total;
}
