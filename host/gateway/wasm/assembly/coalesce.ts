/**
 * Receive-side coalescing: in-order TCP segments of one flow become one super-packet, which TUN takes in one write.
 * Only what Linux's own GRO would merge is merged, and only after the segment's checksum was verified: a packet that
 * was damaged inside the tunnel stays a separate, damaged packet for the receiving stack to refuse.
 */

import { DELIVERIES, FLOWS, SUPERS, SUPER_BYTES, SUPER_COUNT, at } from './layout';
import {
  FLAG_ACK, FLAG_PSH, IPV4_CHECKSUM, IPV4_FRAGMENT, IPV4_HEADER, IPV4_ID, IPV4_LENGTH, IPV4_PROTOCOL, IPV4_SOURCE,
  IPV4_TOS, IPV4_TTL, IPV6_HEADER, IPV6_HOP_LIMIT, IPV6_LENGTH, IPV6_NEXT_HEADER, IPV6_SOURCE, PROTOCOL_TCP,
  TCP_ACKNOWLEDGMENT, TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER, TCP_SEQUENCE, TCP_URGENT, TCP_WINDOW,
  load16, load32, store16,
} from './ip';
import {
  GSO_TCPV4, GSO_TCPV6, NEEDS_CHECKSUM, VNET_BYTES, VNET_CHECKSUM_OFFSET, VNET_CHECKSUM_START, VNET_FLAGS,
  VNET_GSO_SIZE, VNET_GSO_TYPE, VNET_HEADER_LENGTH, writePlain,
} from './virtio';
import { complement, copyAndSum, fold, networkWord, pseudoHeader, sum } from './checksum';

/** Largest IP packet. */
const SUPER_LIMIT: usize = 65535;
/** Header room before a super-packet, so that the packet itself is aligned. */
const SUPER_HEADROOM: usize = 16;
/** Don't Fragment as the flags word lies in memory; any other bit of that word stops coalescing. */
const DONT_FRAGMENT: u32 = 0x0040;

// A flow's record; one for each super-packet buffer.
const FLOW_BYTES: usize = 32;
const FLOW_OPEN: usize = 0; // u32: 1 while segments may be added
const FLOW_LENGTH: usize = 4; // u32: bytes of the packet so far
const FLOW_HEADERS: usize = 8; // u32
const FLOW_PIECE: usize = 12; // u32: payload of the first segment
const FLOW_COUNT: usize = 16; // u32: segments so far
const FLOW_NEXT: usize = 20; // u32: sequence number expected next
const FLOW_ENTRY: usize = 24; // u32: index in the delivery list

let flowsUsed: u32 = 0;
let entries: u32 = 0;

@inline
function flowAt(i: u32): usize {
  return at(FLOWS) + usize(i) * FLOW_BYTES;
}

@inline
function superAt(i: u32): usize {
  return at(SUPERS) + usize(i) * SUPER_BYTES + SUPER_HEADROOM;
}

/** Empties the delivery list; everything on it has been written. */
export function clearDeliveries(): void {
  flowsUsed = 0;
  entries = 0;
}

/** Super-packets that can still be begun before `finishDeliveries` and `clearDeliveries`. */
export function supersLeft(): u32 {
  return SUPER_COUNT - flowsUsed;
}

/** Completes all super-packets. Returns the number of entries (address u32, length u32) in the delivery list. */
export function finishDeliveries(): u32 {
  for (let i: u32 = 0; i < flowsUsed; i++) if (load<u32>(flowAt(i) + FLOW_OPEN) != 0) close(i);
  return entries;
}

function addEntry(frame: usize, length: usize): u32 {
  const entry = at(DELIVERIES) + (usize(entries) << 3);
  store<u32>(entry, u32(frame));
  store<u32>(entry + 4, u32(length));
  return entries++;
}

/** Delivers the packet as it is, from where it is; the ten bytes before it become its header. */
function deliverPlain(packet: usize, length: usize): void {
  writePlain(packet - VNET_BYTES);
  addEntry(packet - VNET_BYTES, length + VNET_BYTES);
}

/**
 * Puts an IP packet, whose length was checked against its own header, on the delivery list or into a super-packet
 * that is already on it. Packets of one TCP connection keep their order.
 */
