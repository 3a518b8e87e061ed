/**
 * What a datagram on a shared socket is, by its first bytes (after RFC 7983, with WireGuard in the place of DTLS).
 * The cases cannot be confused: a STUN message whose first four bytes look like WireGuard's has a length of 20 by its
 * own header, and WireGuard knows no message shorter than 32.
 */

import { MAGIC_COOKIE, STUN_HEADER_BYTES } from './stun-constants.js';

export const DATAGRAM_UNKNOWN = 0;
export const DATAGRAM_WIREGUARD = 1;
export const DATAGRAM_STUN = 2;
/** RFC 8656 section 12: only a TURN server sends it. */
export const DATAGRAM_CHANNEL_DATA = 3;

/** The shortest WireGuard message, a keepalive (paper, section 5.4.6). */
const WIREGUARD_LEAST_BYTES = 32;

export function classifyDatagram(bytes: Uint8Array, offset: number, length: number): number {
  if (length < 4) return DATAGRAM_UNKNOWN;
  const first = bytes[offset];
  // RFC 8656 section 12.4: channel numbers are 0x4000 to 0x4fff.
  if (first >= 0x40 && first <= 0x4f) return DATAGRAM_CHANNEL_DATA;
  if (first > 0x3f) return DATAGRAM_UNKNOWN;
  if (
    length >= STUN_HEADER_BYTES &&
    bytes[offset + 4] === MAGIC_COOKIE >>> 24 &&
    bytes[offset + 5] === ((MAGIC_COOKIE >>> 16) & 0xff) &&
    bytes[offset + 6] === ((MAGIC_COOKIE >>> 8) & 0xff) &&
    bytes[offset + 7] === (MAGIC_COOKIE & 0xff) &&
    ((bytes[offset + 2] << 8) | bytes[offset + 3]) === length - STUN_HEADER_BYTES
  ) {
    return DATAGRAM_STUN;
  }
  if (
    length >= WIREGUARD_LEAST_BYTES &&
    first >= 1 &&
    first <= 4 &&
    (bytes[offset + 1] | bytes[offset + 2] | bytes[offset + 3]) === 0
  ) {
    return DATAGRAM_WIREGUARD;
  }
  return DATAGRAM_UNKNOWN;
}
