/** Capsules (RFC 9297) with the HTTP datagrams of CONNECT-UDP (RFC 9298) inside, in bounded memory. */

import { readVarint, varintLength, writeVarint } from './varint.js';

/** RFC 9297 section 3.5. */
export const CAPSULE_DATAGRAM = 0x00;
/** RFC 9298 section 5: UDP payloads. */
const CONTEXT_UDP = 0;
/** Two varints of eight bytes at most: type and length. */
const MOST_HEADER = 16;

/** Bytes that a datagram of this length takes as a capsule. */
export function capsuleBytes(length: number): number {
  const value = length + 1;
  return length + 2 + (value < 0x40 ? 1 : value < 0x4000 ? 2 : 4);
}

/** Writes a datagram as a capsule; where it ends. `capsuleBytes` must fit. */
export function writeDatagramCapsule(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  into[at] = CAPSULE_DATAGRAM;
  const value = writeVarint(into, at + 1, length + 1);
  into[value] = CONTEXT_UDP;
  into.set(bytes.subarray(offset, offset + length), value + 1);
  return value + 1 + length;
}

export interface CapsuleEvents {
  /** A UDP payload; the bytes are lent. */
  datagram(bytes: Uint8Array, offset: number, length: number): void;
}

/** Takes capsules apart, in whatever pieces their bytes come. */
export class CapsuleReader {
  /** Capsules that were passed over: of another type or context, or too long for a datagram. */
  skipped = 0;
  readonly #events: CapsuleEvents;
  readonly #header = new Uint8Array(MOST_HEADER);
  #headerBytes = 0;
  /** The value of a capsule that came in pieces. */
  readonly #value: Uint8Array;
  #valueBytes = 0;
  /** Bytes of the value that are still to come; -1 while the header is read. */
  #left = -1;
  #keep = false;

  /** `most` bytes of UDP payload; longer datagrams are passed over, as a link passes over what it cannot carry. */
  constructor(most: number, events: CapsuleEvents) {
    // The context identifier takes eight bytes at most.
    this.#value = new Uint8Array(most + 8);
    this.#events = events;
  }

  /** Takes `bytes[at .. end)`. False when what came are no capsules: the stream is of no use then. */
  push(bytes: Uint8Array, at: number, end: number): boolean {
    let next = at;
    while (next < end) {
      if (this.#left < 0) {
        this.#header[this.#headerBytes++] = bytes[next++];
        if (!this.#readHeader()) return false;
        continue;
      }
      const count = Math.min(this.#left, end - next);
      if (this.#keep && this.#valueBytes === 0 && count === this.#left) {
        this.#datagram(bytes, next, count);
      } else if (this.#keep) {
        this.#value.set(bytes.subarray(next, next + count), this.#valueBytes);
        this.#valueBytes += count;
        if (count === this.#left) this.#datagram(this.#value, 0, this.#valueBytes);
      }
      next += count;
      this.#left -= count;
      if (this.#left === 0) this.#begin();
    }
    return true;
  }

  #begin(): void {
    this.#left = -1;
    this.#headerBytes = this.#valueBytes = 0;
  }

  /** False for a length that no Number holds. */
  #readHeader(): boolean {
    const header = this.#header;
    const type = varintLength(header[0]);
    if (this.#headerBytes <= type) return true;
    if (this.#headerBytes < type + varintLength(header[type])) return true;
    const length = readVarint(header, type);
    if (Number.isNaN(length)) return false;
    this.#keep = readVarint(header, 0) === CAPSULE_DATAGRAM && length <= this.#value.length;
    // RFC 9297 section 3.2: what is not known is passed over.
    if (!this.#keep) this.skipped++;
    this.#left = length;
    if (length === 0) this.#begin();
    return true;
  }

  #datagram(bytes: Uint8Array, at: number, length: number): void {
    const context = varintLength(bytes[at]);
    if (context > length || readVarint(bytes, at) !== CONTEXT_UDP) this.skipped++;
    else this.#events.datagram(bytes, at + context, length - context);
  }
}
