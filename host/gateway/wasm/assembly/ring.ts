/**
 * A queue of records from one thread to another: bounded, and without locks since each end has one owner. Positions
 * count bytes modulo 2^32; the capacity is a power of two. A record does not wrap: what is left before the end is
 * skipped.
 */

export const RING_WRITTEN: usize = 0; // u32
export const RING_READ: usize = 64; // u32, on a cache line of its own
export const RING_CAPACITY: usize = 128; // u32
export const RING_DATA: usize = 192;

// A record: length u32 of its content, kind u32, an endpoint record of 24 bytes, a receiver index u32, the content.
export const RECORD_KIND: usize = 4;
export const RECORD_ENDPOINT: usize = 8;
export const RECORD_INDEX: usize = 32;
export const RECORD_CONTENT: usize = 48;
/** In place of a length: go on at the beginning. */
const SKIP: u32 = 0xffffffff;

let claimed: u32 = 0;

/** Room for a record with `length` bytes of content: where it begins, or 0 when the queue is full. */
export function claimRecord(ring: usize, length: usize, kind: u32): usize {
  const capacity = load<u32>(ring + RING_CAPACITY);
  const bytes = u32((RECORD_CONTENT + length + 15) & ~15);
  let written = load<u32>(ring + RING_WRITTEN);
  const read = atomic.load<u32>(ring + RING_READ);
  const place = written & (capacity - 1);
  const skip = place + bytes > capacity ? capacity - place : 0;
  if (bytes > capacity || written + skip + bytes - read > capacity) return 0;
  if (skip != 0) {
    store<u32>(ring + RING_DATA + usize(place), SKIP);
    written += skip;
  }
  claimed = written + bytes;
  const record = ring + RING_DATA + usize(written & (capacity - 1));
  store<u32>(record, u32(length));
  store<u32>(record + RECORD_KIND, kind);
  return record;
}

/** Hands over the record claimed last. */
export function commitRecord(ring: usize): void {
  atomic.store<u32>(ring + RING_WRITTEN, claimed);
}
