/** TCP and TLS of Node as the core's streams. */

import { type Socket, connect as tcpConnect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { LayeringConnector, StreamEvents, StreamSocket, StreamTarget } from '../../../src/ports.js';
import { type Dial, overTls } from '../control/dial.js';

/** What may wait in Node for the kernel, in bytes; more is not taken, so that datagrams are dropped and not late. */
const BACKLOG = 131_072;
/** Signs of life on a silent connection, so that a lost one is noticed; ms. */
const KEEPALIVE = 30_000;

export class NodeStreamConnector implements LayeringConnector {
  readonly #tls: ConnectionOptions;
  readonly #dial: Dial | undefined;

  /** `tls`: which certificates are trusted. `dial`: how to reach the network from a namespace without one. */
  constructor(tls: ConnectionOptions, dial?: Dial) {
    // The upgrades of our transports are HTTP/1.1's; a server left to itself would choose HTTP/2.
    this.#tls = { ...tls, ALPNProtocols: ['http/1.1'] };
    this.#dial = dial;
  }

  connect({ host, port, secure }: StreamTarget, events: StreamEvents): StreamSocket {
    const stream = new NodeStream(events);
    const connected = (socket: Socket): void => {
      if (secure) stream.adopt(overTls(socket, host, this.#tls), 'secureConnect');
      else stream.adopt(socket, undefined);
    };
    if (this.#dial) this.#dial(host, port).then(connected, (error: Error) => stream.failed(error));
    else {
      const socket = tcpConnect({ host, port });
      socket.once('error', (error) => stream.failed(error));
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        connected(socket);
      });
      stream.dialling(socket);
    }
    return stream;
  }

  secure(below: StreamSocket, host: string, events: StreamEvents): StreamSocket {
    if (!(below instanceof NodeStream)) throw new TypeError('not a stream of this connector');
    const stream = new NodeStream(events);
    const socket = below.release();
    if (socket) stream.adopt(overTls(socket, host, this.#tls), 'secureConnect');
    else setImmediate(() => stream.failed(new Error('the connection is gone')));
    return stream;
  }
}

class NodeStream implements StreamSocket {
  readonly #events: StreamEvents;
  #socket: Socket | undefined;
  #closed = false;
  #chunks: Buffer[] = [];
  /** Bytes of the first chunk that were read. */
  #taken = 0;

  constructor(events: StreamEvents) {
    this.#events = events;
  }

  /** The connection under way, to be ended with this. */
  dialling(socket: Socket): void {
    this.#socket = socket;
  }

  /** `ready`: the event that says that it can be written to; undefined: it can already. */
  adopt(socket: Socket, ready: 'secureConnect' | undefined): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE);
    socket.on('error', (error) => this.failed(error));
    socket.on('close', () => this.failed(new Error('the connection was closed')));
    socket.on('data', (chunk: Buffer) => {
      if (this.#closed) return;
      this.#chunks.push(chunk);
      this.#events.onReadable(chunk.length);
    });
    socket.on('drain', () => {
      if (!this.#closed) this.#events.onWritable(this.#room);
    });
    const opened = (): void => {
      if (!this.#closed) this.#events.onWritable(this.#room);
    };
    if (ready) socket.once(ready, opened);
    else setImmediate(opened);
  }

  failed(error: Error): void {
    if (this.#closed) return;
    this.#end();
    this.#events.onError(error);
  }

  /** Gives the socket away, for TLS over it. */
  release(): Socket | undefined {
    const socket = this.#socket;
    this.#closed = true;
    this.#socket = undefined;
    for (const event of ['error', 'close', 'data', 'drain']) socket?.removeAllListeners(event);
    return socket;
  }

  read(into: Uint8Array): number | undefined {
    let done = 0;
    while (done < into.length && this.#chunks.length > 0) {
      const [chunk] = this.#chunks;
      const count = Math.min(chunk.length - this.#taken, into.length - done);
      into.set(chunk.subarray(this.#taken, this.#taken + count), done);
      done += count;
      this.#taken += count;
      if (this.#taken === chunk.length) {
        this.#chunks.shift();
        this.#taken = 0;
      }
    }
    return done === 0 ? undefined : done;
  }

  write(bytes: Uint8Array): number {
    if (bytes.length > this.#room) throw new RangeError('more than the stream takes');
    // The caller fills its buffer anew while Node may still hold these bytes.
    this.#socket?.write(Buffer.from(bytes));
    return this.#room;
  }

  close(): void {
    if (!this.#closed) this.#end();
  }

  get #room(): number {
    const { writableLength = 0, destroyed = true } = this.#socket ?? {};
    return destroyed || this.#closed ? 0 : Math.max(0, BACKLOG - writableLength);
  }

  #end(): void {
    this.#closed = true;
    this.#chunks = [];
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
