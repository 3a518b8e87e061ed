/**
 * The Internet checksum (RFC 1071), its pseudo headers, and its incremental update (RFC 1624).
 * A "sum" here is the folded 16-bit ones' complement sum; the checksum field holds its complement.
 */

/**
 * Ones' complement sum of `bytes[offset .. offset + length)` as big-endian 16-bit words, an odd last byte padded
 * with a zero (RFC 1071 section 1), added to `sum`. `length` is at most 65,535, the most an IP packet has.
 */
export function addToSum(sum: number, bytes: Uint8Array, offset: number, length: number): number {
  const even = offset + (length & ~1);
  for (let i = offset; i < even; i += 2) sum += (bytes[i] << 8) | bytes[i + 1];
  if (length & 1) sum += bytes[even] << 8;
  // At most 2^15 words of 16 bits and the sum given: below 2^32, so the carry is one 16-bit half.
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** The checksum field for a sum taken with that field zeroed. */
export function checksumOfSum(sum: number): number {
  return ~sum & 0xffff;
}

/** Whether a sum taken over data *and* its checksum field is right (RFC 1071 section 1: all ones). */
export function isSumRight(sum: number): boolean {
  return sum === 0xffff;
}

/** Sum of the IPv4 pseudo header (RFC 768, RFC 9293 section 3.1); the IPv4 header begins at `header`. */
export function pseudoSum4(bytes: Uint8Array, header: number, protocol: number, length: number): number {
  return addToSum(protocol + length, bytes, header + 12, 8);
}

/**
 * Sum of the IPv6 pseudo header (RFC 8200 section 8.1); the IPv6 header begins at `header`. `protocol` is that of
 * the upper layer, not of an extension header before it.
 */
export function pseudoSum6(bytes: Uint8Array, header: number, protocol: number, length: number): number {
  return addToSum(protocol + length, bytes, header + 8, 32);
}

/** The checksum field after one 16-bit word that it covers changed: RFC 1624 section 3, equation 3. */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  const sum = (~checksum & 0xffff) + (~oldWord & 0xffff) + newWord;
  const folded = (sum & 0xffff) + (sum >>> 16);
  return ~((folded & 0xffff) + (folded >>> 16)) & 0xffff;
}
