/** From received buffers to frames for TUN: the inward half of the pump. */

import { writeSync } from 'node:fs';
import { Batch } from '../../../src/packet/batch.js';
import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { Clock } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Keypair } from '../../../src/wireguard/keypair.js';
import {
  COOKIE_REPLY_BYTES,
  DATA_MIN_BYTES,
  DATA_OVERHEAD_BYTES,
  DATA_RECEIVER,
  INITIATION_BYTES,
  messageType,
  RESPONSE_BYTES,
  readU32,
  TYPE_COOKIE_REPLY,
  TYPE_DATA,
  TYPE_INITIATION,
  TYPE_RESPONSE,
} from '../../../src/wireguard/messages.js';
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

/** The most one receive can bring. */
const BUFFER_BYTES = 65_536;
/**
 * Received bytes after which TUN is written to at once and not at the end of this turn of the event loop: a
 * super-packet is about full then, and its bytes are still in the processor's cache.
 */
const FLUSH_BYTES = 32_768;
/**
 * How many lengths are tried on a buffer that holds several datagrams. Each try costs at most what opening the
 * buffer costs anyway, so this also bounds what forged datagrams can make us do.
 */
const STRIDE_TRIES = 6;
/** Beginnings of messages that are looked at for that. */
const STRIDE_PLACES = 4;

/** Writes one frame to TUN; throws what the system says. */
export type WriteFrame = (bytes: Uint8Array, at: number, length: number) => void;

export function tunWriter(fd: number): WriteFrame {
  return (bytes, at, length) => {
    writeSync(fd, bytes, at, length);
  };
}

export class Receiver {
  readonly #kernel: Kernel;
  readonly #lane: Lane;
  readonly #device: Device;
  readonly #clock: Clock;
  readonly #counters: OffloadCounters;
  readonly #write: WriteFrame;
  /** Where the next buffer goes in the lane's input. */
  #free: number;
  #flushDue = false;
  #stopped = false;
  /** Stride of the last buffer that held several datagrams. */
  #lastStride = 0;
  readonly #guesses = new Uint32Array(STRIDE_TRIES);
  readonly #source = new Uint8Array(ENDPOINT_BYTES);
  // The run of messages under one key pair that is being gathered for `noteReceived`.
  #keypair: Keypair | undefined;
  #datagrams = 0;
  #bytes = 0;
  #dataPackets = 0;
  #now = 0;
  /** Length that proves the stride of the pass under way when a message of it verifies. */
  #stride = 0;
  #proven = false;
  /** New messages of the buffer under way. */
  #opened = 0;
  readonly #refused = { badTag: 0, unknownIndex: 0, malformed: 0, replayed: 0 };
  /** For the rare pair without a slot in the kernel. */
  #portable: Batch | undefined;

  constructor(
    kernel: Kernel,
    lane: Lane,
    device: Device,
    clock: Clock,
    counters: OffloadCounters,
    write: WriteFrame,
  ) {
    this.#kernel = kernel;
    this.#lane = lane;
    this.#device = device;
    this.#clock = clock;
    this.#counters = counters;
    this.#write = write;
    this.#free = lane.input;
  }

