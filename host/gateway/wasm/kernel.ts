/**
 * Loads the WebAssembly kernel (`assembly/`, compiled by `build.mjs`) and gives out its parts: lanes, one for each
 * direction of traffic, and the table of key slots they share. See `assembly/layout.ts` for the memory's layout.
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Pages of 64 KiB, as in `build.mjs`. */
const INITIAL_PAGES = 80;
const MAXIMUM_PAGES = 8192;
const PAGE_BYTES = 65_536;
/** Everything allocated begins on a cache line; a slot's number is its address in these. */
const LINE_BYTES = 64;

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

  // For data planes with threads of their own; see the files of `assembly/` of these names.
  useLaneAt(address: number): void;
  takeWake(): number;
  useNative(from: number): void;
  initOutward(vectors: number, room: number, roomBytes: number, ring: number): void;
  outward(frame: number, length: number, time: number): number;
  goOutward(): number;
  outwardBytes(): number;
  finishOutward(family: number): number;
  clearOutward(): void;
  initInward(vector: number, buffers: number, ring: number): void;
  prepareInward(messages: number): void;
  inward(messages: number, time: number): number;
  inwardOne(place: number, length: number, from: number, time: number): void;
  markCongestion(packet: number): number;
  ownerOf(vector: number, message: number): number;
  initSingle(vector: number): void;
  prepareSingle(record: number, data: number, length: number, trafficClass: number): number;
  publishEndpoint(peer: number, record: number, follows: number): number;
  publishSlot(peer: number, slot: number): number;
  peerTurn(peer: number): number;
  healPeer(peer: number): void;
  takeSlotCounters(slot: number, count: number): number;
  findSlot(index: number): number;
  peerAt(peer: number): number;
  route(address: number, version: number): number;
}

/** Places and sizes that `assembly/` exports, each as a global of its name. */
export type KernelConstant =
  | 'ARGUMENTS'
  | 'BUFFER_BYTES'
  | 'CONTROL_CALLED'
  | 'CONTROL_SLEEPS'
  | 'COUNTERS'
  | 'DELIVERIES'
  | 'DELIVERY_CAPACITY'
  | 'ECN_NORMAL'
  | 'FIRST_LANE'
  | 'FORWARD_UNKNOWN'
  | 'HEAP'
  | 'INDEX_ENTRIES'
  | 'INDEX_MASK'
  | 'INDEX_REMOVED'
  | 'INDEX_TABLE'
  | 'INPUT'
  | 'INPUT_BYTES'
  | 'LANES'
  | 'LANE_BYTES'
  | 'LANE_STATE'
  | 'MEMORY_BASE'
  | 'MTU'
  | 'NOTE_AT'
  | 'NOTE_BYTES'
  | 'NOTE_DATAGRAMS'
  | 'NOTE_LISTED'
  | 'NOTE_NEXT'
  | 'NOTE_PACKETS'
  | 'OUTPUT'
  | 'OUTPUT_BYTES'
  | 'PEERS_PER_BLOCK'
  | 'PEER_BLOCKS'
  | 'PEER_BLOCK_COUNT'
  | 'PEER_BYTES'
  | 'PEER_RECORD'
  | 'POLL'
  | 'RECEIVED_LIST'
  | 'RECORD_CONTENT'
  | 'RECORD_ENDPOINT'
  | 'RECORD_INDEX'
  | 'RECORD_KIND'
  | 'RING_CAPACITY'
  | 'RING_DATA'
  | 'RING_READ'
  | 'RING_WRITTEN'
  | 'ROUTES_BEGUN'
  | 'ROUTES_VALID'
  | 'ROUTE_SETS'
  | 'ROUTE_SET_BYTES'
  | 'SENT_LIST'
  | 'SLOT_BYTES'
  | 'SLOT_COUNTER'
  | 'SLOT_GREATEST'
  | 'SLOT_IN_USE'
  | 'SLOT_LIVE'
  | 'SLOT_LOCAL_INDEX'
  | 'SLOT_LOCK'
  | 'SLOT_PEER'
  | 'SLOT_RECEIVED'
  | 'SLOT_RECEIVE_KEY'
  | 'SLOT_REJECT_AT'
  | 'SLOT_REMOTE_INDEX'
  | 'SLOT_SEND_KEY'
  | 'SLOT_SENT'
  | 'SLOT_SOURCE'
  | 'SLOT_SOURCE_TURN'
  | 'SLOT_WAITS'
  | 'SUPERS'
  | 'VECTOR_BYTES'
  | 'VECTOR_MESSAGES';
type Layout = Readonly<Record<KernelConstant, { readonly value: number }>>;

