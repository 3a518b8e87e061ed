/**
 * Cryptokey routing over a copy of the device's two prefix trees (`src/wireguard/prefix-tree.ts`, whose nodes these
 * are). There are two sets: one is valid, the other is filled for the next change. A lookup that began before two
 * changes came to an end is thrown away and done again.
 */

import {
  PEER_BLOCKS, PEER_BYTES, ROUTES_BEGUN, ROUTES_VALID, ROUTE_SETS, ROUTE_SET_BYTES,
} from './layout';
import { load32 } from './ip';

// Words of a node, as in prefix-tree.ts.
const NODE_LENGTH: usize = 0;
const NODE_CHILD: usize = 4;
const NODE_VALUE: usize = 12;
const NODE_KEY: usize = 24;

const NONE: u32 = 0xffffffff;

/** Number of the peer whose prefix holds the address of `words` big-endian words, or NONE. */
function lookup(set: usize, address: usize, words: u32): u32 {
  const nodes = usize(load<u32>(set));
  const used = load<u32>(set + 4);
  let node = load<u32>(set + 8);
  let best = NONE;
  const bits = words << 5;
  // A tree is never deeper than its keys are long; a torn one may claim to be.
  for (let depth: u32 = 0; node != 0 && node < used && depth <= bits; depth++) {
    const place = nodes + (usize(node) << 2);
    const length = load<u32>(place + NODE_LENGTH);
    if (length > bits || !shares(place + NODE_KEY, address, length)) break;
    const value = load<u32>(place + NODE_VALUE);
    if (i32(value) >= 0) best = value;
    if (length == bits) break;
    const bit = (load32(address + (usize(length >> 5) << 2)) >> (31 - (length & 31))) & 1;
    node = load<u32>(place + NODE_CHILD + (usize(bit) << 2));
  }
  return best;
}

/** True when the first `length` bits are the same. */
function shares(key: usize, address: usize, length: u32): bool {
  let left = length;
  let word: usize = 0;
  while (left >= 32) {
    if (load<u32>(key + word) != load32(address + word)) return false;
    word += 4;
    left -= 32;
  }
  return left == 0 || ((load<u32>(key + word) ^ load32(address + word)) >> (32 - left)) == 0;
}

/** Changes with every change of the routes. */
@inline
export function routesTurn(): u32 {
  return atomic.load<u32>(ROUTES_VALID);
}

/** Address of the record of the peer that an address (4 bytes, or 16 for `version` 6) belongs to, or 0. */
export function route(address: usize, version: u32): usize {
  while (true) {
    const valid = atomic.load<u32>(ROUTES_VALID);
    const set = ROUTE_SETS + usize(valid & 1) * ROUTE_SET_BYTES + (version == 4 ? 0 : 12);
    const peer = lookup(set, address, version == 4 ? 1 : 4);
    if (atomic.load<u32>(ROUTES_BEGUN) - valid < 2) return peer == NONE ? 0 : peerAt(peer);
  }
}

/** Address of a peer's record by its number, or 0 when there is none yet. */
export function peerAt(peer: u32): usize {
  if (peer >= 0x10000) return 0;
  const block = usize(load<u32>(PEER_BLOCKS + (usize(peer >> 8) << 2)));
  return block == 0 ? 0 : block + usize(peer & 255) * PEER_BYTES;
}