  /** Takes one received buffer. `source` is an endpoint record. */
  buffer(message: Uint8Array, source: Uint8Array): void {
    const { length } = message;
    this.#counters.buffersReceived++;
    if (this.#stopped) return;
    if (length < DATA_MIN_BYTES || length > BUFFER_BYTES) {
      this.#device.counters.malformed++;
      return;
    }
    const { input, inputBytes, call } = this.#lane;
    if (this.#free + BUFFER_BYTES > input + inputBytes) this.flush();
    const at = this.#free;
    this.#kernel.bytes.set(message, at);
    this.#source.set(source);
    this.#now = this.#clock.monotonic();
    // Between two buffers anything may have happened to the AllowedIPs.
    call.forgetSource();
    this.#opened = 0;
    this.#take(at, length);
    this.#note();
    // What was delivered may lie in place; the next buffer goes behind it.
    this.#free = (at + length + 15) & ~15;
    if (this.#free - input >= FLUSH_BYTES || call.supersLeft() === 0) this.flush();
    else if (!this.#flushDue) {
      this.#flushDue = true;
      setImmediate(this.#flushLater);
    }
  }

  /** Writes everything delivered so far to TUN. */
  flush(): void {
    const { call, deliveries, input } = this.#lane;
    const count = call.finishDeliveries();
    const counters = this.#counters;
    for (let i = 0; i < count && !this.#stopped; i++) {
      try {
        this.#write(this.#kernel.bytes, deliveries[2 * i], deliveries[2 * i + 1]);
        counters.framesWritten++;
      } catch {
        counters.tunnelDropped++;
      }
    }
    call.clearDeliveries();
    this.#free = input;
  }

  readonly #flushLater = (): void => {
    this.#flushDue = false;
    this.flush();
  };

  /** Nothing is written after this: the descriptor's number may soon be another file's. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes the buffer apart. */
  #take(at: number, length: number): void {
    const fixed = fixedLength(readU32(this.#kernel.bytes, at));
    if (fixed !== 0 && this.#allMessages(at, length, fixed)) {
      // Handshake messages have one length, so a merged buffer of them shows its stride.
      this.#pass(at, length, fixed);
      this.#settle();
      return;
    }
    const { call } = this.#lane;
    const first = call.nextMessage(at, length, DATA_MIN_BYTES);
    if (first === length) {
      if (!this.#pass(at, length, length)) this.#passClaimed(at, length);
      this.#settle();
      return;
    }
    this.#counters.coalescedBuffers++;
    this.#takeCoalesced(at, length, first);
  }

  /** True when every part of this length, and what is left over, has the size of its type. */
  #allMessages(at: number, length: number, stride: number): boolean {
    for (let done = 0; done < length; done += stride) {
      if (messageType(this.#kernel.bytes, at + done, Math.min(stride, length - done)) === 0) return false;
    }
    return true;
  }

  /**
   * Several datagrams in one buffer, of a length that is not told (see `assembly/stride.ts`). A length is right when
   * a message of it verifies: no forger can make one of another length do so. (The last one, which may be shorter,
   * also verifies under multiples of the right length and proves nothing.) A datagram forged
   * into the middle by somebody else fails for itself and leaves the others alone, even when it hides its beginning.
   */
  #takeCoalesced(at: number, length: number, first: number): void {
    const count = this.#guess(at, length, first);
    for (let i = 0; i < count; i++) {
      const stride = this.#guesses[i];
      if (!this.#pass(at, length, stride)) continue;
      this.#lastStride = stride;
      this.#settle();
      return;
    }
    // One datagram after all, whose ciphertext looked like a beginning.
    if (!this.#pass(at, length, length) && !this.#passClaimed(at, length) && this.#opened === 0) {
      this.#counters.strideUnknown++;
    }
    this.#settle();
  }

  /**
   * Last resort for a message followed by bytes that do not look like one: ends where the packet in it says that it
   * ends. True when that was right.
   */
  #passClaimed(at: number, length: number): boolean {
    const { bytes } = this.#kernel;
    if (readU32(bytes, at) !== TYPE_DATA) return false;
    const keypair = this.#device.keypairByIndex(readU32(bytes, at + DATA_RECEIVER));
    if (keypair === undefined || keypair.slot < 0) return false;
    const packet = this.#lane.call.peekLength(at, keypair.slot);
    const stride = this.#device.paddedLength(packet) + DATA_OVERHEAD_BYTES;
    return packet > 0 && stride < length && this.#pass(at, length, stride);
  }

  /**
   * Fills `#guesses`, likeliest first: the length that was right last, the first place where a message seems to
   * begin, the distances between such places, and halves and thirds of the first, should it be a later message's.
   */
  #guess(at: number, length: number, first: number): number {
    const { call } = this.#lane;
    let count = 0;
    const add = (stride: number): void => {
      if (count === STRIDE_TRIES || stride < DATA_MIN_BYTES || stride >= length) return;
      for (let i = 0; i < count; i++) if (this.#guesses[i] === stride) return;
      this.#guesses[count++] = stride;
    };
    if (this.#plausible(at, length, this.#lastStride)) add(this.#lastStride);
    add(first);
    for (let place = first, i = 0; i < STRIDE_PLACES; i++) {
      const next = call.nextMessage(at, length, place + 1);
      if (next === length) break;
      add(next - place);
      place = next;
    }
    if (first % 2 === 0) add(first / 2);
    if (first % 3 === 0) add(first / 3);
    return count;
  }

  /** A length worth trying shows a message's beginning at one of its first multiples. */
  #plausible(at: number, length: number, stride: number): boolean {
    if (stride === 0) return false;
    for (let i = 1, place = stride; i <= STRIDE_PLACES && place + 4 <= length; i++, place += stride) {
      const type = readU32(this.#kernel.bytes, at + place);
      if (type >= TYPE_INITIATION && type <= TYPE_DATA) return true;
    }
    return false;
  }

  /** Takes every datagram under this stride. True when it was right. */
  #pass(at: number, length: number, stride: number): boolean {
    this.#stride = stride;
    this.#proven = false;
    const refused = this.#refused;
    refused.badTag = refused.unknownIndex = refused.malformed = refused.replayed = 0;
    for (let done = 0; done < length; done += stride) {
      this.#message(at + done, Math.min(stride, length - done));
    }
    return this.#proven;
  }

  /** Counts what the last pass refused; passes with a wrong stride do not count. */
  #settle(): void {
    const { counters } = this.#device;
    counters.badTag += this.#refused.badTag;
    counters.unknownIndex += this.#refused.unknownIndex;
    counters.malformed += this.#refused.malformed;
    counters.replayed += this.#refused.replayed;
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
    this.#opened++;
    this.#keypair = keypair;
    this.#datagrams++;
    this.#bytes += length;
    if (length > DATA_OVERHEAD_BYTES) this.#dataPackets++;
    if (result > 0 && result < SOURCE_UNKNOWN) this.#counters.packetsDelivered++;
    else if (result === BAD_PACKET) counters.badPacket++;
    else if (result === 0) counters.keepalivesReceived++;
    else this.#checkSource(at, result - SOURCE_UNKNOWN, keypair);
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
    this.#opened++;
    const packet = at + MESSAGE_HEADER;
    bytes.set(batch.bytes.subarray(batch.offset[0], batch.offset[0] + inner), packet);
    this.#lane.call.deliver(packet, inner);
    this.#counters.packetsDelivered++;
  }
}

/** Length of a message whose first word is `type` when its type has only one; 0 otherwise. */
function fixedLength(type: number): number {
  switch (type) {
    case TYPE_INITIATION:
      return INITIATION_BYTES;
    case TYPE_RESPONSE:
      return RESPONSE_BYTES;
    case TYPE_COOKIE_REPLY:
      return COOKIE_REPLY_BYTES;
    default:
      return 0;
  }
}
