/** From a received datagram to the delivery list. */

import { LAST_SOURCE, at, slotAt } from './layout';
import { IPV4_SOURCE, IPV6_SOURCE, ipLength } from './ip';
import { MESSAGE_HEADER, openMessage } from './message';
import { deliver } from './coalesce';

/** The message is authentic and new, but what it carries is no IP packet. */
export const BAD_PACKET: i32 = -4;
/** Added to the packet's length when its source address is not the one last accepted: the caller has to look. */
export const SOURCE_UNKNOWN: i32 = 0x100000;

/** Forgets the source address last accepted; to be called before the packets of another peer. */
export function forgetSource(): void {
  memory.fill(at(LAST_SOURCE), 0, 32);
}

/** The source's bytes, IPv4 in the first four of 16. */
function sourceOf(packet: usize): v128 {
  if (load<u8>(packet) >> 4 == 4) return v128.load32_zero(packet + IPV4_SOURCE);
  return v128.load(packet + IPV6_SOURCE);
}

/**
 * Opens the message in place and, when its inner source address is the one accepted last, delivers the packet.
 * Returns the packet's length (0: a keepalive), that plus SOURCE_UNKNOWN when nothing was delivered yet, or one of
 * NOT_DATA, BAD_TAG, REPLAYED, BAD_PACKET. The packet then lies at `message + 16`.
 */
export function receive(message: usize, length: usize, slot: u32): i32 {
  const opened = openMessage(message, length, slotAt(slot));
  if (opened <= 0) return opened;
  const packet = message + MESSAGE_HEADER;
  const inner = ipLength(packet, usize(opened));
  if (inner == 0) return BAD_PACKET;
  const known = v128.load(at(LAST_SOURCE));
  const family = u32(load<u8>(packet) >> 4);
  if (load<u32>(at(LAST_SOURCE) + 16) != family || v128.any_true(v128.xor(known, sourceOf(packet)))) {
    return i32(inner) + SOURCE_UNKNOWN;
  }
  deliver(packet, inner);
  return i32(inner);
}

/** Delivers the packet at `message + 16` whose source the caller found to be its sender's, and remembers that. */
export function acceptSource(message: usize, length: usize): void {
  const packet = message + MESSAGE_HEADER;
  v128.store(at(LAST_SOURCE), sourceOf(packet));
  store<u32>(at(LAST_SOURCE) + 16, u32(load<u8>(packet) >> 4));
  deliver(packet, length);
}
