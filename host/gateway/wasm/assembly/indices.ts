/**
 * Receiver index to key slot: open addressing with linear probing, filled by the control thread alone. An entry is one
 * word of 64 bits, index below and slot number above. A removed entry stays as a mark, so that a search going on beside
 * it misses nothing.
 */

import { INDEX_TABLE, SLOT_LOCAL_INDEX, slotAt } from './layout';

export const INDEX_MASK: usize = 0; // u32: capacity less one
export const INDEX_ENTRIES: usize = 16;
export const REMOVED: u32 = 0xffffffff;

/** Address of the slot, or 0. What it holds may have changed when it is used: whoever uses it looks again. */
export function findSlot(index: u32): usize {
  const table = usize(atomic.load<u32>(INDEX_TABLE));
  if (table == 0) return 0;
  const mask = load<u32>(table + INDEX_MASK);
  for (let i: u32 = 0, place = index & mask; i <= mask; i++, place = (place + 1) & mask) {
    const entry = atomic.load<u64>(table + INDEX_ENTRIES + (usize(place) << 3));
    const slot = u32(entry >> 32);
    if (slot == 0) return 0;
    if (slot != REMOVED && u32(entry) == index) {
      const found = slotAt(slot);
      return load<u32>(found + SLOT_LOCAL_INDEX) == index ? found : 0;
    }
  }
  return 0;
}
