/** Congestion marks through the tunnel (RFC 6040): the twin of `src/packet/ecn.ts`, which gives the reasons. */

import { ECN_NORMAL } from './layout';
import { IPV4_CHECKSUM } from './ip';

const ECN_MASK: u32 = 3;
const NOT_ECT: u32 = 0;
const ECT_1: u32 = 1;
const ECT_0: u32 = 2;
const CE: u32 = 3;

@inline
function innerEcn(packet: usize): u32 {
  if (load<u8>(packet) >> 4 == 4) return u32(load<u8>(packet + 1)) & ECN_MASK;
  return u32(load<u8>(packet + 1) >> 4) & ECN_MASK;
}

/** Traffic class of the outer header for this packet: section 4.1. */
@inline
export function outerClass(packet: usize): u32 {
  return load<u32>(ECN_NORMAL) != 0 ? innerEcn(packet) : 0;
}

/** Lets the packet take over the outer header's mark: section 4.2. False: it must be dropped. */
export function takeOverEcn(packet: usize, outer: u32): bool {
  const mark = outer & ECN_MASK;
  if (mark != CE && mark != ECT_1) return true;
  const inner = innerEcn(packet);
  if (mark == CE) {
    if (inner == NOT_ECT) return false;
    if (inner != CE) setEcn(packet, CE);
  } else if (inner == ECT_0) setEcn(packet, ECT_1);
  return true;
}

/** Marks a packet that waited too long, instead of dropping it; false when its sender does not know marks. */
export function markCongestion(packet: usize): bool {
  const inner = innerEcn(packet);
  if (inner == NOT_ECT) return false;
  if (inner != CE) setEcn(packet, CE);
  return true;
}

function setEcn(packet: usize, ecn: u32): void {
  const second = u32(load<u8>(packet + 1));
  if (load<u8>(packet) >> 4 != 4) {
    store<u8>(packet + 1, u8((second & 0xcf) | (ecn << 4)));
    return;
  }
  // RFC 1624 section 3, equation 3, in words as they lie: HC' = ~(~HC + ~m + m').
  const before = u32(load<u16>(packet));
  store<u8>(packet + 1, u8((second & ~ECN_MASK) | ecn));
  const after = u32(load<u16>(packet));
  const checksum = u32(load<u16>(packet + IPV4_CHECKSUM));
  let sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store<u16>(packet + IPV4_CHECKSUM, u16(~sum));
}