/** One direction's instance of the kernel with its own working memory. */
export interface Lane {
  readonly call: KernelFunctions;
  /** Where the lane begins. */
  readonly base: number;
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

/** What a thread needs to work with a kernel of another; can be posted. */
export interface KernelShare {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** ChaCha20-Poly1305 outside of the kernel, on addresses in its memory: WireGuard's nonce, no additional data. */
export interface NativeAead {
  sealNative(key: number, low: number, high: number, data: number, length: number): void;
  /** 1 or 0; what is refused may have been changed. `length` counts the ciphertext without its tag. */
  openNative(key: number, low: number, high: number, data: number, length: number): number;
}

/** Where none was brought along; `useNative` is not called then. */
const NO_NATIVE_AEAD: NativeAead = {
  sealNative: () => {
    throw new KernelError('there is no other implementation to seal with');
  },
  openNative: () => 0,
};

function instantiate(
  { module, memory }: KernelShare,
  { sealNative, openNative } = NO_NATIVE_AEAD,
): WebAssembly.Instance {
  return new WebAssembly.Instance(module, { env: { memory, sealNative, openNative } });
}

/** An instance of the kernel that works in the lane at `base`, for the thread this is called in. */
export function openLane(share: KernelShare, base: number, aead?: NativeAead): Lane {
  const instance = instantiate(share, aead);
  const call = instance.exports as unknown as KernelFunctions;
  const layout = instance.exports as unknown as Layout;
  call.useLaneAt(base);
  return {
    call,
    base,
    input: base + layout.INPUT.value,
    inputBytes: layout.INPUT_BYTES.value,
    output: base + layout.OUTPUT.value,
    deliveries: new Uint32Array(
      share.memory.buffer,
      base + layout.DELIVERIES.value,
      2 * layout.DELIVERY_CAPACITY.value,
    ),
  };
}

export class Kernel {
  readonly share: KernelShare;
  readonly #layout: Layout;
  /** All memory there was at the start: the first lanes and key slots. Stays valid when more is allocated. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #all: Uint8Array;
  #words: Int32Array;
  #doubles: Float64Array;
  #longs: BigUint64Array;
  #allocated: number;
  readonly #freeSlots: number[] = [];
  readonly #main: KernelFunctions;
  /** The lanes given out in this thread. */
  readonly #lanes: KernelFunctions[] = [];

  /**
   * `file` is the compiled kernel; without it the one that belongs to this program. `maximumPages` of 64 KiB bound its
   * memory. Throws {@link KernelError}.
   */
  constructor(file: string = kernelFile(), maximumPages: number = MAXIMUM_PAGES) {
    const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: maximumPages, shared: true });
    try {
      this.share = { module: new WebAssembly.Module(readFileSync(file)), memory };
      const instance = instantiate(this.share);
      this.#layout = instance.exports as unknown as Layout;
      this.#main = instance.exports as unknown as KernelFunctions;
      this.#allocated = this.constant('HEAP');
    } catch (error) {
      throw new KernelError(`${file} cannot be used: ${(error as Error).message}`);
    }
    this.bytes = this.#all = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#longs = new BigUint64Array(memory.buffer);
  }

  get memory(): WebAssembly.Memory {
    return this.share.memory;
  }

  constant(name: KernelConstant): number {
    const found = this.#layout[name];
    if (found === undefined) throw new KernelError(`the kernel has no ${name}: it is of another version`);
    return found.value;
  }

  /** All memory as it is now, by bytes, by int32, float64 and uint64; not to be kept over an `allocate`. */
  get all(): Uint8Array {
    return this.#all;
  }

  get words(): Int32Array {
    return this.#words;
  }

  get doubles(): Float64Array {
    return this.#doubles;
  }

  get longs(): BigUint64Array {
    return this.#longs;
  }

  get laneCount(): number {
    return this.constant('LANES');
  }

  /** A new instance working in lane `index`; one lane must not be used by two instances at a time. */
  lane(index: number): Lane {
    if (!(index >= 0 && index < this.laneCount)) throw new RangeError(`there is no lane ${index}`);
    return this.laneAt(this.constant('FIRST_LANE') + index * this.constant('LANE_BYTES'));
  }

  /** A new instance of this thread working in the lane at `base`, from `allocateLane`. */
  laneAt(base: number): Lane {
    const lane = openLane(this.share, base);
    this.#lanes.push(lane.call);
    return lane;
  }

  /** Memory for one more lane. Throws {@link KernelError} when there is none. */
  allocateLane(): number {
    return this.allocate(this.constant('LANE_BYTES'));
  }

  /** Zeroed memory that is never given back, on a cache line. Throws {@link KernelError} when there is none. */
  allocate(bytes: number): number {
    const address = this.#allocated;
    const end = address + Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / PAGE_BYTES));
      } catch {
        throw new KernelError(`no memory for ${bytes} more bytes of tables`);
      }
      this.#all = new Uint8Array(this.memory.buffer);
      this.#words = new Int32Array(this.memory.buffer);
      this.#doubles = new Float64Array(this.memory.buffer);
      this.#longs = new BigUint64Array(this.memory.buffer);
    }
    this.#allocated = end;
    return address;
  }

  /** Puts the keys of a pair into a free slot and returns its number, or -1 when there is no memory for more. */
  takeSlot(sendKey: Uint8Array, receiveKey: Uint8Array, remoteIndex: number): number {
    const slot = this.#freeSlots.pop() ?? this.#moreSlots();
    if (slot < 0) return -1;
    const at = slot * LINE_BYTES;
    this.#all.set(sendKey, at + this.constant('SLOT_SEND_KEY'));
    this.#all.set(receiveKey, at + this.constant('SLOT_RECEIVE_KEY'));
    this.#words[(at + this.constant('SLOT_REMOTE_INDEX')) >> 2] = remoteIndex;
    return slot;
  }

  /** Erases the slot's keys and window, and what this thread's lanes derived from keys last, and frees the slot. */
  releaseSlot(slot: number): void {
    this.#main.eraseSlot(slot, this.constant('SLOT_BYTES'));
    for (const lane of this.#lanes) lane.eraseScratch();
    this.#freeSlots.push(slot);
  }

  /** Address of a slot. */
  slotAddress(slot: number): number {
    return slot * LINE_BYTES;
  }

  /** Makes a page's worth of slots; one of them, or -1. */
  #moreSlots(): number {
    const bytes = this.constant('SLOT_BYTES');
    const count = Math.floor(PAGE_BYTES / bytes);
    let first: number;
    try {
      first = this.allocate(count * bytes) / LINE_BYTES;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return -1;
    }
    for (let i = count - 1; i > 0; i--) this.#freeSlots.push(first + (i * bytes) / LINE_BYTES);
    return first;
  }

  /** Bytes of memory in use by lanes and tables. */
  get memoryBytes(): number {
    return this.memory.buffer.byteLength;
  }
}
