import type { StreamSocket } from '../../ports.js';

/** What was written and the stream did not take yet; bounded by who writes. */
export class WriteQueue {
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #room = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(socket: StreamSocket, bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#flush(socket);
  }

  /** The stream takes `room` bytes. */
  writable(socket: StreamSocket, room: number): void {
    this.#room = room;
    this.#flush(socket);
  }

  #flush(socket: StreamSocket): void {
    while (this.#waiting.length > 0 && this.#room > 0) {
      const [first] = this.#waiting;
      const count = Math.min(first.length, this.#room);
      this.#room = socket.write(count === first.length ? first : first.subarray(0, count));
      this.#bytes -= count;
      if (count === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(count);
    }
  }
}
