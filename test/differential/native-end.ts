/**
 * One end of tier T1: its shared tables and the loops of both its threads, run in this one on an operating system of
 * arrays. What the control thread does between them is done after each.
 */

import { ControlRing } from '../../host/gateway/native/control-ring.js';
import { InwardLoop } from '../../host/gateway/native/inward-loop.js';
import { LaneThread } from '../../host/gateway/native/lane.js';
import {
  DEVICE_COUNTERS,
  LANE_COUNTERS,
  type LaneCounter,
  type LaneData,
  type Role,
  STATE,
} from '../../host/gateway/native/lane-state.js';
import { loadLinux } from '../../host/gateway/native/linux.js';
import { MessagePort } from '../../host/gateway/native/message-port.js';
import { Notes } from '../../host/gateway/native/notes.js';
import { OutwardLoop } from '../../host/gateway/native/outward-loop.js';
import { PacketPort } from '../../host/gateway/native/packet-port.js';
import { SharedTables } from '../../host/gateway/native/shared-tables.js';
import { Kernel } from '../../host/gateway/wasm/kernel.js';
import { Batch } from '../../src/packet/batch.js';
import { endpointAddressOffset, endpointPort } from '../../src/packet/endpoint.js';
import type { VirtualNode } from '../wireguard/virtual/world.js';
import { MemoryLinux, type Sent, TUN, UDP } from './memory-linux.js';

const ROOM = 0x40000;
const BUFFERS = 64;
const RING = 0x80000;
const EVENT = 3;
/** What a virtual device's batches carry. */
const PACKET_BYTES = 2048;

/** A thread that was made into an object. */
class LoopEnd {
  readonly ring: ControlRing;
  readonly #kernel: Kernel;
  readonly #lane: number;
  readonly #loop: { run(): string | undefined };
  readonly #counters: Float64Array;
  readonly #told = new Map<LaneCounter, number>();

