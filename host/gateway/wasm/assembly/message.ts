/** WireGuard transport data messages (paper, section 5.4.6) under the keys of a slot. */

import { LENGTH_BLOCK, SLOT_LOCK, SLOT_RECEIVE_KEY, SLOT_REMOTE_INDEX, SLOT_SEND_KEY, at } from './layout';
import { TAG_BYTES, peek } from './aead';
import { openContent, sealContent } from './native-aead';
import { IPV4_LENGTH, IPV6_HEADER, IPV6_LENGTH, load16 } from './ip';
import { acceptCounter } from './replay';

const TYPE_DATA: u32 = 4;
export const MESSAGE_HEADER: usize = 16;
export const MESSAGE_OVERHEAD: usize = MESSAGE_HEADER + TAG_BYTES;

export const NOT_DATA: i32 = -1;
export const BAD_TAG: i32 = -2;
export const REPLAYED: i32 = -3;

/**
 * Length of a packet with its padding: up to a multiple of 16, but padding never makes it longer than the MTU. A
 * packet longer than the MTU is padded by its length beyond whole MTUs, as other implementations do. `mtu` 0: no cap.
 */
export function paddedLength(length: usize, mtu: usize): usize {
  if (mtu == 0) return (length + 15) & ~15;
  const unit = length > mtu ? length % mtu : length;
  return length - unit + min((unit + 15) & ~15, mtu);
}

/**
 * Makes the message whose plaintext of `length` bytes lies at `message + 16`: pads to `padded` bytes, writes header
 * and tag. Returns the message's length.
 */
export function sealMessage(message: usize, length: usize, padded: usize, slot: usize, low: u32, high: u32): usize {
  store<u32>(message, TYPE_DATA);
  store<u32>(message + 4, load<u32>(slot + SLOT_REMOTE_INDEX));
  store<u32>(message + 8, low);
  store<u32>(message + 12, high);
  const packet = message + MESSAGE_HEADER;
  memory.fill(packet + length, 0, padded - length);
  sealContent(slot + SLOT_SEND_KEY, low, high, packet, padded);
  return padded + MESSAGE_OVERHEAD;
}

/** Tries for a window's lock: whoever holds it does so for some hundred instructions, or has died. */
const LOCK_TRIES: u32 = 10000;

/** Several threads may receive under one pair. False when another does not come to an end. */
function lock(slot: usize): bool {
  for (let tries: u32 = 0; tries < LOCK_TRIES; tries++) {
    if (atomic.cmpxchg<u32>(slot + SLOT_LOCK, 0, 1) == 0) return true;
  }
  return false;
}

/**
 * Opens the message in place: the plaintext then lies at `message + 16`. Returns its length with padding, or
 * NOT_DATA, BAD_TAG (the message is unchanged), REPLAYED.
 */
export function openMessage(message: usize, length: usize, slot: usize): i32 {
  if (length < MESSAGE_OVERHEAD || load<u32>(message) != TYPE_DATA) return NOT_DATA;
  const low = load<u32>(message + 8);
  const high = load<u32>(message + 12);
  const inner = length - MESSAGE_OVERHEAD;
  if (!openContent(slot + SLOT_RECEIVE_KEY, low, high, message + MESSAGE_HEADER, inner)) return BAD_TAG;
  if (!lock(slot)) return REPLAYED;
  const fresh = acceptCounter(slot, (u64(high) << 32) | u64(low));
  atomic.store<u32>(slot + SLOT_LOCK, 0);
  if (!fresh) return REPLAYED;
  return i32(inner);
}

/**
 * The length that the packet inside a message claims for itself, read without authenticating anything: a guess at
 * where the message ends. 0 when it claims to be no IP packet. At least 32 bytes can be read at `message`.
 */
export function claimedLength(message: usize, slot: usize): usize {
  const start = at(LENGTH_BLOCK);
  peek(slot + SLOT_RECEIVE_KEY, load<u32>(message + 8), load<u32>(message + 12), message + MESSAGE_HEADER, start);
  const version = load<u8>(start) >> 4;
  if (version == 4) return load16(start + IPV4_LENGTH);
  return version == 6 ? IPV6_HEADER + load16(start + IPV6_LENGTH) : 0;
}
