/**
 * How the control thread learns what was sent and received without a message for each packet. A slot has a note for
 * either direction; the first use since the control thread last looked puts the slot on a list, which it takes as a
 * whole. So a note costs nothing while it is on the list, and no slot is ever searched for.
 */

import { CONTROL_CALLED, CONTROL_SLEEPS } from './layout';

// A note, offsets. The control thread clears NOTE_LISTED before it reads the numbers: later ones list the slot again.
export const NOTE_LISTED: usize = 0; // u32
export const NOTE_NEXT: usize = 4; // u32: the slot's address behind this one on the list
export const NOTE_AT: usize = 8; // f64: monotonic ms of the last
export const NOTE_DATAGRAMS: usize = 16; // u64, as all numbers: since the slot was filled
export const NOTE_BYTES: usize = 24; // u64
export const NOTE_PACKETS: usize = 32; // u64: datagrams with a packet inside

let wake: bool = false;

/** True once after something was noted that the control thread sleeps through or must know at once. */
export function takeWake(): bool {
  const wanted = wake;
  wake = false;
  return wanted;
}

/** The control thread is to look soon. */
export function callControl(): void {
  if (atomic.xchg<u32>(CONTROL_CALLED, 1) == 0) wake = true;
}

export function note(slot: usize, which: usize, list: usize, now: f64, datagrams: u32, bytes: usize, packets: u32): void {
  const own = slot + which;
  store<f64>(own + NOTE_AT, now);
  // Several threads of one direction may serve one peer.
  atomic.add<u64>(own + NOTE_DATAGRAMS, u64(datagrams));
  atomic.add<u64>(own + NOTE_BYTES, u64(bytes));
  if (packets != 0) atomic.add<u64>(own + NOTE_PACKETS, u64(packets));
  if (atomic.xchg<u32>(own + NOTE_LISTED, 1) != 0) return;
  let head = atomic.load<u32>(list);
  while (true) {
    store<u32>(own + NOTE_NEXT, head);
    const found = atomic.cmpxchg<u32>(list, head, u32(slot));
    if (found == head) break;
    head = found;
  }
  if (atomic.load<u32>(CONTROL_SLEEPS) != 0 && atomic.xchg<u32>(CONTROL_SLEEPS, 0) != 0) wake = true;
}
