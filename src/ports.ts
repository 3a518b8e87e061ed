/**
 * The world as the portable core sees it. Every host (Node, XS on Linux, XS on ESP32, the simulator)
 * provides these; nothing in `src/` reaches the outside by any other way.
 */

import type { Batch } from './packet/batch.js';

/** Time is passed in. Nothing in `src/` reads a clock of its own. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back, keeps counting while the wall clock jumps. */
  monotonic(): number;
  /** Milliseconds since 1970-01-01 UTC as far as the host knows; may be wrong, may jump. */
  wall(): number;
}

/** Small atomic key/value storage. Names are lower-case letters, digits, `-` and `.`. */
export interface Store {
  /** The value last written, or `undefined`. */
  get(name: string): Uint8Array | undefined;
  /** Replaces the value. It is on disk or flash when this returns. Throws when it cannot be kept. */
  set(name: string, value: Uint8Array): void;
  delete(name: string): void;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Plain values only; a secret never becomes a field. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  /** `event` is a short stable name (`handshake-complete`), `fields` its facts. */
  write(level: LogLevel, event: string, fields?: LogFields): void;
}

/** Where decrypted IP packets go and come from: a TUN interface, an lwIP interface, a user-space stack. */
export interface PacketDevice {
  /** Called when packets can be read, and again later while some are left. Set before the device is started. */
  onReadable: (() => void) | undefined;
  /** Called once when the device is gone (interface deleted, descriptor broken). */
  onClosed: ((reason: string) => void) | undefined;
  /** Moves at most `into.capacity` waiting IP packets into the batch; the number moved. Never blocks. */
  readBatch(into: Batch): number;
  /** Hands over every entry of nonzero length. What the device cannot take now is dropped and counted. */
  writeBatch(from: Batch): void;
  close(): void;
}

/** An unconnected UDP socket pair (IPv4 and IPv6 on one port). Addresses travel as endpoint records. */
export interface DatagramSocket {
  /** The bound port; known after the socket was made. */
  readonly port: number;
  /** Called when datagrams can be received, and again later while some are left. */
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  /** Moves at most `into.capacity` waiting datagrams, each with its source endpoint, into the batch. */
  receiveBatch(into: Batch): number;
  /** Sends every entry of nonzero length to its endpoint. Full socket buffers drop, as UDP may. */
  sendBatch(from: Batch): void;
  close(): void;
}

/** Turns a host name into addresses; used for peer endpoints given by name. */
export interface Resolver {
  /** Calls back once with textual IPv4/IPv6 addresses (perhaps none), or with an error text. */
  resolve(name: string, done: (addresses: readonly string[], error: string | undefined) => void): void;
}

/** One-shot wake-up for the core's next deadline. */
export interface Timer {
  /** Calls `wake` once after `delay` ms; a new call replaces the last. */
  schedule(delay: number, wake: () => void): void;
  cancel(): void;
}

export interface HttpAnswer {
  /** 0 when there was no answer; `error` says why. */
  readonly status: number;
  readonly body: string;
  readonly error: string | undefined;
  /** ms the server asked to wait, 0 when it did not. */
  readonly retryAfter: number;
}

/** One JSON request to the control plane. Redirects are not followed; the server's certificate is verified. */
export interface HttpClient {
  /** `inTunnel`: the host is the control plane's inside the tunnel, so that the URL may be an open one. */
  post(
    url: string,
    body: string,
    token: string | undefined,
    done: (answer: HttpAnswer) => void,
    inTunnel?: boolean,
  ): void;
}

/** What became of a {@link StreamSocket}; the callbacks of ECMA-419's TCP socket. */
export interface StreamEvents {
  /** `count` bytes can be read; told again only after some more have come. */
  onReadable(count: number): void;
  /** The stream takes `count` bytes now. The first call says that it is connected, and with TLS that the server is proven. */
  onWritable(count: number): void;
  /** It failed, or the other end has closed it; nothing comes after this. The message is for people. */
  onError(error: Error): void;
}

/** A stream of bytes, TCP or TLS over it, in the shape of an ECMA-419 TCP socket. */
export interface StreamSocket {
  /** Moves waiting bytes into the buffer: how many, or undefined when none wait. */
  read(into: Uint8Array): number | undefined;
  /** Takes all of the bytes; how many more it would take now. Throws when it takes fewer than these. */
  write(bytes: Uint8Array): number;
  /** No callback comes after this. */
  close(): void;
}

export interface StreamTarget {
  /** A name or an address (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
  /** TLS 1.3, with the server's certificate verified for `host`. */
  readonly secure: boolean;
}

/** Opens streams. Callbacks come later, never from inside this call; failures, too. */
export interface StreamConnector {
  connect(target: StreamTarget, events: StreamEvents): StreamSocket;
}

/** A connector that can also begin TLS on an open stream of its own: behind an HTTP proxy. */
export interface LayeringConnector extends StreamConnector {
  /** TLS as a client on `stream`, which belongs to the new one from here on; the certificate is verified for `host`. */
  secure(stream: StreamSocket, host: string, events: StreamEvents): StreamSocket;
}
