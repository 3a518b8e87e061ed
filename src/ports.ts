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
  post(url: string, body: string, token: string | undefined, done: (answer: HttpAnswer) => void): void;
}
