/**
 * Peers as the data plane knows them: the slot to send with and where to. The control thread writes both; the receiving
 * thread writes the endpoint too, so that the answer to a peer that has moved goes to its new place at once. Writers
 * exclude each other and readers notice them by the record's turn, which is odd while somebody writes.
 */

import { FAMILY_IPV4, FAMILY_IPV6, copyRecord, writeLocal, writeName } from './endpoint';
import { peerAt } from './routes';
import { SLOT_LIVE } from './layout';

export const PEER_TURN: usize = 0; // u32
export const PEER_SLOT: usize = 4; // u32: address of the slot to send with, 0: none
export const PEER_FOLLOWS: usize = 8; // u32: 1 when the endpoint follows authenticated messages by itself
export const PEER_FAMILY: usize = 12; // u32: 0 none, 4, 6; other: the control thread sends
export const PEER_NAME_LENGTH: usize = 16; // u32
export const PEER_CONTROL_LENGTH: usize = 20; // u32
export const PEER_RECORD: usize = 32; // 24 bytes
export const PEER_NAME: usize = 64; // 32 bytes
export const PEER_CONTROL: usize = 96; // 40 bytes

/** Tries for a turn: whoever writes does so for some hundred instructions, or has died. */
export const TURN_TRIES: u32 = 10000;

/** False when another writer does not come to an end. */
export function beginWrite(peer: usize): bool {
  for (let tries: u32 = 0; tries < TURN_TRIES; tries++) {
    const turn = atomic.load<u32>(peer + PEER_TURN);
    if ((turn & 1) == 0 && atomic.cmpxchg<u32>(peer + PEER_TURN, turn, turn + 1) == turn) return true;
  }
  return false;
}

export function endWrite(peer: usize): void {
  atomic.add<u32>(peer + PEER_TURN, 1);
}

/** The endpoint of the peer is this record from now on. */
export function writePeerEndpoint(peer: usize, record: usize): bool {
  if (!beginWrite(peer)) return false;
  const family = u32(load<u8>(record));
  copyRecord(peer + PEER_RECORD, record);
  store<u32>(peer + PEER_FAMILY, family);
  if (family == FAMILY_IPV4 || family == FAMILY_IPV6) {
    store<u32>(peer + PEER_NAME_LENGTH, u32(writeName(peer + PEER_NAME, record)));
    store<u32>(peer + PEER_CONTROL_LENGTH, u32(writeLocal(peer + PEER_CONTROL, record)));
  }
  endWrite(peer);
  return true;
}

/** For the receiving thread: the peer sends under this slot from now on, unless the slot is being given up. */
export function writePeerSlot(peer: usize, slot: usize): void {
  if (!beginWrite(peer)) return;
  if (atomic.load<u32>(slot + SLOT_LIVE) != 0) store<u32>(peer + PEER_SLOT, u32(slot));
  endWrite(peer);
}

/** For the control thread, by the peer's number. */
export function publishEndpoint(peer: u32, record: usize, follows: u32): bool {
  const place = peerAt(peer);
  if (place == 0) return false;
  store<u32>(place + PEER_FOLLOWS, follows);
  return writePeerEndpoint(place, record);
}

/** `slot` is a slot's number; 0: there is none to send with. */
export function publishSlot(peer: u32, slot: u32): bool {
  const place = peerAt(peer);
  if (place == 0 || !beginWrite(place)) return false;
  store<u32>(place + PEER_SLOT, slot << 6);
  endWrite(place);
  return true;
}

export function peerTurn(peer: u32): u32 {
  const place = peerAt(peer);
  return place == 0 ? 0 : atomic.load<u32>(place + PEER_TURN);
}

/** Ends the turn of a writer that has died. */
export function healPeer(peer: u32): void {
  const place = peerAt(peer);
  if (place != 0 && (atomic.load<u32>(place + PEER_TURN) & 1) != 0) endWrite(place);
}
