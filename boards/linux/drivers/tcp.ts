import type { StreamEvents, StreamSocket } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';
import { errorText, SystemError } from './system-error.js';

const EINTR = 4;
const EAGAIN = 11;
/** Bytes that are kept while the system takes none. */
const OUTPUT_BYTES = 32_768;

export interface TcpOptions extends StreamEvents {
  /** IPv4 or IPv6, without brackets and zone. */
  readonly address: string;
  readonly port: number;
}

/** A TCP connection, in the shape of ECMA-419. */
export class Tcp extends Native('xs_tcp_destructor') implements StreamSocket {
  readonly #events: StreamEvents;
  readonly #edge: Edge;
  #state: 'connecting' | 'open' | 'over' = 'connecting';
  readonly #output = new Uint8Array(OUTPUT_BYTES);
  #outputStart = 0;
  #outputEnd = 0;
  /** The owner has not read what it was told of. */
  #ignored = false;

  /** Begins to connect. Throws a {@link SystemError} when that cannot even begin. */
  constructor(options: TcpOptions, edge: Edge) {
    super();
    this.#events = options;
    this.#edge = edge;
    const result = this.#openNative(options.address, options.port);
    if (result < 0) throw new SystemError(`cannot connect to ${options.address}`, -result);
  }

  read(into: Uint8Array): number | undefined {
    if (this.#state !== 'open') return undefined;
    const count = this.#readNative(into);
    if (this.#ignored) {
      this.#ignored = false;
      this.#want();
    }
    // The end and errors are told by the main loop, never from inside this call.
    return count > 0 ? count : undefined;
  }

  write(bytes: Uint8Array): number {
    if (this.#state !== 'open') throw new RangeError('the connection is not open');
    if (bytes.length > this.#room) throw new RangeError(`the connection takes ${this.#room} bytes now`);
    let at = 0;
    if (this.#outputEnd === 0) {
      const written = this.#writeNative(bytes, 0, bytes.length);
      // Whatever is wrong with the connection, the main loop will tell.
      if (written > 0) at = written;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    return this.#room;
  }

  close(): void {
    this.#state = 'over';
    this.#closeNative();
  }

  /** Called by the main loop. */
  wake(_condition: number): void {
    try {
      if (this.#state === 'connecting') this.#connected();
      else if (this.#state === 'open') {
        this.#flush();
        this.#receive();
      }
    } catch (error) {
      this.#edge.caught('tcp', error);
    }
  }

  get #room(): number {
    return OUTPUT_BYTES - this.#outputEnd;
  }

  #connected(): void {
    const error = this.#errorNative();
    if (error !== 0) {
      this.#fail(errorText(error));
      return;
    }
    this.#state = 'open';
    this.#want();
    this.#events.onWritable(this.#room);
  }

  #receive(): void {
    if (this.#state !== 'open' || this.#ignored) return;
    const count = this.#availableNative();
    if (count > 0) {
      this.#events.onReadable(count);
      if (this.#state === 'open' && this.#availableNative() === count) {
        // Level-triggered, it would be told without end.
        this.#ignored = true;
        this.#want();
      }
      return;
    }
    // Readable without bytes is the end or an error; woken for writing only, it is neither.
    const result = this.#readNative(new Uint8Array(1));
    if (result === 0) this.#fail('the other end closed the connection');
    else if (result < 0 && result !== -EAGAIN && result !== -EINTR) this.#fail(errorText(-result));
  }

  #flush(): void {
    if (this.#outputEnd === 0) return;
    const length = this.#outputEnd - this.#outputStart;
    const written = this.#writeNative(this.#output, this.#outputStart, length);
    if (written <= 0) return;
    this.#outputStart += written;
    if (this.#outputStart < this.#outputEnd) return;
    this.#outputStart = this.#outputEnd = 0;
    this.#want();
    this.#events.onWritable(this.#room);
  }

  #keep(bytes: Uint8Array): void {
    this.#output.set(bytes, this.#outputEnd);
    this.#outputEnd += bytes.length;
    this.#want();
  }

  #want(): void {
    if (this.#state === 'open') this.#wantNative(!this.#ignored, this.#outputEnd > 0);
  }

  #fail(reason: string): void {
    this.close();
    this.#events.onError(new Error(reason));
  }

  #openNative(address: string, port: number): number {
    return native('xs_tcp_open').call(this, address, port);
  }

  #wantNative(readable: boolean, writable: boolean): void {
    native('xs_tcp_want').call(this, readable, writable);
  }

  #errorNative(): number {
    return native('xs_tcp_error').call(this);
  }

  #availableNative(): number {
    return native('xs_tcp_available').call(this);
  }

  #readNative(into: Uint8Array): number {
    return native('xs_tcp_read').call(this, into);
  }

  #writeNative(bytes: Uint8Array, offset: number, length: number): number {
    return native('xs_tcp_write').call(this, bytes, offset, length);
  }

  #closeNative(): void {
    native('xs_tcp_close').call(this);
  }
}
