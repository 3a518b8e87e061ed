import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { Kernel } from '../wasm/kernel.js';

/** In place of a record's length: the rest before the end is not used. */
const SKIP = 0xffff_ffff;

/** The control thread's end of the queue from one of the data plane's threads: see `wasm/assembly/ring.ts`. */
export class ControlRing {
  readonly address: number;
  /** Of the record taken last. The endpoint and the content stay valid until the next `take`. */
  kind = 0;
  index = 0;
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  /** Where its content lies in the kernel's memory. */
  content = 0;
  length = 0;
  readonly #kernel: Kernel;
  readonly #capacity: number;
  /** Bytes of the record taken last: given back with the next. */
  #held = 0;

  /** `capacity` in bytes is a power of two. */
  constructor(kernel: Kernel, capacity: number) {
    this.#kernel = kernel;
    this.#capacity = capacity;
    this.address = kernel.allocate(kernel.constant('RING_DATA') + capacity);
    kernel.words[(this.address + kernel.constant('RING_CAPACITY')) >> 2] = capacity;
  }

  get waiting(): boolean {
    return this.#read() + this.#held !== this.#written();
  }

  /** Takes the oldest record; false when there is none. */
  take(): boolean {
    const kernel = this.#kernel;
    const { words } = kernel;
    this.giveBack();
    let read = this.#read();
    if (read === this.#written()) return false;
    let place = this.#place(read);
    let length = words[place >> 2] >>> 0;
    if (length === SKIP) {
      read = (read + this.#capacity - (read & (this.#capacity - 1))) >>> 0;
      this.#setRead(read);
      place = this.#place(read);
      length = words[place >> 2] >>> 0;
    }
    const header = kernel.constant('RECORD_CONTENT');
    this.#held = (header + length + 15) & ~15;
    this.kind = words[(place + kernel.constant('RECORD_KIND')) >> 2];
    this.index = words[(place + kernel.constant('RECORD_INDEX')) >> 2] >>> 0;
    const endpoint = place + kernel.constant('RECORD_ENDPOINT');
    this.endpoint.set(kernel.all.subarray(endpoint, endpoint + ENDPOINT_BYTES));
    this.content = place + header;
    this.length = length;
    return true;
  }

  /** The record taken last is not needed any more. */
  giveBack(): void {
    if (this.#held === 0) return;
    const held = this.#held;
    this.#held = 0;
    this.#setRead((this.#read() + held) >>> 0);
  }

  #place(position: number): number {
    return this.address + this.#kernel.constant('RING_DATA') + (position & (this.#capacity - 1));
  }

  #read(): number {
    return Atomics.load(this.#kernel.words, (this.address + this.#kernel.constant('RING_READ')) >> 2) >>> 0;
  }

  #setRead(position: number): void {
    Atomics.store(this.#kernel.words, (this.address + this.#kernel.constant('RING_READ')) >> 2, position | 0);
  }

  #written(): number {
    return (
      Atomics.load(this.#kernel.words, (this.address + this.#kernel.constant('RING_WRITTEN')) >> 2) >>> 0
    );
  }
}
