/**
 * Replay window of a key slot (RFC 6479 with the paper's size): a ring of 128 words of 64 bits. One word is always
 * being cleared for what comes, so 8192 - 64 = 8128 counters back are remembered exactly.
 * `greatest` holds the greatest accepted counter plus one; 0 means nothing was accepted yet.
 */

import { SLOT_GREATEST, SLOT_WINDOW } from './layout';

const WINDOW_WORDS: u64 = 128;
const EFFECTIVE_WINDOW: u64 = WINDOW_WORDS * 64 - 64;
/** Reject-After-Messages of the WireGuard paper, section 6.1: 2^64 - 2^13 - 1. */
const REJECT_AFTER_MESSAGES: u64 = 0xffff_ffff_ffff_dfff;

/** True once for every counter inside the window. Call only after the tag was verified. */
export function acceptCounter(slot: usize, counter: u64): bool {
  if (counter >= REJECT_AFTER_MESSAGES) return false;
  const number = counter + 1;
  const greatest = load<u64>(slot + SLOT_GREATEST);
  const window = slot + SLOT_WINDOW;
  if (number + EFFECTIVE_WINDOW < greatest) return false;
  if (number > greatest) {
    const from = greatest >> 6;
    const steps = min((number >> 6) - from, WINDOW_WORDS);
    for (let i: u64 = 1; i <= steps; i++) {
      store<u64>(window + usize(((from + i) & (WINDOW_WORDS - 1)) << 3), 0);
    }
    store<u64>(slot + SLOT_GREATEST, number);
  }
  const word = window + usize(((number >> 6) & (WINDOW_WORDS - 1)) << 3);
  const bit = (1 as u64) << (number & 63);
  const seen = load<u64>(word);
  if ((seen & bit) != 0) return false;
  store<u64>(word, seen | bit);
  return true;
}
