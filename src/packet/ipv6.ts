/** IPv6 (RFC 8200): a checked view that walks the extension headers, and the header writer. */

import { pseudoSum6 } from './checksum.js';
import {
  IPV6_HEADER_BYTES,
  ipLength,
  PROTOCOL_AH,
  PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_FRAGMENT,
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ROUTING,
} from './ip.js';
import { DEFAULT_TTL } from './ipv4.js';

/**
 * Our own choice: most extension headers before the payload. RFC 8200 section 4.1 names six kinds, one of which may
 * come twice; a longer chain is an attempt to hide something.
 */
export const MAX_EXTENSION_HEADERS = 7;

/** RFC 6275, RFC 7401 and RFC 5533: extension headers with the standard layout of RFC 6564. */
const PROTOCOL_MOBILITY = 135;
const PROTOCOL_HIP = 139;
const PROTOCOL_SHIM6 = 140;

const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

const EMPTY = new Uint8Array(0);

/**
 * Points at a packet in somebody else's bytes. After `at` returned true, no accessor looks outside of
 * `bytes[offset .. offset + length)`. Before that, or after false, the accessors mean nothing.
 */
export class Ipv6View {
  readonly version = 6;
  bytes: Uint8Array = EMPTY;
  offset = 0;
  /** Bytes of header and payload as the header says; trailing padding is left out. */
  totalLength = 0;
  /**
   * The upper layer's protocol, behind all extension headers. ESP and "no next header" count as upper layers, for
   * nothing behind them can be read.
   */
  protocol = 0;
  /** Where the upper layer begins; in a fragment that is not the first, where its part of the payload begins. */
  payloadOffset = 0;
  isFragment = false;
  moreFragments = false;
  /** Where this fragment's payload belongs in the whole one, in bytes. Only at 0 does it begin with a header. */
  fragmentOffset = 0;

  /**
   * Points the view at a packet. False when a header is cut short or contradicts itself, when the chain of extension
   * headers is longer than `MAX_EXTENSION_HEADERS` or out of order where the order matters, and when a routing header
   * has still to be acted on: what cannot be understood is refused, not guessed.
   */
  at(bytes: Uint8Array, offset: number, length: number): boolean {
    const total = ipLength(bytes, offset, length);
    if (total === 0 || bytes[offset] >>> 4 !== 6) return false;
    this.bytes = bytes;
    this.offset = offset;
    this.totalLength = total;
    this.isFragment = false;
    this.moreFragments = false;
    this.fragmentOffset = 0;
    return this.#walk(offset + total);
  }

  get trafficClass(): number {
    return ((this.bytes[this.offset] & 15) << 4) | (this.bytes[this.offset + 1] >>> 4);
  }

  get flowLabel(): number {
    const at = this.offset + 1;
    return ((this.bytes[at] & 15) << 16) | (this.bytes[at + 1] << 8) | this.bytes[at + 2];
  }

  get hopLimit(): number {
    return this.bytes[this.offset + HOP_LIMIT];
  }

  get sourceOffset(): number {
    return this.offset + SOURCE;
  }

  get destinationOffset(): number {
    return this.offset + DESTINATION;
  }

  /** Bytes of header, extension headers included. */
  get headerLength(): number {
    return this.payloadOffset - this.offset;
  }

  get payloadLength(): number {
    return this.offset + this.totalLength - this.payloadOffset;
  }

  /** Sum of the pseudo header for `length` bytes of `protocol` in this packet. */
  pseudoSum(protocol: number, length: number): number {
    return pseudoSum6(this.bytes, this.offset, protocol, length);
  }

  /** RFC 8200 section 4: from one next-header field to the next, each step at least eight bytes. */
  #walk(end: number): boolean {
    const bytes = this.bytes;
    let next = bytes[this.offset + NEXT_HEADER];
    let at = this.offset + IPV6_HEADER_BYTES;
    for (let count = 0; isExtensionHeader(next); count++) {
      if (count === MAX_EXTENSION_HEADERS || at + 8 > end) return false;
      // RFC 8200 section 4.1: hop-by-hop options only directly behind the IPv6 header.
      if (next === PROTOCOL_HOP_BY_HOP && count > 0) return false;
      if (next === PROTOCOL_FRAGMENT) {
        // RFC 8200 section 4.5. A second fragment header would be a fragment of a fragment.
        if (this.isFragment) return false;
        this.fragmentOffset = (bytes[at + 2] << 8) | (bytes[at + 3] & 0xf8);
        this.moreFragments = (bytes[at + 3] & 1) !== 0;
        this.isFragment = true;
        next = bytes[at];
        at += 8;
        // The chain goes on in the first fragment only (RFC 7112); behind a later one comes plain payload.
        if (this.fragmentOffset !== 0) break;
        continue;
      }
      // RFC 8200 section 4.4: segments left mean that the destination is not the final one (and RFC 5095).
      if (next === PROTOCOL_ROUTING && bytes[at + 3] !== 0) return false;
      // RFC 4302 section 2.2 counts in words of four bytes less two; all others in eight bytes less the first eight.
      const size = next === PROTOCOL_AH ? (bytes[at + 1] + 2) << 2 : (bytes[at + 1] + 1) << 3;
      if (at + size > end) return false;
      next = bytes[at];
      at += size;
    }
    this.protocol = next;
    this.payloadOffset = at;
    return true;
  }
}

Object.freeze(Ipv6View.prototype);

function isExtensionHeader(protocol: number): boolean {
  switch (protocol) {
    case PROTOCOL_HOP_BY_HOP:
    case PROTOCOL_ROUTING:
    case PROTOCOL_FRAGMENT:
    case PROTOCOL_AH:
    case PROTOCOL_DESTINATION_OPTIONS:
    case PROTOCOL_MOBILITY:
    case PROTOCOL_HIP:
    case PROTOCOL_SHIM6:
      return true;
    default:
      return false;
  }
}

/** Writes a header at `into[at ..]` and returns its 40 bytes. `totalLength` counts the header. */
export function writeIpv6Header(
  into: Uint8Array,
  at: number,
  totalLength: number,
  protocol: number,
  source: Uint8Array,
  sourceAt: number,
  destination: Uint8Array,
  destinationAt: number,
): number {
  // Pairwise, so that both addresses may lie in the header that is being replaced, swapped or not.
  for (let i = 0; i < 16; i++) {
    const from = source[sourceAt + i];
    into[at + DESTINATION + i] = destination[destinationAt + i];
    into[at + SOURCE + i] = from;
  }
  const payload = totalLength - IPV6_HEADER_BYTES;
  into[at] = 0x60;
  into[at + 1] = 0;
  into[at + 2] = 0;
  into[at + 3] = 0;
  into[at + PAYLOAD_LENGTH] = payload >>> 8;
  into[at + PAYLOAD_LENGTH + 1] = payload;
  into[at + NEXT_HEADER] = protocol;
  into[at + HOP_LIMIT] = DEFAULT_TTL;
  return IPV6_HEADER_BYTES;
}
