/**
 * Loads the WebAssembly kernel (`assembly/`, compiled by `build.mjs`) and gives out its parts: lanes, one for each
 * direction of traffic, and the table of key slots they share. See `assembly/layout.ts` for the memory's layout.
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Pages of 64 KiB, as in `build.mjs`. */
const INITIAL_PAGES = 80;
const MAXIMUM_PAGES = 1024;

/** Results below zero of `receive` (`assembly/message.ts`, `assembly/receive.ts`). */
export const NOT_DATA = -1;
export const BAD_TAG = -2;
export const REPLAYED = -3;
export const BAD_PACKET = -4;
/** Added by `receive` to the packet's length when nothing was delivered: the source has to be looked up. */
export const SOURCE_UNKNOWN = 0x100000;

/** Results below zero of `takeFrame` (`assembly/segment.ts`). */
export const NOT_IP = -1;
export const BAD_OFFLOAD = -2;

/** WireGuard's header before a packet, and header and tag together, in bytes. */
export const MESSAGE_HEADER = 16;
export const MESSAGE_OVERHEAD = 32;
/** `virtio_net_hdr` before every frame read from or written to TUN. */
export const VNET_BYTES = 10;
/** Most datagrams and bytes of one run (`assembly/send.ts`). */
export const RUN_SEGMENTS = 64;
export const RUN_BYTES = 65507;

/** The compiled functions. Addresses and lengths are bytes in the shared memory. */
export interface KernelFunctions {
  useLane(index: number): void;
  eraseScratch(): void;
  eraseSlot(slot: number, bytes: number): void;
  acceptSlotCounter(slot: number, low: number, high: number): number;
  aeadSeal(
    key: number,
    low: number,
    high: number,
    data: number,
    length: number,
    ad: number,
    adLength: number,
  ): void;
  aeadOpen(
    key: number,
    low: number,
    high: number,
    data: number,
    length: number,
    ad: number,
    adLength: number,
  ): number;
  xaeadSeal(key: number, nonce: number, data: number, length: number, ad: number, adLength: number): void;
  xaeadOpen(key: number, nonce: number, data: number, length: number, ad: number, adLength: number): number;
  takeFrame(frame: number, length: number): number;
  segmentLength(index: number): number;
  writeSegment(index: number, to: number): number;
  sealRun(slot: number, low: number, high: number, first: number, total: number, mtu: number): number;
  runBytes(): number;
  runStride(): number;
  sealAt(message: number, length: number, slot: number, low: number, high: number, mtu: number): number;
  forgetSource(): void;
  receive(message: number, length: number, slot: number): number;
  acceptSource(message: number, length: number): void;
  deliver(packet: number, length: number): void;
  supersLeft(): number;
  finishDeliveries(): number;
  clearDeliveries(): void;
  peekLength(message: number, slot: number): number;
  nextMessage(data: number, length: number, from: number): number;
}

type Layout = Record<
  | 'FIRST_LANE'
  | 'LANES'
  | 'LANE_BYTES'
  | 'INPUT'
  | 'INPUT_BYTES'
  | 'OUTPUT'
  | 'OUTPUT_BYTES'
  | 'DELIVERIES'
  | 'DELIVERY_CAPACITY'
  | 'SLOT_TABLE'
  | 'SLOT_BYTES'
  | 'SLOT_SEND_KEY'
  | 'SLOT_RECEIVE_KEY'
  | 'SLOT_REMOTE_INDEX',
  { value: number }
>;

/** One direction's instance of the kernel with its own working memory. */
export interface Lane {
  readonly call: KernelFunctions;
  /** Where packets or datagrams are put in, `inputBytes` of room. */
  readonly input: number;
  readonly inputBytes: number;
  /** Where `sealRun` leaves its datagrams. */
  readonly output: number;
  /** The delivery list: pairs of uint32, address and length. */
  readonly deliveries: Uint32Array;
}

/** The kernel could not be found or does not fit this version of the host. */
export class KernelError extends Error {
  override name = 'KernelError';
}