export function deliver(packet: usize, length: usize): void {
  const version = u32(load<u8>(packet) >> 4);
  const transport = version == 4 ? IPV4_HEADER : IPV6_HEADER;
  if (!isTcp(packet, length, version, transport)) {
    deliverPlain(packet, length);
    return;
  }
  const tcp = packet + transport;
  const headers = transport + (usize(load<u8>(tcp + TCP_DATA_OFFSET) >> 4) << 2);
  const flags = u32(load<u8>(tcp + TCP_FLAGS));
  const flow = findFlow(packet, version, transport);
  const mergeable = (flags & ~FLAG_PSH) == FLAG_ACK && headers >= transport + TCP_HEADER && headers < length &&
    (load<u8>(tcp + TCP_DATA_OFFSET) & 15) == 0;
  if (flow >= 0) {
    if (mergeable && continues(u32(flow), packet, length, version, transport, headers)) {
      if (append(u32(flow), packet, length, version, transport, headers)) {
        if ((flags & FLAG_PSH) != 0 || length - headers < usize(load<u32>(flowAt(u32(flow)) + FLOW_PIECE))) {
          close(u32(flow));
        }
        return;
      }
    }
    close(u32(flow));
  }
  // A segment that ends a super-packet gains nothing by starting one.
  if (!mergeable || (flags & FLAG_PSH) != 0 || !start(packet, length, version, transport, headers)) {
    deliverPlain(packet, length);
  }
}

/** TCP directly behind a fixed IP header, whole, with a sound header checksum. */
function isTcp(packet: usize, length: usize, version: u32, transport: usize): bool {
  if (length < transport + TCP_HEADER) return false;
  if (version == 4) {
    return load<u8>(packet) == 0x45 && load<u8>(packet + IPV4_PROTOCOL) == PROTOCOL_TCP &&
      (u32(load<u16>(packet + IPV4_FRAGMENT)) & ~DONT_FRAGMENT) == 0 &&
      load16(packet + IPV4_LENGTH) == length && fold(sum(packet, IPV4_HEADER)) == 0xffff;
  }
  return load<u8>(packet + IPV6_NEXT_HEADER) == PROTOCOL_TCP && IPV6_HEADER + load16(packet + IPV6_LENGTH) == length;
}

/** The open flow of the packet's connection, or -1. */
function findFlow(packet: usize, version: u32, transport: usize): i32 {
  for (let i: u32 = 0; i < flowsUsed; i++) {
    if (load<u32>(flowAt(i) + FLOW_OPEN) == 0) continue;
    const first = superAt(i);
    if (u32(load<u8>(first) >> 4) != version) continue;
    if (load<u32>(first + transport) != load<u32>(packet + transport)) continue;
    if (version == 4) {
      if (load<u64>(first + IPV4_SOURCE) == load<u64>(packet + IPV4_SOURCE)) return i32(i);
    } else if (same16(first + IPV6_SOURCE, packet + IPV6_SOURCE) && same16(first + IPV6_SOURCE + 16, packet + IPV6_SOURCE + 16)) {
      return i32(i);
    }
  }
  return -1;
}

@inline
function same16(a: usize, b: usize): bool {
  return !v128.any_true(v128.xor(v128.load(a), v128.load(b)));
}

/** True when the segment is what follows, under the very same headers. */
function continues(i: u32, packet: usize, length: usize, version: u32, transport: usize, headers: usize): bool {
  const flow = flowAt(i);
  const first = superAt(i);
  const tcp = packet + transport;
  const firstTcp = first + transport;
  if (usize(load<u32>(flow + FLOW_HEADERS)) != headers) return false;
  if (load32(tcp + TCP_SEQUENCE) != load<u32>(flow + FLOW_NEXT)) return false;
  if (length - headers > usize(load<u32>(flow + FLOW_PIECE))) return false;
  if (usize(load<u32>(flow + FLOW_LENGTH)) + (length - headers) > SUPER_LIMIT) return false;
  if (load<u32>(tcp + TCP_ACKNOWLEDGMENT) != load<u32>(firstTcp + TCP_ACKNOWLEDGMENT)) return false;
  if (load<u16>(tcp + TCP_WINDOW) != load<u16>(firstTcp + TCP_WINDOW)) return false;
  if (load<u16>(tcp + TCP_URGENT) != load<u16>(firstTcp + TCP_URGENT)) return false;
  for (let o = transport + TCP_HEADER; o < headers; o += 4) {
    if (load<u32>(packet + o) != load<u32>(first + o)) return false;
  }
  if (version == 4) {
    return load<u8>(packet + IPV4_TOS) == load<u8>(first + IPV4_TOS) &&
      load<u8>(packet + IPV4_TTL) == load<u8>(first + IPV4_TTL) &&
      load<u16>(packet + IPV4_FRAGMENT) == load<u16>(first + IPV4_FRAGMENT) &&
      load16(packet + IPV4_ID) == ((load16(first + IPV4_ID) + usize(load<u32>(flow + FLOW_COUNT))) & 0xffff);
  }
  // Version, traffic class and flow label are one word.
  return load<u32>(packet) == load<u32>(first) && load<u8>(packet + IPV6_HOP_LIMIT) == load<u8>(first + IPV6_HOP_LIMIT);
}

