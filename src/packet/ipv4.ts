/** IPv4 (RFC 791): a checked view of a packet, and the header writer of the user-space mode. */

import { addToSum, checksumOfSum, isSumRight, pseudoSum4 } from './checksum.js';
import { IPV4_HEADER_BYTES, ipLength } from './ip.js';

/** RFC 1700: the recommended default for a new packet. */
export const DEFAULT_TTL = 64;

const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FLAGS = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

const DONT_FRAGMENT = 0x40;
const MORE_FRAGMENTS = 0x20;

const EMPTY = new Uint8Array(0);

/**
 * Points at a packet in somebody else's bytes. After `at` returned true, no accessor looks outside of
 * `bytes[offset .. offset + length)`. Before that, or after false, the accessors mean nothing.
 */
export class Ipv4View {
  readonly version = 4;
  bytes: Uint8Array = EMPTY;
  offset = 0;
  /** Bytes of header, options included. */
  headerLength = 0;
  /** Bytes of header and payload as the header says; trailing padding is left out. */
  totalLength = 0;

  /** Points the view at a packet. False when the header is cut short or contradicts itself. */
  at(bytes: Uint8Array, offset: number, length: number): boolean {
    const total = ipLength(bytes, offset, length);
    if (total === 0 || bytes[offset] >>> 4 !== 4) return false;
    this.bytes = bytes;
    this.offset = offset;
    this.headerLength = (bytes[offset] & 15) << 2;
    this.totalLength = total;
    return true;
  }

  /** DSCP and ECN together (RFC 2474, RFC 3168). */
  get trafficClass(): number {
    return this.bytes[this.offset + TOS];
  }

  get identification(): number {
    const at = this.offset + IDENTIFICATION;
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  get dontFragment(): boolean {
    return (this.bytes[this.offset + FLAGS] & DONT_FRAGMENT) !== 0;
  }

  get moreFragments(): boolean {
    return (this.bytes[this.offset + FLAGS] & MORE_FRAGMENTS) !== 0;
  }

  /** Where this fragment's payload belongs in the whole one, in bytes. Only at 0 does it begin with a header. */
  get fragmentOffset(): number {
    const at = this.offset + FLAGS;
    return (((this.bytes[at] & 0x1f) << 8) | this.bytes[at + 1]) << 3;
  }

  get isFragment(): boolean {
    return this.moreFragments || this.fragmentOffset !== 0;
  }

  /** Time to live. */
  get hopLimit(): number {
    return this.bytes[this.offset + TTL];
  }

  get protocol(): number {
    return this.bytes[this.offset + PROTOCOL];
  }

  get sourceOffset(): number {
    return this.offset + SOURCE;
  }

  get destinationOffset(): number {
    return this.offset + DESTINATION;
  }

  get payloadOffset(): number {
    return this.offset + this.headerLength;
  }

  get payloadLength(): number {
    return this.totalLength - this.headerLength;
  }

  get checksumRight(): boolean {
    return isSumRight(addToSum(0, this.bytes, this.offset, this.headerLength));
  }

  /** Sum of the pseudo header for `length` bytes of `protocol` in this packet. */
  pseudoSum(protocol: number, length: number): number {
    return pseudoSum4(this.bytes, this.offset, protocol, length);
  }
}

Object.freeze(Ipv4View.prototype);

/**
 * Writes a header without options at `into[at ..]` and returns its 20 bytes. `totalLength` counts the header. The
 * packet is not to be fragmented, so its identification may be anything (RFC 6864 section 4.1) and is 0.
 */
export function writeIpv4Header(
  into: Uint8Array,
  at: number,
  totalLength: number,
  protocol: number,
  source: Uint8Array,
  sourceAt: number,
  destination: Uint8Array,
  destinationAt: number,
): number {
  // Both addresses are read before anything is written: they may lie in the header that is being replaced.
  const s0 = source[sourceAt];
  const s1 = source[sourceAt + 1];
  const s2 = source[sourceAt + 2];
  const s3 = source[sourceAt + 3];
  for (let i = 0; i < 4; i++) into[at + DESTINATION + i] = destination[destinationAt + i];
  into[at + SOURCE] = s0;
  into[at + SOURCE + 1] = s1;
  into[at + SOURCE + 2] = s2;
  into[at + SOURCE + 3] = s3;
  into[at] = 0x45;
  into[at + TOS] = 0;
  into[at + TOTAL_LENGTH] = totalLength >>> 8;
  into[at + TOTAL_LENGTH + 1] = totalLength;
  into[at + IDENTIFICATION] = 0;
  into[at + IDENTIFICATION + 1] = 0;
  into[at + FLAGS] = DONT_FRAGMENT;
  into[at + FLAGS + 1] = 0;
  into[at + TTL] = DEFAULT_TTL;
  into[at + PROTOCOL] = protocol;
  into[at + CHECKSUM] = 0;
  into[at + CHECKSUM + 1] = 0;
  const checksum = checksumOfSum(addToSum(0, into, at, IPV4_HEADER_BYTES));
  into[at + CHECKSUM] = checksum >>> 8;
  into[at + CHECKSUM + 1] = checksum;
  return IPV4_HEADER_BYTES;
}
