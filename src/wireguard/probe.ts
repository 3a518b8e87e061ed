/**
 * Our own question "do you hear me here?", asked and answered inside the session: a data message whose content is no
 * IP packet. So it is as authentic, fresh and secret as any data, needs no key of its own, and a peer of another make
 * drops it as it drops every packet that is neither IPv4 nor IPv6.
 *
 * Layout, 16 bytes: zero u8 (no IP version), kind u8, mark u16, id u32 (both little-endian), eight zero bytes.
 */

import { readU32, writeU32 } from './messages.js';

export const PROBE_BYTES = 16;
export const PROBE_ASKS = 1;
export const PROBE_ANSWERS = 2;

const KIND = 1;
const MARK = 2;
const ID = 4;
const MARK_LOW = 0xcb;
const MARK_HIGH = 0x01;

/** Fills `into` (16 bytes). `id` is 32 bits. */
export function writeProbe(into: Uint8Array, kind: number, id: number): void {
  into.fill(0);
  into[KIND] = kind;
  into[MARK] = MARK_LOW;
  into[MARK + 1] = MARK_HIGH;
  writeU32(into, ID, id);
}

/** The kind of a probe, or 0 for anything else. */
export function probeKind(bytes: Uint8Array, at: number, length: number): number {
  if (length !== PROBE_BYTES || bytes[at] !== 0) return 0;
  if (bytes[at + MARK] !== MARK_LOW || bytes[at + MARK + 1] !== MARK_HIGH) return 0;
  const kind = bytes[at + KIND];
  return kind === PROBE_ASKS || kind === PROBE_ANSWERS ? kind : 0;
}

export function probeId(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + ID);
}
