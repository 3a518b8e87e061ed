/** What the host sees of the kernel. Addresses are absolute; every function works on the lane chosen by `useLane`. */

import { ARGUMENTS, SUB_KEY, at, slotAt } from './layout';
import { open, seal } from './aead';
import { hchacha20 } from './hchacha20';
import { claimedLength } from './message';
import { acceptCounter } from './replay';
import { takeCounters } from './outward';

export {
  ARGUMENTS, CONTROL_CALLED, CONTROL_SLEEPS, COUNTERS, COUNTERS_BYTES, DELIVERIES, DELIVERY_CAPACITY, ECN_NORMAL,
  FIRST_LANE, FORWARD_UNKNOWN, GLOBALS, HEAP, INDEX_TABLE, INPUT, INPUT_BYTES, LANES, LANE_BYTES, LANE_STATE, MEMORY_BASE,
  MTU, OUTPUT, OUTPUT_BYTES, PEERS_PER_BLOCK, PEER_BLOCKS, PEER_BLOCK_COUNT, PEER_BYTES, POLL, RECEIVED_LIST,
  ROUTES_BEGUN, ROUTES_VALID, ROUTE_SETS, ROUTE_SET_BYTES, SENT_LIST, SLOT_BYTES, SLOT_COUNTER, SLOT_GREATEST, SLOT_IN_USE, SLOT_LIVE,
  SLOT_LOCAL_INDEX, SLOT_LOCK, SLOT_PEER, SLOT_RECEIVED, SLOT_RECEIVE_KEY, SLOT_REJECT_AT, SLOT_REMOTE_INDEX,
  SLOT_SEND_KEY, SLOT_SENT, SLOT_SOURCE, SLOT_SOURCE_TURN, SLOT_WAITS, SUPERS, useLane, useLaneAt,
} from './layout';
export { NOTE_AT, NOTE_BYTES, NOTE_DATAGRAMS, NOTE_LISTED, NOTE_NEXT, NOTE_PACKETS, takeWake } from './notes';
export {
  RECORD_CONTENT, RECORD_ENDPOINT, RECORD_INDEX, RECORD_KIND, RING_CAPACITY, RING_DATA, RING_READ, RING_WRITTEN,
} from './ring';
export { INDEX_ENTRIES, INDEX_MASK, REMOVED as INDEX_REMOVED, findSlot } from './indices';
export { peerAt, route } from './routes';
export { PEER_RECORD, healPeer, peerTurn, publishEndpoint, publishSlot } from './peers';
export { VECTOR_BYTES, VECTOR_MESSAGES, ownerOf } from './vector';
export { clearOutward, finishOutward, goOutward, initOutward, outward, outwardBytes } from './outward';
export { BUFFER_BYTES, initInward, inward, inwardOne, prepareInward } from './inward';
export { markCongestion } from './ecn';
export { useNative } from './native-aead';
export { initSingle, prepareSingle } from './single';
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

/** Takes `n` send counters of a slot; true, and the first at ARGUMENTS of the lane, unless there are none left. */
export function takeSlotCounters(slot: u32, n: u32): bool {
  const first = takeCounters(slotAt(slot), n);
  store<u64>(at(ARGUMENTS), first);
  return first != 0xffff_ffff_ffff_dfff;
}
