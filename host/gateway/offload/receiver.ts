/** From received buffers to frames for TUN: the inward half of the pump. */

import { writeSync } from 'node:fs';
import type { Clock } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
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
import type { Kernel, Lane } from '../wasm/kernel.js';
import type { OffloadCounters } from './counters.js';
import { MessageOpener } from './message-opener.js';

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
  readonly #opener: MessageOpener;

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
    this.#opener = new MessageOpener(kernel, lane, device, counters);
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
    this.#opener.begin(source, this.#clock.monotonic());
    this.#take(at, length);
    this.#opener.end();
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
      this.#opener.pass(at, length, fixed);
      return;
    }
    const { call } = this.#lane;
    const first = call.nextMessage(at, length, DATA_MIN_BYTES);
    if (first === length) {
      if (!this.#opener.pass(at, length, length)) this.#passClaimed(at, length);
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
      if (!this.#opener.pass(at, length, stride, true)) continue;
      this.#lastStride = stride;
      return;
    }
    // All but the last may be forged.
    for (let i = 0; i < count; i++) {
      const stride = this.#guesses[i];
      const last = length % stride || stride;
      this.#opener.pass(at + length - last, last, last);
    }
    // One datagram after all, whose ciphertext looked like a beginning.
    if (
      !this.#opener.pass(at, length, length) &&
      !this.#passClaimed(at, length) &&
      this.#opener.opened === 0
    ) {
      this.#counters.strideUnknown++;
    }
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
    return packet > 0 && stride < length && this.#opener.pass(at, length, stride);
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
      // A message's own counter may look like a beginning.
      const next = call.nextMessage(at, length, place + DATA_MIN_BYTES);
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
