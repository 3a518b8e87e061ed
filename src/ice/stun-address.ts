/**
 * Addresses inside STUN attributes (RFC 8489 sections 14.1 and 14.2) to and from endpoint records. The same layout
 * serves MAPPED-ADDRESS and ALTERNATE-SERVER (plain) and all XOR-...-ADDRESS attributes.
 */

import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
  FAMILY_IPV6,
} from '../packet/endpoint.js';
import { MAGIC_COOKIE, STUN_FAMILY_IPV4, STUN_FAMILY_IPV6 } from './stun-constants.js';

const COOKIE_OFFSET = 4;

/**
 * Writes the endpoint record for the attribute value at `offset`. `header` is where the message begins (its cookie and
 * transaction id are the mask), -1 for a plain address. False for a wrong length, an unknown family, or port 0.
 */
export function readStunAddress(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  header: number,
): boolean {
  if (length < 8) return false;
  const family = bytes[offset + 1];
  const size = family === STUN_FAMILY_IPV4 ? 4 : family === STUN_FAMILY_IPV6 ? 16 : 0;
  if (size === 0 || length !== 4 + size) return false;
  into.fill(0, at, at + ENDPOINT_BYTES);
  into[at] = size === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  const masked = header >= 0;
  const port = ((bytes[offset + 2] << 8) | bytes[offset + 3]) ^ (masked ? MAGIC_COOKIE >>> 16 : 0);
  if (port === 0) return false;
  into[at + 2] = port >>> 8;
  into[at + 3] = port;
  const to = endpointAddressOffset(at);
  for (let i = 0; i < size; i++) {
    into[to + i] = bytes[offset + 4 + i] ^ (masked ? bytes[header + COOKIE_OFFSET + i] : 0);
  }
  return true;
}

/** Bytes that `writeStunAddress` needs for this record: 8 or 20; 0 when it is no IP endpoint. */
export function stunAddressBytes(record: Uint8Array, at: number): number {
  const family = endpointFamily(record, at);
  return family === FAMILY_IPV4 ? 8 : family === FAMILY_IPV6 ? 20 : 0;
}

/** The reverse of `readStunAddress`, always masked; the header at `header` is already written. */
export function writeStunAddress(
  bytes: Uint8Array,
  offset: number,
  header: number,
  record: Uint8Array,
  at: number,
): void {
  const size = stunAddressBytes(record, at) - 4;
  const port = endpointPort(record, at) ^ (MAGIC_COOKIE >>> 16);
  bytes[offset] = 0;
  bytes[offset + 1] = size === 4 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6;
  bytes[offset + 2] = port >>> 8;
  bytes[offset + 3] = port;
  const from = endpointAddressOffset(at);
  for (let i = 0; i < size; i++) {
    bytes[offset + 4 + i] = record[from + i] ^ bytes[header + COOKIE_OFFSET + i];
  }
}
