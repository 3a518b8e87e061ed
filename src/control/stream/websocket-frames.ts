/** The frames of WebSocket as a client reads and writes them (RFC 6455 section 5). No extensions are negotiated. */

import { utf8Text } from './utf8.js';

export const OPCODE = Object.freeze({ continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 });

/** Status codes of a close frame (section 7.4.1). */
export const CLOSE = Object.freeze({
  normal: 1000,
  protocolError: 1002,
  unsupportedData: 1003,
  invalidPayload: 1007,
  messageTooBig: 1009,
});
/** In the place of a status that was not sent (section 7.4.1); never itself sent. */
const NO_STATUS = 1005;

export const MASK_BYTES = 4;
/** Section 5.5. */
const MOST_CONTROL_BYTES = 125;
const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** What the other end may not send; `code` is the status to close with. */
export class FrameError extends Error {
  readonly code: number;

  constructor(code: number, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

export interface FrameEvents {
  /** A whole text message. */
  text(text: string): void;
  ping(payload: Uint8Array): void;
  close(code: number, reason: string): void;
}

/** Puts frames and fragments of the server's together, whatever pieces the bytes come in. */
export class FrameReader {
  readonly #most: number;
  readonly #events: FrameEvents;
  /** Up to 10 bytes of a header that is not whole yet. */
  readonly #header = new Uint8Array(10);
  #headerBytes = 0;
  #payload: Uint8Array | undefined;
  #payloadBytes = 0;
  /** Payloads of the fragments so far. */
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #fragmented = false;

  /** No message is larger than `most` bytes. */
  constructor(most: number, events: FrameEvents) {
    this.#most = most;
    this.#events = events;
  }

  /** Throws {@link FrameError}. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const payload = this.#payload;
      if (payload === undefined) {
        this.#header[this.#headerBytes++] = bytes[at++];
        this.#readHeader();
        continue;
      }
      const count = Math.min(payload.length - this.#payloadBytes, bytes.length - at);
      payload.set(bytes.subarray(at, at + count), this.#payloadBytes);
      at += count;
      this.#payloadBytes += count;
      if (this.#payloadBytes === payload.length) this.#endFrame(payload);
    }
  }

  /** Section 5.2. Faults are told before the payload is waited for. */
  #readHeader(): void {
    const header = this.#header;
    if (this.#headerBytes === 1) this.#checkFirst(header[0]);
    if (this.#headerBytes < 2) return;
    if ((header[1] & MASKED) !== 0) throw new FrameError(CLOSE.protocolError, 'the server masks its frames');
    const short = header[1];
    if (isControl(header[0]) && short > MOST_CONTROL_BYTES) {
      throw new FrameError(CLOSE.protocolError, 'a control frame is too long');
    }
    const whole = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    if (this.#headerBytes < whole) return;
    let length = short;
    if (whole > 2) {
      length = 0;
      // Far beyond what is allowed it may lose its last bits; it is too large all the same.
      for (let i = 2; i < whole; i++) length = length * 256 + header[i];
    }
    if (length + (isControl(header[0]) ? 0 : this.#partBytes) > this.#most) {
      throw new FrameError(CLOSE.messageTooBig, `a message is larger than ${this.#most} bytes`);
    }
    this.#payload = new Uint8Array(length);
    this.#payloadBytes = 0;
    if (length === 0) this.#endFrame(this.#payload);
  }

  #checkFirst(first: number): void {
    if ((first & RESERVED) !== 0) throw new FrameError(CLOSE.protocolError, 'a reserved bit is set');
    const opcode = first & 0x0f;
    if (isControl(first)) {
      const known = opcode === OPCODE.close || opcode === OPCODE.ping || opcode === OPCODE.pong;
      if (!known || (first & FIN) === 0)
        throw new FrameError(CLOSE.protocolError, 'a malformed control frame');
      return;
    }
    if (opcode === OPCODE.binary) throw new FrameError(CLOSE.unsupportedData, 'a binary message');
    const fits = this.#fragmented ? opcode === OPCODE.continuation : opcode === OPCODE.text;
    if (!fits) throw new FrameError(CLOSE.protocolError, 'a frame out of order');
  }

  #endFrame(payload: Uint8Array): void {
    const first = this.#header[0];
    this.#payload = undefined;
    this.#headerBytes = 0;
    if (isControl(first)) {
      this.#control(first & 0x0f, payload);
      return;
    }
    this.#fragmented = (first & FIN) === 0;
    this.#parts.push(payload);
    this.#partBytes += payload.length;
    if (this.#fragmented) return;
    const message = joined(this.#parts, this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    const text = utf8Text(message);
    if (text === undefined) throw new FrameError(CLOSE.invalidPayload, 'a text message is no UTF-8');
    this.#events.text(text);
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === OPCODE.ping) this.#events.ping(payload);
    if (opcode !== OPCODE.close) return;
    if (payload.length === 0) {
      this.#events.close(NO_STATUS, '');
      return;
    }
    const reason = utf8Text(payload.subarray(2));
    const code = payload.length < 2 ? 0 : (payload[0] << 8) | payload[1];
    // Section 7.4: what may be sent.
    const known =
      (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) || (code >= 3000 && code < 5000);
    if (!known || reason === undefined) throw new FrameError(CLOSE.protocolError, 'a malformed close frame');
    this.#events.close(code, reason);
  }
}

/** One whole frame, masked with four fresh random bytes (section 5.3). */
export function writeFrame(opcode: number, payload: Uint8Array, mask: Uint8Array): Uint8Array {
  const { length } = payload;
  if (length > 0xffff_ffff) throw new RangeError('no message is that large');
  const extra = length < LENGTH_16 ? 0 : length < 0x1_0000 ? 2 : 8;
  const frame = new Uint8Array(2 + extra + MASK_BYTES + length);
  frame[0] = FIN | opcode;
  frame[1] = MASKED | (extra === 0 ? length : extra === 2 ? LENGTH_16 : LENGTH_64);
  for (let i = 0; i < Math.min(extra, 4); i++) frame[1 + extra - i] = length >>> (8 * i);
  const start = 2 + extra + MASK_BYTES;
  frame.set(mask, start - MASK_BYTES);
  for (let i = 0; i < length; i++) frame[start + i] = payload[i] ^ mask[i & 3];
  return frame;
}

/** A close frame's payload (section 5.5.1). */
export function closePayload(code: number): Uint8Array {
  return Uint8Array.of(code >>> 8, code);
}

function isControl(first: number): boolean {
  return (first & 0x08) !== 0;
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
