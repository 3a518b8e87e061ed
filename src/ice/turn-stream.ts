/** Cuts the byte stream from a TURN server (TCP or TLS) into messages: RFC 8656 sections 3.1 and 12.5. */

import { streamMessageBytes } from './channel-data.js';

/** A whole message of a tunnel's greatest datagram with room to spare; a server that sends more is cut off. */
export const STREAM_MESSAGE_BYTES = 4_096;

export class TurnStream {
  readonly #bytes: Uint8Array;
  #used = 0;

  constructor(mostBytes = STREAM_MESSAGE_BYTES) {
    this.#bytes = new Uint8Array(mostBytes);
  }

  /** A new connection begins. */
  reset(): void {
    this.#used = 0;
  }

  /**
   * Takes what has arrived and calls `message` for each message that is complete, in its own memory or in that of the
   * arrival; padding is counted in. False when the stream has lost its order or a message is too long: it must be
   * closed.
   */
  receive(
    bytes: Uint8Array,
    offset: number,
    length: number,
    message: (bytes: Uint8Array, offset: number, length: number) => void,
  ): boolean {
    let at = offset;
    const end = offset + length;
    while (at < end) {
      if (this.#used === 0) {
        // Whole messages are not copied.
        const size = streamMessageBytes(bytes, at, end - at);
        if (size < 0 || size > this.#bytes.length) return false;
        if (size > 0 && size <= end - at) {
          message(bytes, at, size);
          at += size;
          continue;
        }
      }
      const size = streamMessageBytes(this.#bytes, 0, this.#used);
      if (size < 0 || size > this.#bytes.length) return false;
      const wanted = (size === 0 ? 4 : size) - this.#used;
      const count = Math.min(wanted, end - at);
      for (let i = 0; i < count; i++) this.#bytes[this.#used + i] = bytes[at + i];
      this.#used += count;
      at += count;
      if (size > 0 && this.#used === size) {
        this.#used = 0;
        message(this.#bytes, 0, size);
      }
    }
    // What is buffered may just have become a header.
    const size = streamMessageBytes(this.#bytes, 0, this.#used);
    return size >= 0 && size <= this.#bytes.length;
  }
}
