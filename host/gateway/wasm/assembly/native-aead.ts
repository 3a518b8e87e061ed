/** Another implementation of the AEAD, which the host may bring along for long messages: tier T2. */

@external("env", "sealNative")
declare function sealNative(key: usize, low: u32, high: u32, data: usize, length: usize): void;
@external("env", "openNative")
declare function openNative(key: usize, low: u32, high: u32, data: usize, length: usize): bool;

import { open, seal } from './aead';

/** Bytes of content from which on the host's implementation is used. */
let least: usize = usize.MAX_VALUE;

export function useNative(from: usize): void {
  least = from;
}

/** As `seal` without additional data. */
export function sealContent(key: usize, low: u32, high: u32, data: usize, length: usize): void {
  if (length >= least) sealNative(key, low, high, data, length);
  else seal(key, low, high, data, length, 0, 0);
}

/** As `open` without additional data, but what is refused may have been changed. */
export function openContent(key: usize, low: u32, high: u32, data: usize, length: usize): bool {
  if (length >= least) return openNative(key, low, high, data, length);
  return open(key, low, high, data, length, 0, 0);
}