/** Beside the bundle, or in `dist/` when the host runs from its sources. */
function kernelFile(): string {
  for (const place of ['./kernel.wasm', '../../../dist/kernel.wasm']) {
    const file = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new KernelError('kernel.wasm is not beside the program: run `npm run build`');
}

export class Kernel {
  readonly #module: WebAssembly.Module;
  readonly #layout: Layout;
  readonly memory: WebAssembly.Memory;
  /** All memory there was at the start: every lane, and the first key slots. Stays valid when the table grows. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #table: Uint8Array;
  #tableView: DataView;
  readonly #free: number[] = [];
  #slots = 0;
  readonly #erase: KernelFunctions;
  /** The lanes given out in this thread. */
  readonly #lanes: KernelFunctions[] = [];

  /** `file` is the compiled kernel; without it the one that belongs to this program. Throws {@link KernelError}. */
  constructor(file: string = kernelFile()) {
    this.memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: true });
    try {
      this.#module = new WebAssembly.Module(readFileSync(file));
      const instance = this.#instantiate();
      this.#layout = instance as unknown as Layout;
      this.#erase = instance;
    } catch (error) {
      throw new KernelError(`${file} cannot be used: ${(error as Error).message}`);
    }
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.#table = this.bytes;
    this.#tableView = this.view;
    this.#slots = this.#slotsIn(this.bytes.length);
    for (let i = this.#slots - 1; i >= 0; i--) this.#free.push(i);
  }

  #instantiate(): KernelFunctions {
    const instance = new WebAssembly.Instance(this.#module, { env: { memory: this.memory } });
    return instance.exports as unknown as KernelFunctions;
  }

  #slotsIn(bytes: number): number {
    return Math.floor((bytes - this.#layout.SLOT_TABLE.value) / this.#layout.SLOT_BYTES.value);
  }

  get laneCount(): number {
    return this.#layout.LANES.value;
  }

  /** A new instance working in lane `index`; one lane must not be used by two instances at a time. */
  lane(index: number): Lane {
    const layout = this.#layout;
    if (!(index >= 0 && index < this.laneCount)) throw new RangeError(`there is no lane ${index}`);
    const call = this.#instantiate();
    call.useLane(index);
    this.#lanes.push(call);
    const base = layout.FIRST_LANE.value + index * layout.LANE_BYTES.value;
    return {
      call,
      input: base + layout.INPUT.value,
      inputBytes: layout.INPUT_BYTES.value,
      output: base + layout.OUTPUT.value,
      deliveries: new Uint32Array(
        this.memory.buffer,
        base + layout.DELIVERIES.value,
        2 * layout.DELIVERY_CAPACITY.value,
      ),
    };
  }

  /** Puts the keys of a pair into a free slot and returns its number, or -1 when the table is full. */
  takeSlot(sendKey: Uint8Array, receiveKey: Uint8Array, remoteIndex: number): number {
    const slot = this.#free.pop() ?? this.#grow();
    if (slot < 0) return -1;
    const { SLOT_TABLE, SLOT_BYTES, SLOT_SEND_KEY, SLOT_RECEIVE_KEY, SLOT_REMOTE_INDEX } = this.#layout;
    const at = SLOT_TABLE.value + slot * SLOT_BYTES.value;
    this.#table.set(sendKey, at + SLOT_SEND_KEY.value);
    this.#table.set(receiveKey, at + SLOT_RECEIVE_KEY.value);
    this.#tableView.setUint32(at + SLOT_REMOTE_INDEX.value, remoteIndex, true);
    return slot;
  }

  /** Erases the slot's keys and window, and what this thread's lanes derived from keys last, and frees the slot. */
  releaseSlot(slot: number): void {
    this.#erase.eraseSlot(slot, this.#layout.SLOT_BYTES.value);
    for (const lane of this.#lanes) lane.eraseScratch();
    this.#free.push(slot);
  }

  /** Adds one page's worth of slots; the first of them, or -1. */
  #grow(): number {
    try {
      this.memory.grow(1);
    } catch {
      return -1;
    }
    this.#table = new Uint8Array(this.memory.buffer);
    this.#tableView = new DataView(this.memory.buffer);
    const first = this.#slots;
    this.#slots = this.#slotsIn(this.memory.buffer.byteLength);
    for (let i = this.#slots - 1; i > first; i--) this.#free.push(i);
    return first;
  }

  /** Bytes of memory in use by lanes and key table. */
  get memoryBytes(): number {
    return this.memory.buffer.byteLength;
  }
}
