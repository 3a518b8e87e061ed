import type { RemoteInfo } from 'node:dgram';
import type { Batch } from '../../src/packet/batch.js';
import { ENDPOINT_BYTES, endpointFamily, endpointPort, FAMILY_IPV6 } from '../../src/packet/endpoint.js';
import type { DatagramSocket } from '../../src/ports.js';
import { systemCode } from './errors.js';
import { UdpAddresses } from './udp-addresses.js';
import { closeUdp, type UdpPair } from './udp-bind.js';

/** Datagrams that wait for the core; more are dropped, as a full socket buffer drops them. */
const RECEIVE_QUEUE = 1024;
/** Room for datagrams that the kernel could not take at once, in bytes. */
const SEND_BACKLOG = 1 << 20;

/** Why a destination could not be reached, in the system's words. */
export interface SendFailure {
  /** `ENETUNREACH`, `EPERM` ... */
  code: string;
  /** Address text, without port. */
  address: string;
  port: number;
  /** Monotonic milliseconds. */
  at: number;
}

export interface UdpCounters {
  /** Datagrams dropped because the core was too slow. */
  receiveDropped: number;
  /** Datagrams dropped because the kernel was. */
  sendDropped: number;
  sendFailed: number;
}

/**
 * The gateway's UDP sockets on Node as the core's port. The sockets are bound elsewhere (`udp-bind.ts`, or the outer
 * process of rootless mode) and can be replaced while the gateway runs.
 */
export class UdpSocket implements DatagramSocket {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  readonly counters: UdpCounters = { receiveDropped: 0, sendDropped: 0, sendFailed: 0 };
  /** The last datagram that could not be sent, and why. */
  lastFailure: SendFailure | undefined;

  private pair: UdpPair;
  private readonly addresses = new UdpAddresses();
  private readonly waiting: (Buffer | undefined)[] = new Array(RECEIVE_QUEUE);
  private readonly sources = new Uint8Array(RECEIVE_QUEUE * ENDPOINT_BYTES);
  private head = 0;
  private count = 0;
  private announced = false;
  private closed = false;
  /** A datagram is copied here before it is sent: libuv keeps the bytes until a busy socket takes them. */
  private readonly backlog = new Uint8Array(SEND_BACKLOG);
  private backlogAt = 0;

  constructor(pair: UdpPair) {
    this.pair = pair;
    this.attach();
  }

  get port(): number {
    return this.pair.port;
  }

  /** Goes on with other sockets (another port). The old ones are closed by whoever made them, or by this. */
  replace(pair: UdpPair): void {
    const old = this.pair;
    this.pair = pair;
    this.attach();
    closeUdp(old);
  }

  receiveBatch(into: Batch): number {
    let moved = 0;
    while (this.count > 0 && !into.full) {
      const at = this.head;
      const message = this.waiting[at]!;
      const entry = into.push(message, 0, message.length);
      // Longer than any packet the gateway could carry: not for us.
      if (entry >= 0) {
        const source = at * ENDPOINT_BYTES;
        into.endpoints.set(this.sources.subarray(source, source + ENDPOINT_BYTES), entry * ENDPOINT_BYTES);
        moved++;
      } else this.counters.receiveDropped++;
      this.waiting[at] = undefined;
      this.head = (at + 1) % RECEIVE_QUEUE;
      this.count--;
    }
    if (this.count > 0) this.announce();
    return moved;
  }

  sendBatch(from: Batch): void {
    for (let i = 0; i < from.count; i++) {
      const length = from.length[i];
      if (length > 0) this.send(from.bytes, from.offset[i], length, from.endpoints, i * ENDPOINT_BYTES);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.count = 0;
    this.waiting.fill(undefined);
    closeUdp(this.pair);
  }

  private send(bytes: Uint8Array, offset: number, length: number, endpoints: Uint8Array, at: number): void {
    const address = this.addresses.text(endpoints, at);
    const socket = endpointFamily(endpoints, at) === FAMILY_IPV6 ? this.pair.v6 : this.pair.v4;
    if (address === undefined || socket === undefined || this.closed) {
      this.counters.sendDropped++;
      return;
    }
    if (this.backlogAt > 0 && this.queued() === 0) this.backlogAt = 0;
    if (this.backlogAt + length > SEND_BACKLOG) {
      this.counters.sendDropped++;
      return;
    }
    this.backlog.set(bytes.subarray(offset, offset + length), this.backlogAt);
    socket.send(this.backlog, this.backlogAt, length, endpointPort(endpoints, at), address, this.sent);
    if (socket.getSendQueueCount() > 0) this.backlogAt += length;
  }

  private queued(): number {
    return (this.pair.v4?.getSendQueueCount() ?? 0) + (this.pair.v6?.getSendQueueCount() ?? 0);
  }

  private readonly sent = (error: Error | null): void => {
    if (error === null) return;
    this.counters.sendFailed++;
    const { address, port } = error as Error & { address?: string; port?: number };
    if (address === undefined || port === undefined) return;
    this.lastFailure = { code: systemCode(error) ?? error.message, address, port, at: performance.now() };
  };

  private attach(): void {
    for (const socket of [this.pair.v4, this.pair.v6]) {
      if (socket === undefined) continue;
      socket.on('message', this.received);
      // ICMP errors and the like: UDP says nothing is certain, so nothing ends here.
      socket.on('error', () => {
        this.counters.sendFailed++;
      });
      socket.on('close', () => {
        if (!this.closed && (socket === this.pair.v4 || socket === this.pair.v6)) {
          this.onClosed?.('the UDP socket was closed');
        }
      });
    }
  }

  private readonly received = (message: Buffer, from: RemoteInfo): void => {
    if (this.count === RECEIVE_QUEUE) {
      this.counters.receiveDropped++;
      return;
    }
    const at = (this.head + this.count) % RECEIVE_QUEUE;
    if (!this.addresses.write(this.sources, at * ENDPOINT_BYTES, from.address, from.port)) return;
    this.waiting[at] = message;
    this.count++;
    this.announce();
  };

  /** Tells the core once per turn of the event loop, so that it finds a batch and not single datagrams. */
  private announce(): void {
    if (this.announced) return;
    this.announced = true;
    setImmediate(() => {
      this.announced = false;
      if (this.count > 0) this.onReadable?.();
    });
  }
}
