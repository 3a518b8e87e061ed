/** Plain streams over Node's sockets, cut into pieces of a chosen size, for the clients that boards use. */

import { connect, type Socket } from 'node:net';
import type { StreamConnector, StreamEvents, StreamSocket, StreamTarget, Timer } from '../../../src/ports.js';

export class NodeTimer implements Timer {
  #timer: NodeJS.Timeout | undefined;
  schedule(delay: number, wake: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(wake, delay);
  }
  cancel(): void {
    clearTimeout(this.#timer);
  }
}

/** `piece`: so many bytes are read, and taken for writing, at a time. */
export function nodeStreams(piece = 65_536): StreamConnector {
  return { connect: (target, events) => new NodeStream(target, events, piece) };
}

class NodeStream implements StreamSocket {
  readonly #socket: Socket;
  readonly #piece: number;
  #waiting = Buffer.alloc(0);
  #over = false;

  constructor({ host, port }: StreamTarget, events: StreamEvents, piece: number) {
    this.#piece = piece;
    const fail = (reason: string): void => {
      if (this.#over) return;
      this.#over = true;
      events.onError(new Error(reason));
    };
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('connect', () => events.onWritable(piece));
    this.#socket.on('data', (data) => {
      if (this.#over) return;
      this.#waiting = Buffer.concat([this.#waiting, data]);
      events.onReadable(this.#waiting.length);
    });
    this.#socket.on('error', (error) => fail(error.message));
    this.#socket.on('end', () => fail('the other end closed the connection'));
    this.#write = (bytes) => {
      // As a full system buffer does: room comes back a turn later.
      this.#socket.write(bytes);
      setImmediate(() => {
        if (!this.#over) events.onWritable(piece);
      });
    };
  }

  readonly #write: (bytes: Uint8Array) => void;

  read(into: Uint8Array): number | undefined {
    const count = Math.min(into.length, this.#piece, this.#waiting.length);
    into.set(this.#waiting.subarray(0, count));
    this.#waiting = this.#waiting.subarray(count);
    return count > 0 ? count : undefined;
  }

  write(bytes: Uint8Array): number {
    if (this.#over || bytes.length > this.#piece) throw new RangeError('too much');
    this.#write(Uint8Array.from(bytes));
    return 0;
  }

  close(): void {
    this.#over = true;
    this.#socket.end();
    this.#socket.destroySoon();
  }
}
