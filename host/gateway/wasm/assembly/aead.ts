/**
 * ChaCha20-Poly1305 (RFC 8439 section 2.8) with WireGuard's nonce, in place, data behind an optional additional part.
 * Opening checks the tag over the untouched ciphertext first: on failure the buffer is as it came.
 */

import { KEYSTREAM, LENGTH_BLOCK, ONE_TIME_KEY, POLY_STATE, ZEROS, at } from './layout';
import { xorFourBlocks, xorKeystream } from './chacha20';
import { polyBlocks, polyFinish, polyInit, polyPadded } from './poly1305';

export const TAG_BYTES: usize = 16;

/** Block 0 is the one-time key; blocks 1 to 3 of the same four-block call serve the first 192 bytes. */
const FIRST_BYTES: usize = 192;

/** Leaves blocks 0..3 at KEYSTREAM. */
function firstBlocks(key: usize, nonceLow: u32, nonceHigh: u32): void {
  xorFourBlocks(at(KEYSTREAM), at(ZEROS), key, 0, nonceLow, nonceHigh);
}

/** En- or decrypts in place what `firstBlocks` prepared for. */
function cipher(key: usize, nonceLow: u32, nonceHigh: u32, data: usize, length: usize): void {
  xorKeystream(data, min(length, FIRST_BYTES), at(KEYSTREAM) + 64);
  let done = FIRST_BYTES;
  let counter: u32 = 4;
  while (done + 256 <= length) {
    xorFourBlocks(data + done, data + done, key, counter, nonceLow, nonceHigh);
    done += 256;
    counter += 4;
  }
  if (done < length) {
    xorFourBlocks(at(KEYSTREAM), at(ZEROS), key, counter, nonceLow, nonceHigh);
    xorKeystream(data + done, length - done, at(KEYSTREAM));
  }
}

/** Poly1305 over padded additional data, padded ciphertext and both lengths; the tag goes to `out`. */
function authenticate(out: usize, data: usize, length: usize, ad: usize, adLength: usize): void {
  const state = at(POLY_STATE);
  const lengths = at(LENGTH_BLOCK);
  polyInit(state, at(KEYSTREAM));
  if (adLength > 0) polyPadded(state, ad, adLength, lengths);
  polyPadded(state, data, length, lengths);
  store<u64>(lengths, u64(adLength));
  store<u64>(lengths + 8, u64(length));
  polyBlocks(state, lengths, 1);
  polyFinish(state, out);
}

/** Encrypts `data[0..length)` and writes the tag behind it. */
export function seal(key: usize, nonceLow: u32, nonceHigh: u32, data: usize, length: usize, ad: usize, adLength: usize): void {
  firstBlocks(key, nonceLow, nonceHigh);
  // The one-time key must outlive the keystream, which the tail of a long message overwrites.
  memory.copy(at(ONE_TIME_KEY), at(KEYSTREAM), 32);
  cipher(key, nonceLow, nonceHigh, data, length);
  memory.copy(at(KEYSTREAM), at(ONE_TIME_KEY), 32);
  authenticate(data + length, data, length, ad, adLength);
}

/** `length` counts the ciphertext without its tag. False, with nothing changed, when the tag is wrong. */
export function open(key: usize, nonceLow: u32, nonceHigh: u32, data: usize, length: usize, ad: usize, adLength: usize): bool {
  const computed = at(ONE_TIME_KEY);
  firstBlocks(key, nonceLow, nonceHigh);
  authenticate(computed, data, length, ad, adLength);
  // One comparison of all 16 bytes: no early end to measure.
  const difference = v128.xor(v128.load(computed), v128.load(data + length));
  if (v128.any_true(difference)) return false;
  cipher(key, nonceLow, nonceHigh, data, length);
  return true;
}

/**
 * Decrypts the first 16 bytes of `data` to `out` without any check: for guesses that are proven otherwise before
 * anything is done on their account.
 */
export function peek(key: usize, nonceLow: u32, nonceHigh: u32, data: usize, out: usize): void {
  firstBlocks(key, nonceLow, nonceHigh);
  v128.store(out, v128.xor(v128.load(data), v128.load(at(KEYSTREAM) + 64)));
}

/** Overwrites what the last calls left of keystream, one-time key and sub-key. */
export function eraseScratch(): void {
  memory.fill(at(KEYSTREAM), 0, 256);
  memory.fill(at(POLY_STATE), 0, 0x400 - POLY_STATE);
}
