/**
 * Endpoint records (`src/packet/endpoint.ts`) and what Linux wants instead: a socket address, and as a control message
 * the address of ours to send from. Our addresses are numbered as they are met; the number is the record's second byte.
 */

import { LOCALS, LOCALS_MOST, LOCAL_BYTES, LOCAL_COUNT, LOCAL_LOCK } from './layout';

export const RECORD_BYTES: usize = 24;
const RECORD_LOCAL: usize = 1;
const RECORD_PORT: usize = 2;
const RECORD_SCOPE: usize = 4;
const RECORD_ADDRESS: usize = 8;

export const FAMILY_NONE: u32 = 0;
export const FAMILY_IPV4: u32 = 4;
export const FAMILY_IPV6: u32 = 6;

// linux/socket.h, linux/in.h, linux/in6.h
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
export const NAME4_BYTES: usize = 16;
export const NAME6_BYTES: usize = 28;
const NAME_PORT: usize = 2;
const NAME4_ADDRESS: usize = 4;
const NAME6_ADDRESS: usize = 8;
const NAME6_SCOPE: usize = 24;

const LOCAL_FAMILY: usize = 0;
const LOCAL_INTERFACE: usize = 4;
const LOCAL_ADDRESS: usize = 8;

/** Tries for the lock: whoever holds it does so for some hundred instructions, or has died. */
const LOCK_TRIES: u32 = 10000;

/** Writes the socket address of a record; its length, 0 when UDP cannot reach it. 32 bytes are written. */
export function writeName(name: usize, record: usize): usize {
  const family = u32(load<u8>(record));
  store<u64>(name, 0);
  store<u64>(name + 8, 0);
  store<u64>(name + 16, 0);
  store<u64>(name + 24, 0);
  store<u16>(name + NAME_PORT, load<u16>(record + RECORD_PORT));
  if (family == FAMILY_IPV4) {
    store<u16>(name, AF_INET);
    store<u32>(name + NAME4_ADDRESS, load<u32>(record + RECORD_ADDRESS));
    return NAME4_BYTES;
  }
  if (family != FAMILY_IPV6) return 0;
  store<u16>(name, AF_INET6);
  store<u64>(name + NAME6_ADDRESS, load<u64>(record + RECORD_ADDRESS));
  store<u64>(name + NAME6_ADDRESS + 8, load<u64>(record + RECORD_ADDRESS + 8));
  store<u32>(name + NAME6_SCOPE, load<u32>(record + RECORD_SCOPE));
  return NAME6_BYTES;
}

/** The record of a socket address; `local` is the number of ours. */
export function readName(record: usize, name: usize, local: u32): void {
  const six = load<u16>(name) == AF_INET6;
  store<u64>(record + RECORD_ADDRESS, 0);
  store<u64>(record + RECORD_ADDRESS + 8, 0);
  store<u8>(record, u8(six ? FAMILY_IPV6 : FAMILY_IPV4));
  store<u8>(record + RECORD_LOCAL, u8(local));
  store<u16>(record + RECORD_PORT, load<u16>(name + NAME_PORT));
  store<u32>(record + RECORD_SCOPE, six ? load<u32>(name + NAME6_SCOPE) : 0);
  if (!six) {
    store<u32>(record + RECORD_ADDRESS, load<u32>(name + NAME4_ADDRESS));
    return;
  }
  store<u64>(record + RECORD_ADDRESS, load<u64>(name + NAME6_ADDRESS));
  store<u64>(record + RECORD_ADDRESS + 8, load<u64>(name + NAME6_ADDRESS + 8));
}

export function sameRecord(a: usize, b: usize): bool {
  return load<u64>(a) == load<u64>(b) && load<u64>(a + 8) == load<u64>(b + 8) && load<u64>(a + 16) == load<u64>(b + 16);
}

export function copyRecord(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to + 8, load<u64>(from + 8));
  store<u64>(to + 16, load<u64>(from + 16));
}

@inline
function isLinkLocal(address: usize): bool {
  // fe80::/10, RFC 4291 section 2.5.6
  return load<u8>(address) == 0xfe && (load<u8>(address + 1) & 0xc0) == 0x80;
}

/**
 * Number of our own address (4 bytes, or 16) at which a datagram came in over an interface; 0 when there is no number
 * left. Of the interfaces only those of link-local addresses count: for others routing chooses the way.
 */
export function localNumber(family: u32, address: usize, iface: u32): u32 {
  const scope = family == FAMILY_IPV6 && isLinkLocal(address) ? iface : 0;
  const known = findLocal(1, family, address, scope);
  if (known != 0) return known;
  let tries: u32 = 0;
  while (atomic.cmpxchg<u32>(LOCAL_LOCK, 0, 1) != 0) if (++tries == LOCK_TRIES) return 0;
  const count = load<u32>(LOCAL_COUNT);
  let number = findLocal(1, family, address, scope);
  if (number == 0 && count < LOCALS_MOST) {
    const place = localAt(count + 1);
    store<u32>(place + LOCAL_FAMILY, family);
    store<u32>(place + LOCAL_INTERFACE, scope);
    store<u64>(place + LOCAL_ADDRESS, family == FAMILY_IPV4 ? u64(load<u32>(address)) : load<u64>(address));
    store<u64>(place + LOCAL_ADDRESS + 8, family == FAMILY_IPV4 ? 0 : load<u64>(address + 8));
    atomic.store<u32>(LOCAL_COUNT, count + 1);
    number = count + 1;
  }
  atomic.store<u32>(LOCAL_LOCK, 0);
  return number;
}

