/**
 * Where everything lives in the one linear memory. Nothing is allocated at run time and nothing is collected, so an
 * address may be given to the operating system and stays true. The memory is imported and shared: several instances
 * of this module (one a direction, each in a thread of its own later) work on it, each in a lane of its own, and all
 * see the one key table.
 *
 *   0 .. 4 KiB               never used, so that address 0 is always a mistake
 *   4 KiB + lane * 2 MiB     a lane: scratch, input, output, the growing super-packets, the delivery list
 *   4 KiB + LANES * 2 MiB    key table, last so that the memory can grow behind it
 */

export const LANES: usize = 2;
export const LANE_BYTES: usize = 0x200000;
export const FIRST_LANE: usize = 0x1000;

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
export const SUPER_COUNT: u32 = 8;

export const DELIVERY_CAPACITY: u32 = ((INPUT - DELIVERIES) >> 3) as u32;

/** Key table. A slot holds both directions of one key pair and its replay window. */
export const SLOT_TABLE: usize = FIRST_LANE + LANES * LANE_BYTES;
export const SLOT_BYTES: usize = 1152;
export const SLOT_SEND_KEY: usize = 0; // 32 bytes
export const SLOT_RECEIVE_KEY: usize = 32; // 32 bytes
export const SLOT_REMOTE_INDEX: usize = 64; // u32: the peer's index, goes into what we send
export const SLOT_GREATEST: usize = 72; // u64: see replay.ts
export const SLOT_WINDOW: usize = 80; // 1024 bytes

let lane: usize = FIRST_LANE;

/** Binds this instance to lane `index`. */
export function useLane(index: u32): void {
  lane = FIRST_LANE + usize(index) * LANE_BYTES;
}

@inline
export function at(offset: usize): usize {
  return lane + offset;
}

@inline
export function slotAt(slot: u32): usize {
  return SLOT_TABLE + usize(slot) * SLOT_BYTES;
}
