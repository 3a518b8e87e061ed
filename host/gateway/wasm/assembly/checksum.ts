/**
 * The Internet checksum (RFC 1071). Sums are kept in little-endian 16-bit words: the one's complement sum does not
 * mind the byte order (section 2.B), so words are loaded and stored as they lie, and only lengths are swapped.
 */

/** Adds up the four lanes of 32 bits. */
@inline
function lanes(v: v128): u64 {
  const pairs = i64x2.add(i64x2.extend_low_i32x4_u(v), i64x2.extend_high_i32x4_u(v));
  return u64(i64x2.extract_lane(pairs, 0)) + u64(i64x2.extract_lane(pairs, 1));
}

/** Folds a sum to 16 bits. */
@inline
export function fold(sum: u64): u32 {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return u32((sum & 0xffff) + (sum >> 16));
}

/** Unfolded sum of `length` bytes, at most 64 KiB; an odd last byte counts as the low half of a word. */
export function sum(data: usize, length: usize): u64 {
  let total = i32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= length; i += 16) {
    total = i32x4.add(total, i32x4.extadd_pairwise_i16x8_u(v128.load(data + i)));
  }
  let rest: u64 = 0;
  for (; i + 2 <= length; i += 2) rest += u64(load<u16>(data + i));
  if (i < length) rest += u64(load<u8>(data + i));
  return lanes(total) + rest;
}

/** Copies and sums in one pass. `to` lies outside the source. */
export function copyAndSum(to: usize, from: usize, length: usize): u64 {
  let total = i32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= length; i += 16) {
    const v = v128.load(from + i);
    v128.store(to + i, v);
    total = i32x4.add(total, i32x4.extadd_pairwise_i16x8_u(v));
  }
  let rest: u64 = 0;
  for (; i + 2 <= length; i += 2) {
    const word = load<u16>(from + i);
    store<u16>(to + i, word);
    rest += u64(word);
  }
  if (i < length) {
    const byte = load<u8>(from + i);
    store<u8>(to + i, byte);
    rest += u64(byte);
  }
  return lanes(total) + rest;
}

/** A length or protocol number as it counts in a sum of little-endian words. */
@inline
export function networkWord(value: usize): u64 {
  return u64(bswap<u16>(u16(value)));
}

/** The checksum field's value for a folded or unfolded sum. */
@inline
export function complement(total: u64): u16 {
  return u16(~fold(total));
}

/** Sum of the pseudo-header's addresses and protocol (RFC 9293 section 3.1, RFC 8200 section 8.1), without length. */
export function pseudoHeader(packet: usize, version: u32, protocol: usize): u64 {
  return (version == 4 ? sum(packet + 12, 8) : sum(packet + 8, 32)) + networkWord(protocol);
}
