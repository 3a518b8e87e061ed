/** Handshake messages waiting for the effort they cost: a bounded ring of copies. Its depth is the sign of load. */

import { copyEndpoint, ENDPOINT_BYTES } from '../packet/endpoint.js';
import { INITIATION_BYTES } from './messages.js';

export class HandshakeQueue {
  readonly capacity: number;
  readonly #bytes: Uint8Array;
  readonly #lengths: Uint8Array;
  readonly #endpoints: Uint8Array;
  #first = 0;
  #count = 0;
  /** The message and source last taken by `shift`. */
  readonly #message = new Uint8Array(INITIATION_BYTES);
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#bytes = new Uint8Array(capacity * INITIATION_BYTES);
    this.#lengths = new Uint8Array(capacity);
    this.#endpoints = new Uint8Array(capacity * ENDPOINT_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  /** `length` is at most 148. False when the queue is full: the message is lost. */
  push(
    bytes: Uint8Array,
    offset: number,
    length: number,
    endpoints: Uint8Array,
    endpointAt: number,
  ): boolean {
    if (this.#count === this.capacity) return false;
    const slot = (this.#first + this.#count) % this.capacity;
    const at = slot * INITIATION_BYTES;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = bytes[offset + i];
    this.#lengths[slot] = length;
    copyEndpoint(this.#endpoints, slot * ENDPOINT_BYTES, endpoints, endpointAt);
    this.#count++;
    return true;
  }

  /** The oldest message, valid until the next call, its source in `endpoint`; undefined when empty. */
  shift(): Uint8Array | undefined {
    if (this.#count === 0) return undefined;
    const slot = this.#first;
    this.#first = (slot + 1) % this.capacity;
    this.#count--;
    const at = slot * INITIATION_BYTES;
    const length = this.#lengths[slot];
    this.#message.set(this.#bytes.subarray(at, at + length));
    copyEndpoint(this.endpoint, 0, this.#endpoints, slot * ENDPOINT_BYTES);
    return this.#message.subarray(0, length);
  }

  clear(): void {
    this.#count = 0;
  }
}
