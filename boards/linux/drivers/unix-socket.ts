import type { Edge } from '../../xs/edge.js';
import { WATCH_WRITABLE } from './conditions.js';
import { SystemError } from './system-error.js';

const EAGAIN = 11;
const EINTR = 4;
/** Bytes read at a time. */
const READ_BYTES = 4096;

/** 0 when somebody listens at `path`, otherwise a negative errno. */
export function probe(this: void, path: string): number {
  return native('xs_unix_socket_probe').call(this, path);
}

export function removeSocket(this: void, path: string): number {
  return native('xs_unix_socket_unlink').call(this, path);
}

/** The descriptor of a connection to `path`, for a {@link UnixStream}, or a negative errno. */
export function connectSocket(this: void, path: string): number {
  return native('xs_unix_socket_connect').call(this, path);
}

/** A listening unix socket, its owner's alone. The file is removed when it is closed. */
export class UnixListener extends Native('xs_unix_listener_destructor') {
  onConnection: ((stream: UnixStream) => void) | undefined;
  /** Somebody removed or replaced the socket's file. */
  onRemoved: (() => void) | undefined;
  readonly #edge: Edge;
  #open = false;

  /** Throws a {@link SystemError}. */
  constructor(directory: string, name: string, edge: Edge) {
    super();
    this.#edge = edge;
    const path = `${directory}/${name}`;
    const result = this.#openNative(path, directory);
    if (result < 0) throw new SystemError(`cannot make the control socket ${path}`, -result);
    this.#open = true;
  }

  close(): void {
    this.#open = false;
    this.#closeNative();
  }

  /** Called by the main loop, for a connection or for a change of the directory. */
  wake(_condition: number): void {
    try {
      const fd = this.#acceptNative();
      if (fd >= 0) {
        const stream = new UnixStream(fd, this.#edge);
        if (this.onConnection) this.onConnection(stream);
        else stream.close();
      }
      if (this.#open && !this.#presentNative()) this.onRemoved?.();
    } catch (error) {
      this.#edge.caught('control-socket', error);
    }
  }

  #openNative(path: string, directory: string): number {
    return native('xs_unix_listener_open').call(this, path, directory);
  }

  #acceptNative(): number {
    return native('xs_unix_listener_accept').call(this);
  }

  #presentNative(): boolean {
    return native('xs_unix_listener_present').call(this);
  }

  #closeNative(): void {
    native('xs_unix_listener_close').call(this);
  }
}

/** One connection. Bytes come in by `onData`; what is written goes out as the other end takes it. */
export class UnixStream extends Native('xs_unix_stream_destructor') {
  /** The bytes are valid during the call only. */
  onData: ((bytes: Uint8Array) => void) | undefined;
  /** Called once, whichever side closed. */
  onClosed: (() => void) | undefined;
  readonly #edge: Edge;
  readonly #input = new Uint8Array(READ_BYTES);
  readonly #output: string[] = [];
  /** Bytes of the first text that are out already. */
  #sent = 0;
  #paused = false;
  #ending = false;
  #open = true;

  constructor(fd: number, edge: Edge) {
    super();
    this.#edge = edge;
    this.#openNative(fd);
    this.#want();
  }

  /** Holds back or lets in what the other end writes. */
  set paused(paused: boolean) {
    this.#paused = paused;
    this.#want();
  }

  /** ASCII text. */
  write(text: string): void {
    if (!this.#open || text === '') return;
    this.#output.push(text);
    this.#flush();
  }

  /** Closes once everything is written. */
  end(): void {
    this.#ending = true;
    this.#flush();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#output.length = 0;
    this.#input.fill(0);
    this.#closeNative();
    this.onClosed?.();
  }

  /** Called by the main loop. */
  wake(condition: number): void {
    try {
      if ((condition & WATCH_WRITABLE) !== 0) this.#flush();
      else this.#read();
    } catch (error) {
      this.#edge.caught('control-connection', error);
      this.close();
    }
  }

  #read(): void {
    const count = this.#readNative(this.#input);
    if (count > 0) {
      this.onData?.(this.#input.subarray(0, count));
      this.#input.fill(0, 0, count);
    } else if (count === 0) this.end();
    else if (count !== -EAGAIN && count !== -EINTR) this.close();
  }

  #flush(): void {
    while (this.#open && this.#output.length > 0) {
      const text = this.#output[0];
      const written = this.#writeNative(text, this.#sent);
      if (written === -EAGAIN) break;
      if (written < 0) {
        if (written === -EINTR) continue;
        this.close();
        return;
      }
      this.#sent += written;
      if (this.#sent < text.length) continue;
      this.#output.shift();
      this.#sent = 0;
    }
    if (this.#ending && this.#output.length === 0) this.close();
    else this.#want();
  }

  #want(): void {
    // At the end of its input a descriptor stays readable for ever.
    if (this.#open) this.#wantNative(!this.#paused && !this.#ending, this.#output.length > 0);
  }

  #openNative(fd: number): void {
    native('xs_unix_stream_open').call(this, fd);
  }

  #wantNative(readable: boolean, writable: boolean): void {
    native('xs_unix_stream_want').call(this, readable, writable);
  }

  #readNative(buffer: Uint8Array): number {
    return native('xs_unix_stream_read').call(this, buffer);
  }

  #writeNative(text: string, from: number): number {
    return native('xs_unix_stream_write').call(this, text, from);
  }

  #closeNative(): void {
    native('xs_unix_stream_close').call(this);
  }
}
