/**
 * Where everything lives in the one linear memory. Nothing is allocated at run time and nothing is collected, so an
 * address may be given to the operating system and stays true. The memory is imported and shared: several instances
 * of this module (one a direction, each in a thread of its own where the host can) work on it, each in a lane of its own, and all
 * see the one key table.
 *
 *   0 .. 4 KiB               never used, so that address 0 is always a mistake
 *   4 KiB .. 16 KiB          what all threads share: see below
 *   16 KiB + lane * 2 MiB    a lane: scratch, input, output, the growing super-packets, the delivery list
 *   behind the lanes         what the host allocates: key slots, peers, routes, indices, what system calls are given
 */

/** Words of uint32 that all threads share, unless it says otherwise. */
export const GLOBALS: usize = 0x1000;
/** Generation of the routes that a writer has begun, and of those that are valid; see routes.ts. */
export const ROUTES_BEGUN: usize = GLOBALS;
export const ROUTES_VALID: usize = GLOBALS + 4;
/** Two sets, each: nodes' address, words in use and root for IPv4, then for IPv6. */
export const ROUTE_SETS: usize = GLOBALS + 0x10;
export const ROUTE_SET_BYTES: usize = 32;
/** Address of the table of receiver indices; see indices.ts. */
export const INDEX_TABLE: usize = GLOBALS + 0x50;
/** Inner MTU. */
export const MTU: usize = GLOBALS + 0x54;
/** Pairs without a slot exist: data under an unknown index goes to the control thread. */
export const FORWARD_UNKNOWN: usize = GLOBALS + 0x58;
/** 1: the outer header shows the inner ECN field (RFC 6040 section 4.1, normal mode). */
export const ECN_NORMAL: usize = GLOBALS + 0x5c;
/** Where this memory begins for the operating system: u64. */
export const MEMORY_BASE: usize = GLOBALS + 0x60;
/** Heads of the lists of slots that were sent and received under; see notes.ts. Each on a cache line of its own. */
export const SENT_LIST: usize = GLOBALS + 0x80;
export const RECEIVED_LIST: usize = GLOBALS + 0xc0;
/** The control thread is to be woken by the next note; it has been woken for something urgent. */
export const CONTROL_SLEEPS: usize = GLOBALS + 0x100;
export const CONTROL_CALLED: usize = GLOBALS + 0x104;
/** Our own addresses: how many, and who is adding one. */
export const LOCAL_COUNT: usize = GLOBALS + 0x140;
export const LOCAL_LOCK: usize = GLOBALS + 0x144;
/** Addresses of blocks of `PEERS_PER_BLOCK` peers each. */
export const PEER_BLOCKS: usize = GLOBALS + 0x400;
export const PEER_BLOCK_COUNT: u32 = 256;
export const PEERS_PER_BLOCK: u32 = 256;
/** 255 of: family u32, interface u32, address 16 bytes, 8 free. See endpoint.ts. */
export const LOCALS: usize = GLOBALS + 0x1000;
export const LOCAL_BYTES: usize = 32;
export const LOCALS_MOST: u32 = 255;

export const LANES: usize = 2;
export const LANE_BYTES: usize = 0x200000;
export const FIRST_LANE: usize = 0x4000;

/** Offsets inside a lane. The first 64 KiB are small working areas. */
export const KEYSTREAM: usize = 0x0000; // 256 bytes: four ChaCha20 blocks
export const ZEROS: usize = 0x0100; // 256 bytes that are never written
export const POLY_STATE: usize = 0x0200; // see poly1305.ts
export const ONE_TIME_KEY: usize = 0x0300; // 32 bytes
export const LENGTH_BLOCK: usize = 0x0340; // 16 bytes, the last block of the AEAD construction
export const SUB_KEY: usize = 0x0360; // 32 bytes, HChaCha20's output
export const LAST_SOURCE: usize = 0x0380; // 16 bytes, see deliver.ts
export const FLOWS: usize = 0x0400; // see coalesce.ts
export const DELIVERIES: usize = 0x4000; // list of (address u32, length u32), see coalesce.ts

