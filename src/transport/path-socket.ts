/** The gateway's UDP socket and its transports as one socket: the pump knows no difference. */

import { Batch } from '../packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES, endpointFamily, FAMILY_VIRTUAL } from '../packet/endpoint.js';
import type { DatagramSocket } from '../ports.js';
import type { Paths } from './paths.js';

export class PathSocket implements DatagramSocket {
  onReadable: (() => void) | undefined;
  readonly #socket: DatagramSocket;
  readonly #paths: Paths;
  /** Datagrams that came through transports and wait for the pump; when it is full they are dropped. */
  readonly #waiting: Batch;
  #taken = 0;
  /** One datagram on its way to the UDP socket beside the batches. */
  readonly #single: Batch;
  dropped = 0;

  /** `datagramSize` in bytes; `capacity` datagrams wait at most. */
  constructor(socket: DatagramSocket, paths: Paths, datagramSize: number, capacity?: number) {
    this.#socket = socket;
    this.#paths = paths;
    this.#waiting = new Batch(datagramSize, capacity);
    this.#single = new Batch(datagramSize, 1);
    socket.onReadable = () => this.onReadable?.();
    paths.sendUdp = (bytes, offset, length, endpoints, at) => {
      const single = this.#single;
      single.clear();
      if (single.push(bytes, offset, length) < 0) return;
      copyEndpoint(single.endpoints, 0, endpoints, at);
      socket.sendBatch(single);
    };
    paths.deliver = (bytes, offset, length, record) => {
      const waiting = this.#waiting;
      if (waiting.full) this.onReadable?.();
      const i = waiting.push(bytes, offset, length);
      if (i < 0) {
        this.dropped++;
        return;
      }
      copyEndpoint(waiting.endpoints, i * ENDPOINT_BYTES, record, 0);
    };
    paths.delivered = () => {
      while (this.#waiting.count > 0 && this.onReadable) this.onReadable();
    };
  }

  get port(): number {
    return this.#socket.port;
  }

  get onClosed(): ((reason: string) => void) | undefined {
    return this.#socket.onClosed;
  }

  set onClosed(closed: ((reason: string) => void) | undefined) {
    this.#socket.onClosed = closed;
  }

  receiveBatch(into: Batch): number {
    let moved = 0;
    const waiting = this.#waiting;
    while (this.#taken < waiting.count && !into.full) {
      const from = this.#taken++;
      const i = into.push(waiting.bytes, waiting.offset[from], waiting.length[from]);
      if (i < 0) {
        this.dropped++;
        continue;
      }
      copyEndpoint(into.endpoints, i * ENDPOINT_BYTES, waiting.endpoints, from * ENDPOINT_BYTES);
      moved++;
    }
    if (this.#taken === waiting.count) {
      waiting.clear();
      this.#taken = 0;
    }
    return moved + this.#socket.receiveBatch(into);
  }

  sendBatch(from: Batch): void {
    let virtual = 0;
    for (let i = 0; i < from.count; i++) {
      if (from.length[i] === 0 || endpointFamily(from.endpoints, i * ENDPOINT_BYTES) !== FAMILY_VIRTUAL)
        continue;
      this.#paths.send(from.bytes, from.offset[i], from.length[i], from.endpoints, i * ENDPOINT_BYTES);
      from.length[i] = 0;
      virtual++;
    }
    if (virtual > 0) this.#paths.flush();
    if (virtual < from.count) this.#socket.sendBatch(from);
  }

  close(): void {
    this.#paths.stop();
    this.#socket.close();
  }
}
