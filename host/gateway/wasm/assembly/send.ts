/** From a frame of TUN to a run of sealed datagrams, each byte touched once on the way. */

import { OUTPUT, at, slotAt } from './layout';
import { MESSAGE_HEADER, MESSAGE_OVERHEAD, paddedLength, sealMessage } from './message';
import { segmentLength, writeSegment } from './segment';

/** Linux cuts one send into at most this many datagrams (UDP_MAX_SEGMENTS of older kernels). */
export const RUN_SEGMENTS: u32 = 64;
/** Largest UDP payload over IPv4. */
export const RUN_BYTES: usize = 65507;

let bytes: usize = 0;
let stride: usize = 0;

/** Bytes of the last run. */
export function runBytes(): usize {
  return bytes;
}

/** Length of every datagram of the last run but its last, which may be shorter. */
export function runStride(): usize {
  return stride;
}

/**
 * Seals segments `first`, `first + 1` ... of the frame taken up, one behind the other, as many as one send may carry.
 * The first gets the counter `high:low`. Returns how many; 0 when a segment is too long to be sent.
 */
export function sealRun(slot: u32, low: u32, high: u32, first: u32, total: u32, mtu: usize): u32 {
  const out = at(OUTPUT);
  const keys = slotAt(slot);
  stride = paddedLength(segmentLength(first), mtu) + MESSAGE_OVERHEAD;
  const end = min(total - first, RUN_SEGMENTS);
  let counter = (u64(high) << 32) | u64(low);
  let done: u32 = 0;
  bytes = 0;
  while (done < end) {
    const length = segmentLength(first + done);
    const padded = paddedLength(length, mtu);
    if (bytes + padded + MESSAGE_OVERHEAD > RUN_BYTES) break;
    // A shorter message ends a run; with a capped padding a later segment can never be longer than the first.
    writeSegment(first + done, out + bytes + MESSAGE_HEADER);
    bytes += sealMessage(out + bytes, length, padded, keys, u32(counter), u32(counter >> 32));
    counter++;
    done++;
  }
  return done;
}

/** Seals the `length` bytes that lie at `message + 16`, as they are; the message's length. */
export function sealAt(message: usize, length: usize, slot: u32, low: u32, high: u32, mtu: usize): usize {
  return sealMessage(message, length, paddedLength(length, mtu), slotAt(slot), low, high);
}
