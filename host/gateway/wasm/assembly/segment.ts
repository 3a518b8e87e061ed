/**
 * Cuts what TUN hands over with segmentation offload into the packets that go on the wire. The header the kernel
 * gives (`virtio_net_hdr`) is checked against the packet before anything is touched: what does not fit is refused.
 */

import {
  FLAG_CWR, FLAG_FIN, FLAG_PSH, IPV4_CHECKSUM, IPV4_HEADER, IPV4_ID, IPV4_LENGTH, IPV6_HEADER, IPV6_LENGTH,
  TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER, TCP_SEQUENCE, UDP_CHECKSUM, UDP_HEADER, UDP_LENGTH,
  ipLength, load16, load32, store16, store32,
} from './ip';
import {
  GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CHECKSUM, VNET_BYTES, VNET_CHECKSUM_OFFSET,
  VNET_CHECKSUM_START, VNET_FLAGS, VNET_GSO_SIZE, VNET_GSO_TYPE,
} from './virtio';
import { complement, copyAndSum, networkWord, sum } from './checksum';

export const NOT_IP: i32 = -1;
export const BAD_OFFLOAD: i32 = -2;

// The super-packet at hand. One at a time and per instance.
let packet: usize = 0;
let packetLength: usize = 0;
let version: u32 = 0;
let gsoType: u32 = 0;
/** Where TCP or UDP begins. */
let transport: usize = 0;
/** All headers: what is repeated before every piece of payload. */
let headers: usize = 0;
/** Payload bytes a segment. */
let piece: usize = 0;
/** Segments in all. */
let segments: u32 = 0;

/**
 * Takes up the packet behind the `virtio_net_hdr` at `frame`, `length` bytes with that header. Completes a missing
 * checksum at once when there is nothing to cut. Returns the number of segments, or NOT_IP, BAD_OFFLOAD.
 */
export function takeFrame(frame: usize, length: usize): i32 {
  segments = 0;
  if (length < VNET_BYTES + IPV4_HEADER) return NOT_IP;
  packet = frame + VNET_BYTES;
  packetLength = length - VNET_BYTES;
  if (ipLength(packet, packetLength) != packetLength) return NOT_IP;
  version = load<u8>(packet) >> 4;
  const flags = u32(load<u8>(frame + VNET_FLAGS));
  const start = usize(load<u16>(frame + VNET_CHECKSUM_START));
  const field = usize(load<u16>(frame + VNET_CHECKSUM_OFFSET));
  gsoType = u32(load<u8>(frame + VNET_GSO_TYPE)) & ~GSO_ECN;
  if (gsoType == GSO_NONE) {
    if ((flags & NEEDS_CHECKSUM) != 0 && !completeChecksum(start, field)) return BAD_OFFLOAD;
    piece = packetLength;
    headers = 0;
    segments = 1;
    return 1;
  }
  // Segmentation without a checksum to complete does not exist (virtio 1.2, section 5.1.6.2).
  if ((flags & NEEDS_CHECKSUM) == 0) return BAD_OFFLOAD;
  transport = start;
  piece = usize(load<u16>(frame + VNET_GSO_SIZE));
  if (piece == 0 || !headersFit(field)) return BAD_OFFLOAD;
  const payload = packetLength - headers;
  segments = payload == 0 ? 1 : u32((payload + piece - 1) / piece);
  return i32(segments);
}

/** RFC 1071 over `start..end`; the field already holds the pseudo-header's part. */
function completeChecksum(start: usize, field: usize): bool {
  if (start + field + 2 > packetLength || start < IPV4_HEADER) return false;
  const value = complement(sum(packet + start, packetLength - start));
  // A computed zero is sent as its twin, since zero means "none" in UDP (RFC 768).
  store<u16>(packet + start + field, value == 0 ? 0xffff : value);
  return true;
}

/** Checks that the headers are what the offload type says and sets `headers`. */
function headersFit(field: usize): bool {
  if (version == 4) {
    // Extension headers may stand before TCP in IPv6; in IPv4 the header's length says it all.
    if (transport != usize(load<u8>(packet) & 15) << 2 || transport < IPV4_HEADER) return false;
  } else if (transport < IPV6_HEADER) return false;
  if (gsoType == GSO_UDP_L4) {
    headers = transport + UDP_HEADER;
    return field == UDP_CHECKSUM && headers <= packetLength;
  }
  if (gsoType != (version == 4 ? GSO_TCPV4 : GSO_TCPV6)) return false;
  if (field != TCP_CHECKSUM || transport + TCP_HEADER > packetLength) return false;
  const tcpHeader = usize(load<u8>(packet + transport + TCP_DATA_OFFSET) >> 4) << 2;
  headers = transport + tcpHeader;
  return tcpHeader >= TCP_HEADER && headers <= packetLength;
}

/** Bytes of segment `index` of the packet at hand. */
export function segmentLength(index: u32): usize {
  if (gsoType == GSO_NONE) return packetLength;
  const from = headers + usize(index) * piece;
  return headers + min(piece, packetLength - from);
}

/** Writes segment `index`, complete with lengths, numbers and checksums, to `to`; its length. */
export function writeSegment(index: u32, to: usize): usize {
  if (gsoType == GSO_NONE) {
    memory.copy(to, packet, packetLength);
    return packetLength;
  }
  const length = segmentLength(index);
  const skip = usize(index) * piece;
  const last = index + 1 == segments;
  memory.copy(to, packet, headers);
  if (version == 4) {
    store16(to + IPV4_LENGTH, length);
    store16(to + IPV4_ID, load16(packet + IPV4_ID) + usize(index));
    store<u16>(to + IPV4_CHECKSUM, 0);
    store<u16>(to + IPV4_CHECKSUM, complement(sum(to, transport)));
  } else {
    store16(to + IPV6_LENGTH, length - IPV6_HEADER);
  }
  const segment = to + transport;
  let field = segment + UDP_CHECKSUM;
  if (gsoType == GSO_UDP_L4) {
    store16(segment + UDP_LENGTH, length - transport);
  } else {
    field = segment + TCP_CHECKSUM;
    store32(segment + TCP_SEQUENCE, load32(packet + transport + TCP_SEQUENCE) + u32(skip));
    let flags = u32(load<u8>(segment + TCP_FLAGS));
    if (index != 0) flags &= ~FLAG_CWR;
    if (!last) flags &= ~(FLAG_FIN | FLAG_PSH);
    store<u8>(segment + TCP_FLAGS, u8(flags));
  }
  // The field holds the pseudo-header's sum with the whole length; that part is taken out, the segment's put in.
  const pseudo = u64(load<u16>(field)) + (networkWord(packetLength - transport) ^ 0xffff) + networkWord(length - transport);
  store<u16>(field, 0);
  const total = pseudo + sum(segment, headers - transport) +
    copyAndSum(to + headers, packet + headers + skip, length - headers);
  const value = complement(total);
  store<u16>(field, value == 0 && gsoType == GSO_UDP_L4 ? 0xffff : value);
  return length;
}
