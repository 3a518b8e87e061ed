import type { RemoteInfo, Socket } from 'node:dgram';
import type { Batch } from '../../src/packet/batch.js';
import { ENDPOINT_BYTES, endpointFamily, endpointPort, FAMILY_IPV6 } from '../../src/packet/endpoint.js';
import type { DatagramSocket } from '../../src/ports.js';
import { systemCode } from './errors.js';
import type { UdpSockets } from './platform/tunnel.js';
import { closeUdpSockets } from './platform/udp-sockets.js';
import type { SendFailure } from './send-failure.js';
import { UdpAddresses } from './udp-addresses.js';

/** Datagrams that wait for the core; more are dropped, as a full socket buffer drops them. */
const RECEIVE_QUEUE = 1024;
/** Socket buffers asked for, in bytes, so that bursts are not lost; the kernel gives what its maximum allows. */
const SOCKET_BUFFER = 7 << 20;
/** Room for datagrams on their way to the kernel, in bytes. */
const SEND_BUFFER = 4 << 20;

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

  private sockets: UdpSockets;
  private readonly addresses = new UdpAddresses();
  private readonly waiting: (Buffer | undefined)[] = new Array(RECEIVE_QUEUE);
  private readonly sources = new Uint8Array(RECEIVE_QUEUE * ENDPOINT_BYTES);
  private head = 0;
  private count = 0;
  private announced = false;
  private closed = false;
  /**
   * Datagrams are copied here before they are sent: Node may keep the bytes after `send` has returned, while the
   * batch is filled anew. The space is free again when none is on its way.
   */
  private readonly sending = new Uint8Array(SEND_BUFFER);
  private sendingAt = 0;
  private underWay = 0;

  constructor(sockets: UdpSockets) {
    this.sockets = sockets;
    this.attach();
  }

  get port(): number {
    return this.sockets.port;
  }

  /** Goes on with other sockets (another port). The old ones are closed by whoever made them, or by this. */
  replace(sockets: UdpSockets): void {
    const old = this.sockets;
    this.sockets = sockets;
    this.attach();
    closeUdpSockets(old);
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
    closeUdpSockets(this.sockets);
  }

  private send(bytes: Uint8Array, offset: number, length: number, endpoints: Uint8Array, at: number): void {
    const address = this.addresses.text(endpoints, at);
    const socket = endpointFamily(endpoints, at) === FAMILY_IPV6 ? this.sockets.v6 : this.sockets.v4;
    if (address === undefined || socket === undefined || this.closed) {
      this.counters.sendDropped++;
      return;
    }
    if (this.sendingAt + length > SEND_BUFFER) {
      this.counters.sendDropped++;
      return;
    }
    this.sending.set(bytes.subarray(offset, offset + length), this.sendingAt);
    try {
      socket.send(this.sending, this.sendingAt, length, endpointPort(endpoints, at), address, this.sent);
      this.underWay++;
      this.sendingAt += length;
    } catch {
      // Closed under our hands; `onClosed` tells.
      this.counters.sendDropped++;
    }
  }

  private readonly sent = (error: Error | null): void => {
    // Sockets that were replaced may answer late, hence the bound.
    this.underWay = Math.max(0, this.underWay - 1);
    if (this.underWay === 0) this.sendingAt = 0;
    if (error === null) return;
    this.counters.sendFailed++;
    const { address, port } = error as Error & { address?: string; port?: number };
    if (address === undefined || port === undefined) return;
    this.lastFailure = { code: systemCode(error) ?? error.message, address, port, at: performance.now() };
  };

  private attach(): void {
    for (const socket of [this.sockets.v4, this.sockets.v6]) {
      if (socket === undefined) continue;
      enlarge(socket);
      socket.on('message', this.received);
      // ICMP errors and the like: UDP says nothing is certain, so nothing ends here.
      socket.on('error', () => {
        this.counters.sendFailed++;
      });
      socket.on('close', () => {
        if (!this.closed && (socket === this.sockets.v4 || socket === this.sockets.v6)) {
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

function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER);
    socket.setSendBufferSize(SOCKET_BUFFER);
  } catch {
    // Smaller buffers only mean more drops under load.
  }
}
