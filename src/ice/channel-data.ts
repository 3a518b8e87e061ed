/** ChannelData (RFC 8656 section 12.4) and how messages follow each other in a stream (sections 3.1 and 12.5). */

import { STUN_HEADER_BYTES } from './stun-constants.js';

export const CHANNEL_HEADER_BYTES = 4;
/** RFC 8656 section 12: the numbers a client may bind. */
export const CHANNEL_FIRST = 0x4000;
export const CHANNEL_LAST = 0x4fff;

/** Writes the header for `length` bytes of data that follow at `offset + 4`. */
export function writeChannelHeader(bytes: Uint8Array, offset: number, channel: number, length: number): void {
  bytes[offset] = channel >>> 8;
  bytes[offset + 1] = channel;
  bytes[offset + 2] = length >>> 8;
  bytes[offset + 3] = length;
}

/** The number of a channel, 0 when it is none of those that can be bound. */
export function channelNumber(bytes: Uint8Array, offset: number): number {
  const channel = (bytes[offset] << 8) | bytes[offset + 1];
  return channel >= CHANNEL_FIRST && channel <= CHANNEL_LAST ? channel : 0;
}

/** Bytes of data that the header claims. */
export function channelDataLength(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 2] << 8) | bytes[offset + 3];
}

/**
 * Bytes that the message at `offset` takes in a stream, padding included (RFC 8656 section 12.5); 0 while fewer than
 * four of them are there, -1 when it is neither STUN nor ChannelData, so that the stream has lost its order.
 */
export function streamMessageBytes(bytes: Uint8Array, offset: number, available: number): number {
  if (available < CHANNEL_HEADER_BYTES) return 0;
  const first = bytes[offset];
  const length = (bytes[offset + 2] << 8) | bytes[offset + 3];
  if (first < 0x40) return (length & 3) === 0 ? STUN_HEADER_BYTES + length : -1;
  return channelNumber(bytes, offset) > 0 ? (CHANNEL_HEADER_BYTES + length + 3) & ~3 : -1;
}
