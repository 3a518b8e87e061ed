/** Single messages of a received buffer: to the kernel, to the device, or nowhere. */

import { Batch } from '../../../src/packet/batch.js';
import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Keypair } from '../../../src/wireguard/keypair.js';
import {
  DATA_COUNTER,
  DATA_OVERHEAD_BYTES,
  DATA_RECEIVER,
  messageType,
  readU32,
  TYPE_DATA,
} from '../../../src/wireguard/messages.js';
import { probeId, probeKind } from '../../../src/wireguard/probe.js';
import {
  BAD_PACKET,
  BAD_TAG,
  type Kernel,
  type Lane,
  MESSAGE_HEADER,
  NOT_DATA,
  REPLAYED,
  SOURCE_UNKNOWN,
} from '../wasm/kernel.js';
import type { OffloadCounters } from './counters.js';

export class MessageOpener {
  /** New messages of the buffer under way. */
  opened = 0;
  readonly #kernel: Kernel;
  readonly #lane: Lane;
  readonly #device: Device;
  readonly #counters: OffloadCounters;
  readonly #source = new Uint8Array(ENDPOINT_BYTES);
  #now = 0;
  // The run of messages under one key pair that is being gathered for `noteReceived`.
  #keypair: Keypair | undefined;
  #datagrams = 0;
  #bytes = 0;
  #dataPackets = 0;
  /** Length that proves the stride of the pass under way when a message of it verifies. */
  #stride = 0;
  #proven = false;
  readonly #refused = { badTag: 0, unknownIndex: 0, malformed: 0, replayed: 0 };
  /** For the rare pair without a slot in the kernel. */
  #portable: Batch | undefined;

  constructor(kernel: Kernel, lane: Lane, device: Device, counters: OffloadCounters) {
    this.#kernel = kernel;
    this.#lane = lane;
    this.#device = device;
    this.#counters = counters;
  }

  /** Begins with the messages of one buffer from `source`, an endpoint record. `now` is monotonic ms. */
  begin(source: Uint8Array, now: number): void {
    this.#source.set(source);
    this.#now = now;
    this.opened = 0;
    // Between two buffers anything may have happened to the AllowedIPs.
    this.#lane.call.forgetSource();
  }

  /**
   * Takes the bytes as messages of `stride` bytes and a perhaps shorter last one. True when that was right. Of a
   * `guessed` stride the last one counts only when another message has proved it: it also verifies under multiples of
   * the right length, and where it is a part of it; delivered then it would overtake the others, or be alone.
   */
  pass(at: number, length: number, stride: number, guessed = false): boolean {
    this.#stride = stride;
    this.#proven = false;
    const refused = this.#refused;
    refused.badTag = refused.unknownIndex = refused.malformed = refused.replayed = 0;
    for (let done = 0; done < length; done += stride) {
      const isLast = done + stride >= length;
      if (this.#proven || !guessed || !isLast) this.#message(at + done, Math.min(stride, length - done));
    }
    return this.#proven;
  }

  /** Ends with the buffer: counts what the last pass refused (wrong ones do not count) and tells the peer. */
  end(): void {
    const { counters } = this.#device;
    counters.badTag += this.#refused.badTag;
    counters.unknownIndex += this.#refused.unknownIndex;
    counters.malformed += this.#refused.malformed;
    counters.replayed += this.#refused.replayed;
    this.#note();
  }

  #message(at: number, length: number): void {
    const { bytes } = this.#kernel;
    const type = messageType(bytes, at, length);
    if (type === TYPE_DATA) this.#data(at, length);
    else if (type !== 0) this.#device.queueHandshake(bytes, at, length, this.#source, 0);
    else this.#refused.malformed++;
  }

