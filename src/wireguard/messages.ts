/** Layout of the four messages (paper, section 5.4). Integers are little-endian; offsets and sizes in bytes. */

export const TYPE_INITIATION = 1;
export const TYPE_RESPONSE = 2;
export const TYPE_COOKIE_REPLY = 3;
export const TYPE_DATA = 4;

// Handshake initiation, section 5.4.2.
export const INITIATION_BYTES = 148;
export const INITIATION_SENDER = 4;
export const INITIATION_EPHEMERAL = 8;
export const INITIATION_STATIC = 40;
export const INITIATION_TIMESTAMP = 88;
export const INITIATION_MAC1 = 116;
export const INITIATION_MAC2 = 132;

// Handshake response, section 5.4.3.
export const RESPONSE_BYTES = 92;
export const RESPONSE_SENDER = 4;
export const RESPONSE_RECEIVER = 8;
export const RESPONSE_EPHEMERAL = 12;
export const RESPONSE_EMPTY = 44;
export const RESPONSE_MAC1 = 60;
export const RESPONSE_MAC2 = 76;

// Cookie reply, section 5.4.7.
export const COOKIE_REPLY_BYTES = 64;
export const COOKIE_REPLY_RECEIVER = 4;
export const COOKIE_REPLY_NONCE = 8;
export const COOKIE_REPLY_COOKIE = 32;

// Transport data, section 5.4.6.
export const DATA_HEADER_BYTES = 16;
export const DATA_RECEIVER = 4;
export const DATA_COUNTER = 8;
/** A keepalive: header and tag, nothing between. */
export const DATA_MIN_BYTES = 32;

/** Header and tag around a packet. */
export const DATA_OVERHEAD_BYTES = 32;

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/**
 * The message's type, or 0 when the bytes cannot be one: the type and its three reserved zero bytes are read as
 * one integer, so any reserved bit makes the message unknown; each type has one exact or least size.
 */
export function messageType(bytes: Uint8Array, at: number, length: number): number {
  if (length < DATA_MIN_BYTES) return 0;
  const type = readU32(bytes, at);
  switch (type) {
    case TYPE_DATA:
      return type;
    case TYPE_INITIATION:
      return length === INITIATION_BYTES ? type : 0;
    case TYPE_RESPONSE:
      return length === RESPONSE_BYTES ? type : 0;
    case TYPE_COOKIE_REPLY:
      return length === COOKIE_REPLY_BYTES ? type : 0;
    default:
      return 0;
  }
}
