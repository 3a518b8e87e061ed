/** What the host sees of the kernel. Addresses are absolute; every function works on the lane chosen by `useLane`. */

import { SUB_KEY, at, slotAt } from './layout';
import { open, seal } from './aead';
import { hchacha20 } from './hchacha20';
import { claimedLength } from './message';
import { acceptCounter } from './replay';

export {
  DELIVERIES, DELIVERY_CAPACITY, FIRST_LANE, INPUT, INPUT_BYTES, LANES, LANE_BYTES, OUTPUT, OUTPUT_BYTES, SLOT_BYTES,
  SLOT_RECEIVE_KEY, SLOT_REMOTE_INDEX, SLOT_SEND_KEY, SLOT_TABLE, useLane,
} from './layout';
export { eraseScratch } from './aead';
export { takeFrame, segmentLength, writeSegment } from './segment';
export { runBytes, runStride, sealAt, sealRun } from './send';
export { acceptSource, forgetSource, receive } from './receive';
export { clearDeliveries, deliver, finishDeliveries, supersLeft } from './coalesce';
export { nextMessage } from './stride';

/** Erases a key slot: both keys, the replay window, everything. */
export function eraseSlot(slot: u32, bytes: usize): void {
  memory.fill(slotAt(slot), 0, bytes);
}

/** See `claimedLength`. */
export function peekLength(message: usize, slot: u32): usize {
  return claimedLength(message, slotAt(slot));
}

/** The replay window alone, for tests and for a caller that opens messages by other means. */
export function acceptSlotCounter(slot: u32, low: u32, high: u32): bool {
  return acceptCounter(slotAt(slot), (u64(high) << 32) | u64(low));
}

export function aeadSeal(key: usize, low: u32, high: u32, data: usize, length: usize, ad: usize, adLength: usize): void {
  seal(key, low, high, data, length, ad, adLength);
}

/** `length` counts the ciphertext without its tag. */
export function aeadOpen(key: usize, low: u32, high: u32, data: usize, length: usize, ad: usize, adLength: usize): bool {
  return open(key, low, high, data, length, ad, adLength);
}

/** XChaCha20-Poly1305: a sub-key from the first 16 bytes of the nonce, the last 8 as the counter's. */
export function xaeadSeal(key: usize, nonce: usize, data: usize, length: usize, ad: usize, adLength: usize): void {
  const subKey = at(SUB_KEY);
  hchacha20(subKey, key, nonce, data + length);
  seal(subKey, load<u32>(nonce + 16), load<u32>(nonce + 20), data, length, ad, adLength);
  memory.fill(subKey, 0, 32);
}

export function xaeadOpen(key: usize, nonce: usize, data: usize, length: usize, ad: usize, adLength: usize): bool {
  const subKey = at(SUB_KEY);
  hchacha20(subKey, key, nonce, data + length + 16);
  const good = open(subKey, load<u32>(nonce + 16), load<u32>(nonce + 20), data, length, ad, adLength);
  memory.fill(subKey, 0, 32);
  return good;
}