  #data(at: number, length: number): void {
    const { bytes } = this.#kernel;
    const { counters } = this.#device;
    const index = readU32(bytes, at + DATA_RECEIVER);
    let keypair = this.#keypair;
    if (keypair === undefined || keypair.localIndex !== index) {
      // First of all: telling the peer may end other key pairs, this one too. The source accepted last was another's.
      this.#note();
      this.#lane.call.forgetSource();
      keypair = this.#device.keypairByIndex(index);
      if (keypair === undefined) {
        this.#refused.unknownIndex++;
        return;
      }
    }
    if (keypair.expired(this.#now, this.#device.timing)) {
      counters.expiredKeys++;
      return;
    }
    if (keypair.slot < 0) {
      this.#openPortable(at, length);
      return;
    }
    const result = this.#lane.call.receive(at, length, keypair.slot);
    if (result < 0 && result !== BAD_PACKET) {
      if (result === BAD_TAG) this.#refused.badTag++;
      else if (result === REPLAYED) {
        this.#refused.replayed++;
        this.#prove(length);
      } else if (result === NOT_DATA) this.#refused.malformed++;
      return;
    }
    this.#prove(length);
    this.opened++;
    this.#keypair = keypair;
    keypair.hear(readU32(bytes, at + DATA_COUNTER), readU32(bytes, at + DATA_COUNTER + 4));
    this.#datagrams++;
    this.#bytes += length;
    if (result === BAD_PACKET && this.#probe(at, length, keypair)) return;
    if (length > DATA_OVERHEAD_BYTES) this.#dataPackets++;
    if (result > 0 && result < SOURCE_UNKNOWN) this.#counters.packetsDelivered++;
    else if (result === BAD_PACKET) counters.badPacket++;
    else if (result === 0) counters.keepalivesReceived++;
    else this.#checkSource(at, result - SOURCE_UNKNOWN, keypair);
  }

  /** True when what is no packet was a probe. */
  #probe(at: number, length: number, keypair: Keypair): boolean {
    const { bytes } = this.#kernel;
    const inner = at + MESSAGE_HEADER;
    const kind = probeKind(bytes, inner, length - DATA_OVERHEAD_BYTES);
    if (kind !== 0) keypair.peer.probed(kind, probeId(bytes, inner), this.#source, 0);
    return kind !== 0;
  }

  #prove(length: number): void {
    if (length === this.#stride) this.#proven = true;
  }

  #checkSource(at: number, length: number, keypair: Keypair): void {
    if (this.#device.routeSource(this.#kernel.bytes, at + MESSAGE_HEADER, length) !== keypair.peer) {
      this.#device.counters.wrongSource++;
      return;
    }
    this.#lane.call.acceptSource(at, length);
    this.#counters.packetsDelivered++;
  }

  /** Tells the peer what was gathered: it confirms the pair, follows the endpoint, keeps the timers. */
  #note(): void {
    const keypair = this.#keypair;
    if (keypair === undefined) return;
    const datagrams = this.#datagrams;
    const bytes = this.#bytes;
    const dataPackets = this.#dataPackets;
    this.#keypair = undefined;
    this.#datagrams = this.#bytes = this.#dataPackets = 0;
    keypair.peer.noteReceived(keypair, this.#source, 0, datagrams, bytes, dataPackets);
  }

  #openPortable(at: number, length: number): void {
    this.#portable ??= new Batch(this.#device.limits.packetSize + DATA_OVERHEAD_BYTES, 1);
    const batch = this.#portable;
    const { bytes } = this.#kernel;
    batch.clear();
    if (batch.push(bytes, at, length) < 0) {
      this.#device.counters.tooLarge++;
      return;
    }
    batch.endpoints.set(this.#source);
    this.#device.open(batch);
    const inner = batch.length[0];
    if (inner === 0) return;
    this.#prove(length);
    this.opened++;
    const packet = at + MESSAGE_HEADER;
    bytes.set(batch.bytes.subarray(batch.offset[0], batch.offset[0] + inner), packet);
    this.#lane.call.deliver(packet, inner);
    this.#counters.packetsDelivered++;
  }
}