  constructor(
    kernel: Kernel,
    linux: MemoryLinux,
    tables: SharedTables,
    role: Role,
    now: () => number,
    openssl: boolean,
  ) {
    this.#kernel = kernel;
    this.ring = new ControlRing(kernel, RING);
    this.#lane = kernel.allocateLane();
    const roomBytes = role === 'outward' ? ROOM : BUFFERS * kernel.constant('BUFFER_BYTES');
    const data: LaneData = {
      ...{ role, module: kernel.share.module, memory: kernel.share.memory, lane: this.#lane },
      vectors: kernel.allocate(2 * kernel.constant('VECTOR_BYTES')),
      room: kernel.allocate(roomBytes),
      ...{ roomBytes, ring: this.ring.address, event: EVENT, origin: 0, openssl },
    };
    const port = { postMessage: () => {} };
    const thread = new LaneThread(
      data,
      linux,
      port as unknown as ConstructorParameters<typeof LaneThread>[2],
    );
    // The clock of the virtual world, not this machine's.
    Object.defineProperty(thread, 'now', { value: now });
    this.#loop = role === 'outward' ? new OutwardLoop(thread) : new InwardLoop(thread);
    tables.addUser(this.#lane + kernel.constant('SLOT_IN_USE'));
    this.#counters = new Float64Array(kernel.memory.buffer, this.#lane + kernel.constant('COUNTERS'), 32);
    this.#set(STATE.tun, TUN);
    this.#set(STATE.udp4, UDP);
    this.#set(STATE.udp6, -1);
  }

  #set(word: number, value: number): void {
    Atomics.store(
      this.#kernel.words,
      ((this.#lane + this.#kernel.constant('LANE_STATE')) >> 2) + word,
      value,
    );
  }

  stop(): void {
    this.#set(STATE.stop, 1);
  }

  /** Until the operating system has nothing more for it. */
  run(): void {
    this.#set(STATE.stop, 0);
    const ended = this.#loop.run();
    if (ended !== undefined) throw new Error(ended);
  }

  /** Of a counter what was added since the last call. */
  news(name: LaneCounter): number {
    const now = this.#counters[LANE_COUNTERS.indexOf(name)];
    const before = this.#told.get(name) ?? 0;
    this.#told.set(name, now);
    return now - before;
  }
}

export class NativeEnd {
  readonly tables: SharedTables;
  readonly linux: MemoryLinux;
  badFrames = 0;
  readonly #kernel: Kernel;
  readonly #notes: Notes;
  readonly #outward: LoopEnd;
  readonly #inward: LoopEnd;
  readonly #packets: PacketPort;
  readonly #messages: MessagePort;
  readonly #batch = new Batch(PACKET_BYTES);
  #node: VirtualNode | undefined;

  /** `openssl`: with the one inside Node for long messages. Throws NativeMissingError when there is none. */
  constructor(kernelFile: string | undefined, openssl: boolean) {
    const linux = openssl ? new MemoryLinux(loadLinux().addressOf) : new MemoryLinux();
    this.linux = linux;
    const kernel = new Kernel(kernelFile);
    this.#kernel = kernel;
    const base = linux.addressOf(kernel.memory.buffer);
    kernel.view.setBigUint64(kernel.constant('MEMORY_BASE'), BigInt(base), true);
    const lane = kernel.laneAt(kernel.allocateLane());
    this.tables = new SharedTables(kernel, lane);
    this.#notes = new Notes(kernel, this.tables);
    const now = () => this.#node?.world.clock.monotonic() ?? 0;
    this.#outward = new LoopEnd(kernel, linux, this.tables, 'outward', now, openssl);
    this.#inward = new LoopEnd(kernel, linux, this.tables, 'inward', now, openssl);
    this.#packets = new PacketPort(kernel, [this.#outward.ring], (frame) => linux.written.push(frame));
    this.#messages = new MessagePort(kernel, lane, linux, base, [this.#inward.ring]);
    this.#messages.udp4 = UDP;
    this.#messages.onContents = () => {
      if (this.#node) this.#node.device.counters.badPacket++;
    };
    // The memory has grown since.
    linux.addressOf(kernel.memory.buffer);
    // Now and then there is room for some of the messages only, and sometimes for none.
    let calls = 0;
    linux.room = (count) => (calls++ % 7 === 0 ? 0 : Math.max(1, count >> (calls % 3)));
    linux.onIdle = () => {
      this.#outward.stop();
      this.#inward.stop();
    };
  }

  /** From now on this device's; what the one before left is erased. `showsMarks`: RFC 6040's normal mode. */
  follow(node: VirtualNode, showsMarks: boolean): void {
    this.#node = node;
    const kernel = this.#kernel;
    this.#notes.tell();
    this.tables.eraseCondemned();
    this.tables.follow(node.device);
    Atomics.store(kernel.words, kernel.constant('MTU') >> 2, node.device.mtu);
    Atomics.store(kernel.words, kernel.constant('ECN_NORMAL') >> 2, showsMarks ? 1 : 0);
    for (const end of [this.#outward, this.#inward]) for (const name of LANE_COUNTERS) end.news(name);
    this.badFrames = 0;
    const { linux } = this;
    linux.sent.length = linux.written.length = linux.frames.length = linux.arriving.length = 0;
  }

  /** Frames from TUN; what is sent. */
  send(frames: readonly Uint8Array[]): Sent[] {
    this.linux.frames.push(...frames);
    this.linux.addressOf(this.#kernel.memory.buffer);
    this.#outward.run();
    this.#look();
    return this.linux.sent.splice(0);
  }

  receive(datagrams: readonly Uint8Array[], source: Uint8Array, trafficClass: number): void {
    const from = endpointAddressOffset(0);
    const address = source.subarray(from, from + 4);
    this.linux.arriving.push({ datagrams, address, port: endpointPort(source, 0), trafficClass });
  }

  /** Works on everything received; frames for TUN. */
  flush(): Uint8Array[] {
    this.linux.addressOf(this.#kernel.memory.buffer);
    this.#inward.run();
    this.#look();
    return this.linux.written.splice(0);
  }

  /** What the control thread does when it is woken. */
  #look(): void {
    const node = this.#node;
    if (node === undefined) return;
    const { device } = node;
    this.#notes.tell();
    for (const end of [this.#outward, this.#inward]) {
      for (const name of DEVICE_COUNTERS) device.counters[name] += end.news(name);
      this.badFrames += end.news('badFrames');
    }
    const batch = this.#batch;
    while (this.#messages.waiting) {
      batch.clear();
      this.#messages.receiveBatch(batch);
      device.open(batch);
      this.#packets.writeBatch(batch);
    }
    while (this.#packets.waiting) {
      batch.clear();
      this.#packets.readBatch(batch);
      device.seal(batch);
      this.#messages.sendBatch(batch);
    }
    this.tables.eraseCondemned();
  }
}