@inline
function localAt(number: u32): usize {
  return LOCALS + usize(number - 1) * LOCAL_BYTES;
}

function findLocal(from: u32, family: u32, address: usize, scope: u32): u32 {
  const low = family == FAMILY_IPV4 ? u64(load<u32>(address)) : load<u64>(address);
  const high = family == FAMILY_IPV4 ? 0 : load<u64>(address + 8);
  const count = atomic.load<u32>(LOCAL_COUNT);
  for (let i = from; i <= count; i++) {
    const place = localAt(i);
    if (load<u64>(place + LOCAL_ADDRESS) == low && load<u64>(place + LOCAL_ADDRESS + 8) == high &&
      load<u32>(place + LOCAL_FAMILY) == family && load<u32>(place + LOCAL_INTERFACE) == scope) return i;
  }
  return 0;
}

// struct cmsghdr of 64-bit Linux: length u64, level i32, type i32; what follows is padded to 8 bytes.
export const CMSG_HEADER: usize = 16;
const SOL_IP: u32 = 0;
const SOL_IPV6: u32 = 41;
const SOL_UDP: u32 = 17;
const IP_PKTINFO: u32 = 8;
const IPV6_PKTINFO: u32 = 50;
const IP_TOS: u32 = 1;
const IPV6_TCLASS: u32 = 67;
const UDP_SEGMENT: u32 = 103;
const UDP_GRO: u32 = 104;

@inline
function writeHeader(place: usize, length: usize, level: u32, type: u32): void {
  store<u64>(place, u64(CMSG_HEADER + length));
  store<u32>(place + 8, level);
  store<u32>(place + 12, type);
}

/** "From this address of ours", for the record's number; the bytes written, 0 when the record leaves it to routing. */
export function writeLocal(control: usize, record: usize): usize {
  const number = u32(load<u8>(record + RECORD_LOCAL));
  if (number == 0 || number > atomic.load<u32>(LOCAL_COUNT)) return 0;
  const local = localAt(number);
  const family = u32(load<u8>(record));
  if (load<u32>(local + LOCAL_FAMILY) != family) return 0;
  if (family == FAMILY_IPV4) {
    // struct in_pktinfo: interface, source address, header's address
    writeHeader(control, 12, SOL_IP, IP_PKTINFO);
    store<u32>(control + 16, 0);
    store<u32>(control + 20, load<u32>(local + LOCAL_ADDRESS));
    store<u64>(control + 24, 0);
    return 32;
  }
  writeHeader(control, 20, SOL_IPV6, IPV6_PKTINFO);
  store<u64>(control + 16, load<u64>(local + LOCAL_ADDRESS));
  store<u64>(control + 24, load<u64>(local + LOCAL_ADDRESS + 8));
  store<u64>(control + 32, u64(load<u32>(local + LOCAL_INTERFACE)));
  return 40;
}

/** "Cut into datagrams of this size"; the bytes written. */
export function writeSegmentSize(control: usize, size: usize): usize {
  writeHeader(control, 2, SOL_UDP, UDP_SEGMENT);
  store<u64>(control + 16, u64(size));
  return 24;
}

/** Traffic class of the outer header; the bytes written. */
export function writeTrafficClass(control: usize, family: u32, value: u32): usize {
  writeHeader(control, 4, family == FAMILY_IPV4 ? SOL_IP : SOL_IPV6, family == FAMILY_IPV4 ? IP_TOS : IPV6_TCLASS);
  store<u64>(control + 16, u64(value));
  return 24;
}

/** What `readControl` found. */
export let receivedSegment: usize = 0;
export let receivedLocal: u32 = 0;
export let receivedClass: u32 = 0;

export function clearControl(): void {
  receivedSegment = 0;
  receivedLocal = 0;
  receivedClass = 0;
}

/** Reads what the kernel says beside a received buffer: the size of its datagrams, our address, the traffic class. */
export function readControl(control: usize, length: usize): void {
  clearControl();
  const end = control + length;
  let place = control;
  while (place + CMSG_HEADER <= end) {
    const size = usize(load<u64>(place));
    if (size < CMSG_HEADER || size > usize(end - place)) return;
    const level = load<u32>(place + 8);
    const type = load<u32>(place + 12);
    const data = place + CMSG_HEADER;
    if (level == SOL_UDP && type == UDP_GRO) receivedSegment = usize(load<i32>(data));
    else if (level == SOL_IP && type == IP_PKTINFO) receivedLocal = localNumber(FAMILY_IPV4, data + 4, load<u32>(data));
    else if (level == SOL_IP && type == IP_TOS) receivedClass = u32(load<u8>(data));
    else if (level == SOL_IPV6 && type == IPV6_PKTINFO) {
      receivedLocal = localNumber(FAMILY_IPV6, data, load<u32>(data + 16));
    } else if (level == SOL_IPV6 && type == IPV6_TCLASS) receivedClass = load<u32>(data) & 255;
    place += (size + 7) & ~7;
  }
}
