import { ENDPOINT_BYTES } from './endpoint.js';

/** Space kept before a packet: WireGuard's 16-byte data header plus 16 for a transport's own framing. */
export const HEADROOM = 32;
/** Space kept behind a packet: up to 15 bytes of padding, the 16-byte tag, rounded up. */
export const TAILROOM = 32;
/** Most entries a batch may have by default, so that timers and control never starve. */
export const BATCH_CAPACITY = 64;

/**
 * A fixed set of packet slots in one buffer, made once and used for ever. Entry `i` is
 * `bytes[offset[i] .. offset[i] + length[i])`; a length of 0 means "dropped". Sealing and opening happen in
 * place by moving `offset` into the headroom or out of it, so the same batch travels from one port to the other.
 */
export class Batch {
  readonly capacity: number;
  /** Bytes from one slot's start to the next. */
  readonly slotSize: number;
  readonly bytes: Uint8Array;
  /** Reads integers out of `bytes` without making objects. */
  readonly view: DataView;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  /** `capacity` endpoint records: a datagram's source after receive, its destination before send. */
  readonly endpoints: Uint8Array;
  /** Entries in use. */
  count = 0;

  /** `packetSize` is the largest packet or datagram a slot takes, in bytes, besides head- and tailroom. */
  constructor(packetSize: number, capacity = BATCH_CAPACITY) {
    this.capacity = capacity;
    this.slotSize = (HEADROOM + packetSize + TAILROOM + 15) & ~15;
    this.bytes = new Uint8Array(this.slotSize * capacity);
    this.view = new DataView(this.bytes.buffer);
    this.offset = new Uint32Array(capacity);
    this.length = new Uint32Array(capacity);
    this.endpoints = new Uint8Array(capacity * ENDPOINT_BYTES);
  }

  /** Bytes a fresh entry can take at its standard offset. */
  get packetSize(): number {
    return this.slotSize - HEADROOM - TAILROOM;
  }

  get full(): boolean {
    return this.count === this.capacity;
  }

  clear(): void {
    this.count = 0;
  }

  /** Where entry `i`'s packet begins when it has the whole headroom before it. */
  start(i: number): number {
    return i * this.slotSize + HEADROOM;
  }

  /**
   * Claims the next slot for a packet of `length` bytes at the standard offset and returns its index, or -1 when
   * the batch is full or the packet does not fit. The caller fills the bytes.
   */
  claim(length: number): number {
    if (this.count === this.capacity || length > this.packetSize) return -1;
    const i = this.count++;
    this.offset[i] = this.start(i);
    this.length[i] = length;
    return i;
  }

  /** Copies a packet into the next slot; its index, or -1 when it did not fit. */
  push(from: Uint8Array, at: number, length: number): number {
    const i = this.claim(length);
    if (i >= 0) {
      // `subarray` is one small object; the copy itself is native on every engine.
      this.bytes.set(from.subarray(at, at + length), this.offset[i]);
    }
    return i;
  }
}
