/** WebSocket (RFC 6455 section 5) as a carrier of datagrams: one in each binary message, in bounded memory. */

const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
export const PONG = 10;
const MASK_BYTES = 4;
/** Section 5.5. */
const MOST_CONTROL = 125;
const MOST_HEADER = 10;

/** Bytes that a datagram of this length takes as a client's frame. */
export function frameBytes(length: number): number {
  return length + 2 + MASK_BYTES + (length < LENGTH_16 ? 0 : length < 0x1_0000 ? 2 : 8);
}

/** Writes a masked frame (section 5.3: clients mask); where it ends. `masks` has four random bytes at `maskAt`. */
export function writeMaskedFrame(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  masks: Uint8Array,
  maskAt: number,
  opcode = BINARY,
): number {
  let next = at;
  into[next++] = FIN | opcode;
  if (length < LENGTH_16) into[next++] = MASKED | length;
  else if (length < 0x1_0000) {
    into[next++] = MASKED | LENGTH_16;
    into[next++] = length >>> 8;
    into[next++] = length;
  } else {
    into[next++] = MASKED | LENGTH_64;
    into.fill(0, next, next + 4);
    next += 4;
    into[next++] = length >>> 24;
    into[next++] = length >>> 16;
    into[next++] = length >>> 8;
    into[next++] = length;
  }
  for (let i = 0; i < MASK_BYTES; i++) into[next++] = masks[maskAt + i];
  for (let i = 0; i < length; i++) into[next + i] = bytes[offset + i] ^ masks[maskAt + (i & 3)];
  return next + length;
}

export interface DatagramFrameEvents {
  /** A whole binary message; the bytes are lent. */
  datagram(bytes: Uint8Array, offset: number, length: number): void;
  /** The payload of a ping, which asks for a pong with the same; lent. */
  ping(bytes: Uint8Array, offset: number, length: number): void;
  close(code: number): void;
}

/** Takes a server's frames apart, in whatever pieces their bytes come. */
export class DatagramFrameReader {
  /** Messages that were passed over because they are longer than a datagram. */
  skipped = 0;
  readonly #most: number;
  readonly #events: DatagramFrameEvents;
  readonly #header = new Uint8Array(MOST_HEADER);
  #headerBytes = 0;
  /** A message in pieces, and behind it room for a control frame between them (section 5.4). */
  readonly #value: Uint8Array;
  #messageBytes = 0;
  #controlBytes = 0;
  /** Bytes of the payload that are still to come; -1 while the header is read. */
  #left = -1;
  #fragmented = false;
  #tooLong = false;

  constructor(most: number, events: DatagramFrameEvents) {
    this.#most = most;
    this.#value = new Uint8Array(most + MOST_CONTROL);
    this.#events = events;
  }

  /** Takes `bytes[at .. end)`. False when the server broke the protocol. */
  push(bytes: Uint8Array, at: number, end: number): boolean {
    let next = at;
    while (next < end) {
      if (this.#left < 0) {
        this.#header[this.#headerBytes++] = bytes[next++];
        if (!this.#readHeader()) return false;
        continue;
      }
      const count = Math.min(this.#left, end - next);
      this.#payload(bytes, next, count);
      next += count;
      this.#left -= count;
      if (this.#left === 0) this.#endFrame();
    }
    return true;
  }

  get #control(): boolean {
    return (this.#header[0] & 0x08) !== 0;
  }

  #readHeader(): boolean {
    const header = this.#header;
    if (this.#headerBytes === 1) return this.#firstFits(header[0]);
    const short = header[1];
    if ((short & MASKED) !== 0 || (this.#control && short > MOST_CONTROL)) return false;
    const whole = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    if (this.#headerBytes < whole) return true;
    let length = short;
    if (whole > 2) {
      length = 0;
      for (let i = 2; i < whole; i++) length = length * 256 + header[i];
    }
    if (length > Number.MAX_SAFE_INTEGER) return false;
    if (!this.#control && this.#messageBytes + length > this.#most) this.#tooLong = true;
    this.#left = length;
    if (length === 0) this.#endFrame();
    return true;
  }

  #firstFits(first: number): boolean {
    if ((first & RESERVED) !== 0) return false;
    const opcode = first & 0x0f;
    if (this.#control) return (first & FIN) !== 0 && (opcode === CLOSE || opcode === PING || opcode === PONG);
    return opcode === (this.#fragmented ? CONTINUATION : BINARY);
  }

  #payload(bytes: Uint8Array, at: number, count: number): void {
    if (this.#control) {
      this.#value.set(bytes.subarray(at, at + count), this.#most + this.#controlBytes);
      this.#controlBytes += count;
    } else if (!this.#tooLong) {
      const whole =
        this.#messageBytes === 0 &&
        count === this.#left &&
        (this.#header[0] & FIN) !== 0 &&
        !this.#fragmented;
      if (whole) {
        this.#events.datagram(bytes, at, count);
        return;
      }
      this.#value.set(bytes.subarray(at, at + count), this.#messageBytes);
      this.#messageBytes += count;
    }
  }

  #endFrame(): void {
    const first = this.#header[0];
    this.#left = -1;
    this.#headerBytes = 0;
    if ((first & 0x08) !== 0) {
      const length = this.#controlBytes;
      this.#controlBytes = 0;
      const value = this.#value;
      const at = this.#most;
      if ((first & 0x0f) === PING) this.#events.ping(value, at, length);
      if ((first & 0x0f) === CLOSE) this.#events.close(length < 2 ? 0 : (value[at] << 8) | value[at + 1]);
      return;
    }
    this.#fragmented = (first & FIN) === 0;
    if (this.#fragmented) return;
    if (this.#tooLong) this.skipped++;
    // What came in one piece was handed over where it lay.
    else if (this.#messageBytes > 0) this.#events.datagram(this.#value, 0, this.#messageBytes);
    this.#messageBytes = 0;
    this.#tooLong = false;
  }
}
