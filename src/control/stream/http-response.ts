/**
 * Reads one HTTP/1.1 response (RFC 9112) from bytes as they come, with bounds on everything. Interim responses are
 * passed over; a 101 ends at its head, and what follows belongs to the protocol that was switched to.
 */

import { textOfBytes } from '../../identity/text.js';

export interface HttpLimits {
  /** Bytes of status line and headers; those of all interim responses together. */
  readonly head: number;
  readonly body: number;
}

export const HTTP_LIMITS: HttpLimits = Object.freeze({ head: 8192, body: 65_536 });

type Phase =
  | 'status'
  | 'headers'
  | 'counted-body'
  | 'body-until-close'
  | 'chunk-size'
  | 'chunk'
  | 'chunk-end'
  | 'trailers'
  | 'done';

const SWITCHING_PROTOCOLS = 101;
const LF = 10;

/** What is no response of ours; the message is for people. */
export class HttpError extends Error {}

export class HttpResponseReader {
  status = 0;
  /** By lower-case name; several of one name are joined by commas (RFC 9110 section 5.3). */
  readonly headers = new Map<string, string>();
  readonly #limits: HttpLimits;
  #phase: Phase = 'status';
  #line: number[] = [];
  #headBytes = 0;
  readonly #parts: Uint8Array[] = [];
  #bodyBytes = 0;
  /** Bytes of the body or of the chunk that are still to come. */
  #left = 0;

  constructor(limits: HttpLimits = HTTP_LIMITS) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#phase === 'done';
  }

  /** Status and headers are final. */
  get headEnded(): boolean {
    return this.#phase !== 'status' && this.#phase !== 'headers';
  }

  get body(): Uint8Array {
    const body = new Uint8Array(this.#bodyBytes);
    let at = 0;
    for (const part of this.#parts) {
      body.set(part, at);
      at += part.length;
    }
    return body;
  }

  /** Takes bytes; how many of them belong to the response. Throws {@link HttpError}. */
  push(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.done) at += this.#step(bytes, at);
    return at;
  }

  /** The stream has ended. Throws {@link HttpError} when the response has not. */
  end(): void {
    if (this.#phase === 'body-until-close') this.#phase = 'done';
    if (!this.done) throw new HttpError('the connection ended before the answer did');
  }

  /** Takes some of the bytes at `at`, at least one; how many. */
  #step(bytes: Uint8Array, at: number): number {
    switch (this.#phase) {
      case 'counted-body':
      case 'chunk':
      case 'body-until-close':
        return this.#takeBody(bytes, at);
      default:
        this.#takeLine(bytes[at]);
        return 1;
    }
  }

  #takeBody(bytes: Uint8Array, at: number): number {
    const endless = this.#phase === 'body-until-close';
    const count = endless ? bytes.length - at : Math.min(this.#left, bytes.length - at);
    this.#bodyBytes += count;
    if (this.#bodyBytes > this.#limits.body) throw new HttpError('the answer is too large');
    this.#parts.push(bytes.slice(at, at + count));
    if (endless) return count;
    this.#left -= count;
    if (this.#left === 0) this.#phase = this.#phase === 'chunk' ? 'chunk-end' : 'done';
    return count;
  }

  #takeLine(byte: number): void {
    if (++this.#headBytes > this.#limits.head) throw new HttpError('the answer’s head is too large');
    if (byte !== LF) {
      this.#line.push(byte);
      return;
    }
    const line = textOfBytes(new Uint8Array(this.#line)).replace(/\r$/, '');
    this.#line = [];
    switch (this.#phase) {
      case 'status':
        this.#readStatus(line);
        return;
      case 'headers':
        if (line === '') this.#endHead();
        else this.#readHeader(line);
        return;
      case 'chunk-size':
        this.#readChunkSize(line);
        return;
      case 'chunk-end':
        if (line !== '') throw new HttpError('a chunk of the answer is longer than it says');
        this.#phase = 'chunk-size';
        return;
      default:
        // Trailers say nothing that is asked for (RFC 9112 section 7.1.2).
        if (line === '') this.#phase = 'done';
    }
  }

  /** RFC 9112 section 4. */
  #readStatus(line: string): void {
    const status = /^HTTP\/1\.[01] ([1-5][0-9][0-9])(?: |$)/.exec(line)?.[1];
    if (status === undefined) throw new HttpError('the answer is not HTTP/1.1');
    this.status = Number(status);
    this.#phase = 'headers';
  }

  /** RFC 9112 section 5; a folded line is no header any more (section 5.2). */
  #readHeader(line: string): void {
    const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (!parts) throw new HttpError('the answer has a malformed header');
    const name = parts[1].toLowerCase();
    const before = this.headers.get(name);
    this.headers.set(name, before === undefined ? parts[2] : `${before}, ${parts[2]}`);
  }

  /** How long the body is: RFC 9112 section 6.3. */
  #endHead(): void {
    const { status, headers } = this;
    if (status === SWITCHING_PROTOCOLS) {
      this.#phase = 'done';
      return;
    }
    if (status < 200) {
      headers.clear();
      this.#phase = 'status';
      return;
    }
    const coding = headers.get('transfer-encoding');
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked') throw new HttpError('the answer is coded in an unknown way');
      // Both may be an attempt to smuggle (RFC 9112 section 6.1).
      if (headers.has('content-length')) throw new HttpError('the answer has two lengths');
      this.#headBytes = 0;
      this.#phase = 'chunk-size';
      return;
    }
    const length = headers.get('content-length');
    if (status === 204 || status === 304) this.#phase = 'done';
    else if (length === undefined) this.#phase = 'body-until-close';
    else this.#expect(length);
  }

  #expect(length: string): void {
    if (!/^[0-9]{1,12}$/.test(length)) throw new HttpError('the answer has a malformed length');
    this.#left = Number(length);
    if (this.#left > this.#limits.body) throw new HttpError('the answer is too large');
    this.#phase = this.#left === 0 ? 'done' : 'counted-body';
  }

  /** RFC 9112 section 7.1; extensions are passed over. */
  #readChunkSize(line: string): void {
    const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) throw new HttpError('a chunk of the answer has a malformed size');
    this.#left = Number.parseInt(size, 16);
    this.#headBytes = 0;
    this.#phase = this.#left === 0 ? 'trailers' : 'chunk';
  }
}

/** ms that a `retry-after` header asks for; 0 when it says nothing, and an hour at most. */
export function readRetryAfter(header: string | undefined): number {
  return header !== undefined && /^[0-9]{1,6}$/.test(header) ? Math.min(3600, Number(header)) * 1000 : 0;
}