/** Packets or datagrams as they come in. */
export const INPUT: usize = 0x10000;
export const INPUT_BYTES: usize = 0xa0000;
/** Sealed datagrams, one behind the other. */
export const OUTPUT: usize = 0xb0000;
export const OUTPUT_BYTES: usize = 0x20000;
/** Super-packets under construction. */
export const SUPERS: usize = 0xd0000;
export const SUPER_BYTES: usize = 0x11000;
export const SUPER_COUNT: u32 = 16;

export const DELIVERY_CAPACITY: u32 = ((INPUT - DELIVERIES) >> 3) as u32;

/** What the host allocates begins here. */
export const HEAP: usize = FIRST_LANE + LANES * LANE_BYTES;

// Small areas of lanes that work for a thread of their own, between FLOWS and DELIVERIES.
/** Numbers of f64, see counters.ts. */
export const COUNTERS: usize = 0x1000;
export const COUNTERS_BYTES: usize = 0x100;
/** Endpoint record of the datagram at hand, 24 bytes, and of the run at hand. */
export const SOURCE: usize = 0x1100;
/** Address of the slot in use, u32; the control thread does not erase it meanwhile. */
export const SLOT_IN_USE: usize = 0x1140;
/** What the thread and its keeper tell each other, u32 each: see native/lane-state.ts. */
export const LANE_STATE: usize = 0x1180;
/** `struct pollfd` for up to eight descriptors, and 64 bytes for small arguments. */
export const POLL: usize = 0x11c0;
export const ARGUMENTS: usize = 0x1200;

/**
 * A key slot holds both directions of one key pair and its replay window. Its number is its address divided by 64.
 * What one thread writes often has cache lines of its own.
 */
export const SLOT_BYTES: usize = 1408;
export const SLOT_SEND_KEY: usize = 0; // 32 bytes
export const SLOT_RECEIVE_KEY: usize = 32; // 32 bytes
export const SLOT_GREATEST: usize = 72; // u64: see replay.ts
export const SLOT_WINDOW: usize = 80; // 1024 bytes
// Written by the control thread alone.
export const SLOT_REMOTE_INDEX: usize = 1152; // u32: the peer's index, goes into what we send
export const SLOT_LOCAL_INDEX: usize = 1156; // u32
export const SLOT_LIVE: usize = 1160; // u32: 1 from when it is filled until it is to be erased
export const SLOT_PEER: usize = 1164; // u32: the peer's number
export const SLOT_REJECT_AT: usize = 1168; // f64: monotonic ms from which on the pair is not used
export const SLOT_WAITS: usize = 1176; // u32: 1 until the first message: the control thread is told at once
// Sending.
export const SLOT_COUNTER: usize = 1216; // u64: next counter; every thread takes from it
export const SLOT_SENT: usize = 1224; // a note, see notes.ts
// Receiving.
export const SLOT_RECEIVED: usize = 1280; // a note
export const SLOT_SOURCE_TURN: usize = 1328; // u32: odd while the source is being written
export const SLOT_LOCK: usize = 1332; // u32: 1 while the window is being moved
export const SLOT_SOURCE: usize = 1344; // 24 bytes: endpoint record of the last message

/** A peer as the data plane knows it; see peers.ts. */
export const PEER_BYTES: usize = 192;

let lane: usize = FIRST_LANE;

/** Binds this instance to lane `index` of the first ones. */
export function useLane(index: u32): void {
  lane = FIRST_LANE + usize(index) * LANE_BYTES;
}

/** Binds this instance to the lane at this address. */
export function useLaneAt(address: usize): void {
  lane = address;
}

@inline
export function at(offset: usize): usize {
  return lane + offset;
}

@inline
export function slotAt(slot: u32): usize {
  return usize(slot) << 6;
}
