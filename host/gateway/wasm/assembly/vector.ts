/**
 * What `sendmmsg` and `recvmmsg` are given: 64 messages with everything they point to, as 64-bit little-endian Linux
 * has them. Written once but for what changes.
 */

import { MEMORY_BASE } from './layout';

export const VECTOR_MESSAGES: u32 = 64;
export const VECTOR_BYTES: usize = 0x4000;

const HEADERS: usize = 0; // struct mmsghdr, 64 bytes each
const BUFFERS: usize = 0x1000; // struct iovec, 16 bytes each
const NAMES: usize = 0x1400; // 32 bytes each
const CONTROLS: usize = 0x1c00; // 128 bytes each
const OWNERS: usize = 0x3c00; // u32 each: the peer's record, for whoever has to explain a failure

const NAME_BYTES: usize = 32;
export const CONTROL_BYTES: usize = 128;

// struct msghdr, and behind it what makes it a struct mmsghdr
const NAME: usize = 0;
const NAME_LENGTH: usize = 8;
const IOV: usize = 16;
const IOV_COUNT: usize = 24;
const CONTROL: usize = 32;
const CONTROL_LENGTH: usize = 40;
const FLAGS: usize = 48;
const LENGTH: usize = 56;

const MSG_TRUNC: u32 = 0x20;
const MSG_CTRUNC: u32 = 0x08;

@inline
function header(vector: usize, i: u32): usize {
  return vector + HEADERS + (usize(i) << 6);
}

@inline
export function nameOf(vector: usize, i: u32): usize {
  return vector + NAMES + usize(i) * NAME_BYTES;
}

@inline
export function controlOf(vector: usize, i: u32): usize {
  return vector + CONTROLS + usize(i) * CONTROL_BYTES;
}

@inline
export function setOwner(vector: usize, i: u32, owner: usize): void {
  store<u32>(vector + OWNERS + (usize(i) << 2), u32(owner));
}

export function ownerOf(vector: usize, i: u32): usize {
  return usize(load<u32>(vector + OWNERS + (usize(i) << 2)));
}

/** Writes what stays. */
export function initVector(vector: usize): void {
  const base = load<u64>(MEMORY_BASE);
  for (let i: u32 = 0; i < VECTOR_MESSAGES; i++) {
    const place = header(vector, i);
    store<u64>(place + NAME, base + u64(nameOf(vector, i)));
    store<u64>(place + IOV, base + u64(vector + BUFFERS + (usize(i) << 4)));
    store<u64>(place + IOV_COUNT, 1);
    store<u64>(place + CONTROL, base + u64(controlOf(vector, i)));
  }
}

@inline
export function setBuffer(vector: usize, i: u32, address: usize, length: usize): void {
  const place = vector + BUFFERS + (usize(i) << 4);
  store<u64>(place, load<u64>(MEMORY_BASE) + u64(address));
  store<u64>(place + 8, u64(length));
}

export function bufferAt(vector: usize, i: u32): usize {
  return usize(load<u64>(vector + BUFFERS + (usize(i) << 4)) - load<u64>(MEMORY_BASE));
}

export function bufferLength(vector: usize, i: u32): usize {
  return usize(load<u64>(vector + BUFFERS + (usize(i) << 4) + 8));
}

@inline
export function setLengths(vector: usize, i: u32, name: usize, control: usize): void {
  const place = header(vector, i);
  store<u32>(place + NAME_LENGTH, u32(name));
  store<u64>(place + CONTROL_LENGTH, u64(control));
  store<u32>(place + FLAGS, 0);
}

@inline
export function receivedLength(vector: usize, i: u32): usize {
  return usize(load<u32>(header(vector, i) + LENGTH));
}

@inline
export function controlLength(vector: usize, i: u32): usize {
  return usize(load<u64>(header(vector, i) + CONTROL_LENGTH));
}

/** The kernel had more to say than there was room for. */
@inline
export function isTruncated(vector: usize, i: u32): bool {
  return (load<u32>(header(vector, i) + FLAGS) & (MSG_TRUNC | MSG_CTRUNC)) != 0;
}
