import { formatAddress } from '../../../src/packet/address.js';
import type { Batch } from '../../../src/packet/batch.js';
import { HANDSHAKE_TRAFFIC_CLASS } from '../../../src/packet/ecn.js';
import {
  ENDPOINT_BYTES,
  endpointAddressOffset,
  endpointFamily,
  endpointPort,
  FAMILY_IPV4,
  FAMILY_IPV6,
} from '../../../src/packet/endpoint.js';
import type { DatagramSocket } from '../../../src/ports.js';
import { readU32, TYPE_DATA } from '../../../src/wireguard/messages.js';
import type { SendFailure } from '../send-failure.js';
import type { Kernel, Lane } from '../wasm/kernel.js';
import type { ControlRing } from './control-ring.js';
import { errnoName } from './lane.js';
import { EADDRNOTAVAIL, EAGAIN, EINVAL, type Linux, MSG_DONTWAIT, MSG_NOSIGNAL } from './linux.js';

/** The largest UDP datagram. */
const DATAGRAM_BYTES = 65_536;
/** Kinds of records, see `wasm/assembly/inward.ts`. */
const RECORD_DATAGRAM = 0;
/** Where in an endpoint record our own address's number is. */
const LOCAL = 1;

/** Content of an authentic, new message that is no packet: receiver index and source, and where it lies. */
export type OnContents = (index: number, source: Uint8Array, at: number, length: number) => void;

/** What the receiving threads leave to the control thread, and what the device sends by itself. */
export class MessagePort implements DatagramSocket {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  onContents: OnContents | undefined;
  lastFailure: SendFailure | undefined;
  sendDropped = 0;
  sendFailed = 0;
  port = 0;
  udp4 = -1;
  udp6 = -1;
  readonly #kernel: Kernel;
  readonly #lane: Lane;
  readonly #linux: Linux;
  readonly #base: number;
  readonly #rings: readonly ControlRing[];
  readonly #vector: number;
  readonly #record: number;
  readonly #message: number;

  /** `lane` is the control thread's own. */
  constructor(kernel: Kernel, lane: Lane, linux: Linux, base: number, rings: readonly ControlRing[]) {
    this.#kernel = kernel;
    this.#lane = lane;
    this.#linux = linux;
    this.#base = base;
    this.#rings = rings;
    this.#vector = kernel.allocate(kernel.constant('VECTOR_BYTES'));
    this.#record = kernel.allocate(ENDPOINT_BYTES);
    this.#message = kernel.allocate(DATAGRAM_BYTES);
    lane.call.initSingle(this.#vector);
  }

  get waiting(): boolean {
    return this.#rings.some((ring) => ring.waiting);
  }

  receiveBatch(into: Batch): number {
    const before = into.count;
    for (const ring of this.#rings) {
      while (!into.full && ring.take()) {
        if (ring.kind !== RECORD_DATAGRAM) {
          this.onContents?.(ring.index, ring.endpoint, ring.content, ring.length);
          continue;
        }
        const entry = into.push(this.#kernel.all, ring.content, ring.length);
        if (entry >= 0) into.endpoints.set(ring.endpoint, entry * ENDPOINT_BYTES);
      }
      ring.giveBack();
    }
    return into.count - before;
  }

  sendBatch(from: Batch): void {
    for (let i = 0; i < from.count; i++) {
      if (from.length[i] > 0) {
        this.send(from.bytes, from.offset[i], from.length[i], from.endpoints, i * ENDPOINT_BYTES);
      }
    }
  }

  /** Sends one datagram to the endpoint record at `endpointAt`, or drops it. */
  send(bytes: Uint8Array, at: number, length: number, endpoints: Uint8Array, endpointAt: number): void {
    const family = endpointFamily(endpoints, endpointAt);
    const fd = family === FAMILY_IPV4 ? this.udp4 : family === FAMILY_IPV6 ? this.udp6 : -1;
    if (fd < 0 || length > DATAGRAM_BYTES) {
      this.sendDropped++;
      return;
    }
    const { all } = this.#kernel;
    all.set(endpoints.subarray(endpointAt, endpointAt + ENDPOINT_BYTES), this.#record);
    all.set(bytes.subarray(at, at + length), this.#message);
    const trafficClass = readU32(bytes, at) === TYPE_DATA ? 0 : HANDSHAKE_TRAFFIC_CLASS;
    let errno = this.#send(fd, length, trafficClass);
    if ((errno === EINVAL || errno === EADDRNOTAVAIL) && all[this.#record + LOCAL] !== 0) {
      // The address of ours that the peer used is gone: routing chooses another.
      all[this.#record + LOCAL] = 0;
      errno = this.#send(fd, length, trafficClass);
    }
    if (errno === 0) return;
    if (errno === EAGAIN) this.sendDropped++;
    else this.noteFailure(errno, endpoints, endpointAt);
  }

  noteFailure(errno: number, endpoints: Uint8Array, at: number): void {
    this.sendFailed++;
    const from = endpointAddressOffset(at);
    const bytes = endpointFamily(endpoints, at) === FAMILY_IPV4 ? 4 : 16;
    this.lastFailure = {
      code: errnoName(errno),
      address: formatAddress(endpoints.subarray(from, from + bytes)),
      port: endpointPort(endpoints, at),
      at: performance.now(),
    };
  }

  close(): void {}

  #send(fd: number, length: number, trafficClass: number): number {
    if (this.#lane.call.prepareSingle(this.#record, this.#message, length, trafficClass) === 0) return EINVAL;
    const sent = this.#linux.sendmsg(fd, this.#base + this.#vector, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? this.#linux.errno() : 0;
  }
}
