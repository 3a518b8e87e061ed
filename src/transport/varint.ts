/** Variable-length integers of QUIC (RFC 9000 section 16), up to 2^53 - 1, which is all that a Number holds exactly. */

/** The greatest value that two bytes hold. */
export const VARINT_2_MOST = 0x3fff;

/** Bytes that the integer takes whose first byte this is. */
export function varintLength(first: number): number {
  return 1 << (first >>> 6);
}

/** The value of the whole integer at `at`; NaN when it is 2^53 or more. */
export function readVarint(bytes: Uint8Array, at: number): number {
  const length = varintLength(bytes[at]);
  let value = bytes[at] & 0x3f;
  for (let i = 1; i < length; i++) value = value * 256 + bytes[at + i];
  return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

/** Writes the shortest form of a value below 2^30; where it ends. Throws RangeError beyond. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x40) {
    bytes[at] = value;
    return at + 1;
  }
  if (value <= VARINT_2_MOST) {
    bytes[at] = 0x40 | (value >>> 8);
    bytes[at + 1] = value;
    return at + 2;
  }
  if (value >= 0x4000_0000) throw new RangeError('no capsule of ours is that long');
  bytes[at] = 0x80 | (value >>> 24);
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}