/** Copies the payload behind the super-packet; false, and nothing changed, when the segment's checksum is wrong. */
function append(i: u32, packet: usize, length: usize, version: u32, transport: usize, headers: usize): bool {
  const flow = flowAt(i);
  const first = superAt(i);
  const end = usize(load<u32>(flow + FLOW_LENGTH));
  const payload = length - headers;
  const total = pseudoHeader(packet, version, PROTOCOL_TCP) + networkWord(length - transport) +
    sum(packet + transport, headers - transport) + copyAndSum(first + end, packet + headers, payload);
  if (fold(total) != 0xffff) return false;
  store<u32>(flow + FLOW_LENGTH, u32(end + payload));
  store<u32>(flow + FLOW_COUNT, load<u32>(flow + FLOW_COUNT) + 1);
  store<u32>(flow + FLOW_NEXT, load<u32>(flow + FLOW_NEXT) + u32(payload));
  const flags = load<u8>(packet + transport + TCP_FLAGS);
  store<u8>(first + transport + TCP_FLAGS, load<u8>(first + transport + TCP_FLAGS) | flags);
  return true;
}

/** Begins a super-packet; false when all buffers are taken or the segment's checksum is wrong. */
function start(packet: usize, length: usize, version: u32, transport: usize, headers: usize): bool {
  if (flowsUsed >= SUPER_COUNT || length > SUPER_LIMIT) return false;
  const flow = flowAt(flowsUsed);
  const first = superAt(flowsUsed);
  const total = pseudoHeader(packet, version, PROTOCOL_TCP) + networkWord(length - transport) +
    sum(packet + transport, headers - transport) + copyAndSum(first + headers, packet + headers, length - headers);
  if (fold(total) != 0xffff) return false;
  memory.copy(first, packet, headers);
  writePlain(first - VNET_BYTES);
  store<u32>(flow + FLOW_OPEN, 1);
  store<u32>(flow + FLOW_LENGTH, u32(length));
  store<u32>(flow + FLOW_HEADERS, u32(headers));
  store<u32>(flow + FLOW_PIECE, u32(length - headers));
  store<u32>(flow + FLOW_COUNT, 1);
  store<u32>(flow + FLOW_NEXT, load32(packet + transport + TCP_SEQUENCE) + u32(length - headers));
  store<u32>(flow + FLOW_ENTRY, addEntry(first - VNET_BYTES, length + VNET_BYTES));
  flowsUsed++;
  return true;
}

/** No more segments for this one: completes headers when there are several. A single segment is left as it came. */
function close(i: u32): void {
  const flow = flowAt(i);
  const first = superAt(i);
  const length = usize(load<u32>(flow + FLOW_LENGTH));
  store<u32>(flow + FLOW_OPEN, 0);
  if (load<u32>(flow + FLOW_COUNT) == 1) return;
  const version = u32(load<u8>(first) >> 4);
  const transport = version == 4 ? IPV4_HEADER : IPV6_HEADER;
  if (version == 4) {
    store16(first + IPV4_LENGTH, length);
    store<u16>(first + IPV4_CHECKSUM, 0);
    store<u16>(first + IPV4_CHECKSUM, complement(sum(first, IPV4_HEADER)));
  } else {
    store16(first + IPV6_LENGTH, length - IPV6_HEADER);
  }
  // The pseudo-header's sum alone: whoever takes the packet apart, or checks it, knows it is still to be completed.
  const pseudo = pseudoHeader(first, version, PROTOCOL_TCP) + networkWord(length - transport);
  store<u16>(first + transport + TCP_CHECKSUM, u16(fold(pseudo)));
  const header = first - VNET_BYTES;
  store<u8>(header + VNET_FLAGS, u8(NEEDS_CHECKSUM));
  store<u8>(header + VNET_GSO_TYPE, u8(version == 4 ? GSO_TCPV4 : GSO_TCPV6));
  store<u16>(header + VNET_HEADER_LENGTH, u16(load<u32>(flow + FLOW_HEADERS)));
  store<u16>(header + VNET_GSO_SIZE, u16(load<u32>(flow + FLOW_PIECE)));
  store<u16>(header + VNET_CHECKSUM_START, u16(transport));
  store<u16>(header + VNET_CHECKSUM_OFFSET, u16(TCP_CHECKSUM));
  store<u32>(at(DELIVERIES) + (usize(load<u32>(flow + FLOW_ENTRY)) << 3) + 4, u32(length + VNET_BYTES));
}
