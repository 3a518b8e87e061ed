/** The pump's way to the network: runs of datagrams and single ones over Node's UDP sockets. */

import type { Socket } from 'node:dgram';
import type { Batch } from '../../../src/packet/batch.js';
import {
  ENDPOINT_BYTES,
  endpointFamily,
  endpointPort,
  FAMILY_IPV6,
  FAMILY_VIRTUAL,
} from '../../../src/packet/endpoint.js';
import type { DatagramSocket, Log } from '../../../src/ports.js';
import type { Paths } from '../../../src/transport/paths.js';
import { DATA_OVERHEAD_BYTES } from '../../../src/wireguard/messages.js';
import { systemCode } from '../errors.js';
import type { UdpSockets } from '../platform/tunnel.js';
import { closeUdpSockets } from '../platform/udp-sockets.js';
import type { SendFailure } from '../send-failure.js';
import type { UdpAddresses } from '../udp-addresses.js';
import type { OffloadCounters } from './counters.js';
import type { RunPort } from './sender.js';
import { enableUdpOffload, type SocketBuffers, type SocketOffload, setSegment } from './udp-offload.js';

/**
 * Receive room for bursts of whole super-packets; send room small enough that a slow link is felt by the reader of
 * TUN, and through it by the sending applications, after some ten milliseconds.
 */
const BUFFERS: SocketBuffers = { receive: 7 << 20, send: 1 << 20 };

/** Answers of a kernel or a path that cannot take a segmented send: no checksum offload (EIO), a smaller path MTU. */
const SEGMENTATION_ERRORS = new Set(['EIO', 'EINVAL', 'EMSGSIZE']);

export type OnDatagram = (message: Buffer, address: string, port: number) => void;

const NO_OFFLOAD: SocketOffload = { segment: 0, gro: false };

export class DatagramPort implements DatagramSocket, RunPort {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  /** Gets every received buffer: one datagram, or several of one length and a shorter last one. */
  onMessage: OnDatagram | undefined;
  lastFailure: SendFailure | undefined;
  /** Takes what is addressed to no plain UDP address. */
  paths: Paths | undefined;
  /** What was refused, for the owner. */
  reason: string | undefined;
  #sockets: UdpSockets;
  readonly #addresses: UdpAddresses;
  readonly #counters: OffloadCounters;
  readonly #log: Log;
  #offload4: SocketOffload = NO_OFFLOAD;
  #offload6: SocketOffload = NO_OFFLOAD;
  readonly #currentMtu: () => number;
  /** The MTU that the segment was set for. */
  #mtu: number;
  #segmentation = true;
  #closed = false;

  /** `mtu` tells the inner MTU: a segment is a full packet's message. */
  constructor(
    sockets: UdpSockets,
    addresses: UdpAddresses,
    counters: OffloadCounters,
    log: Log,
    mtu: () => number,
  ) {
    this.#sockets = sockets;
    this.#addresses = addresses;
    this.#counters = counters;
    this.#log = log;
    this.#currentMtu = mtu;
    this.#mtu = mtu();
    this.#attach();
  }

  get port(): number {
    return this.#sockets.port;
  }

  /** True while runs are sent in one call and cut by the kernel. */
  get segmentation(): boolean {
    return this.#offload4.segment > 0 || this.#offload6.segment > 0;
  }

  get gro(): boolean {
    return this.#offload4.gro || this.#offload6.gro;
  }

  /** Datagrams wait in Node for room in the kernel; their bytes must not change meanwhile. */
  get congested(): boolean {
    const { v4, v6 } = this.#sockets;
    return (v4?.getSendQueueCount() ?? 0) > 0 || (v6?.getSendQueueCount() ?? 0) > 0;
  }

  /** Goes on with other sockets (another port). */
  replace(sockets: UdpSockets): void {
    const old = this.#sockets;
    this.#sockets = sockets;
    this.#attach();
    closeUdpSockets(old);
  }

  /** Nothing is read through this port: received buffers go to `onMessage`. */
  receiveBatch(): number {
    return 0;
  }

  /** What the device itself sends. The batch is filled anew soon, and Node may keep the bytes: they are copied. */
  sendBatch(from: Batch): void {
    for (let i = 0; i < from.count; i++) {
      const length = from.length[i];
      if (length === 0) continue;
      const copy = Buffer.from(from.bytes.subarray(from.offset[i], from.offset[i] + length));
      this.sendRun(copy, 0, length, length, from.endpoints, i * ENDPOINT_BYTES);
    }
  }

  /**
   * Sends `bytes[at .. at + length)`, datagrams of `stride` bytes one behind the other with a perhaps shorter last
   * one, to one endpoint. The bytes must stay as they are while `congested`.
   */
  sendRun(
    bytes: Uint8Array,
    at: number,
    length: number,
    stride: number,
    endpoints: Uint8Array,
    endpointAt: number,
  ): void {
    const family = endpointFamily(endpoints, endpointAt);
    if (family === FAMILY_VIRTUAL && this.paths) {
      for (let done = 0; done < length; done += stride) {
        this.paths.send(bytes, at + done, Math.min(stride, length - done), endpoints, endpointAt);
      }
      this.paths.flush();
      return;
    }
    const v6 = family === FAMILY_IPV6;
    const socket = v6 ? this.#sockets.v6 : this.#sockets.v4;
    const address = this.#addresses.text(endpoints, endpointAt);
    if (socket === undefined || address === undefined || this.#closed) {
      this.#counters.sendDropped++;
      return;
    }
    if (this.#currentMtu() !== this.#mtu) this.#followMtu();
    const port = endpointPort(endpoints, endpointAt);
    const { segment } = v6 ? this.#offload6 : this.#offload4;
    if (length <= stride || stride === segment) {
      if (length > stride) this.#counters.segmentedSends++;
      // A single message beyond the segment would be cut apart: it exceeds the MTU it was made for.
      else if (segment > 0 && length > segment) {
        this.#counters.sendDropped++;
        return;
      }
      this.#send(socket, bytes, at, length, port, address);
      return;
    }
    for (let done = 0; done < length; done += stride) {
      this.#send(socket, bytes, at + done, Math.min(stride, length - done), port, address);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeUdpSockets(this.#sockets);
  }

  #send(socket: Socket, bytes: Uint8Array, at: number, length: number, port: number, address: string): void {
    this.#counters.sends++;
    try {
      socket.send(bytes, at, length, port, address, this.#sent);
    } catch {
      // Closed under our hands; `onClosed` tells.
      this.#counters.sendDropped++;
    }
  }

  readonly #sent = (error: Error | null): void => {
    if (error === null) return;
    this.#counters.sendFailed++;
    const code = systemCode(error) ?? error.message;
    if (this.segmentation && SEGMENTATION_ERRORS.has(code)) this.#giveUpSegmentation(code);
    const { address, port } = error as Error & { address?: string; port?: number };
    if (address === undefined || port === undefined) return;
    this.lastFailure = { code, address, port, at: performance.now() };
  };

  #followMtu(): void {
    this.#mtu = this.#currentMtu();
    if (this.#segmentation) this.#setSegment(this.#mtu + DATA_OVERHEAD_BYTES);
  }

  #giveUpSegmentation(code: string): void {
    if (this.#closed) return;
    this.#segmentation = false;
    this.#setSegment(0);
    this.reason = `the path does not take segmented sends (${code})`;
    this.#log.write('warn', 'udp-segmentation-off', { reason: this.reason });
  }

  #setSegment(segment: number): void {
    const { v4, v6, port } = this.#sockets;
    // First, so that nothing is sent on a wrong assumption should the helper fail.
    this.#offload4 = { ...this.#offload4, segment: 0 };
    this.#offload6 = { ...this.#offload6, segment: 0 };
    try {
      if (v4 && setSegment(v4, port, segment)) this.#offload4 = { ...this.#offload4, segment };
      if (v6 && setSegment(v6, port, segment)) this.#offload6 = { ...this.#offload6, segment };
    } catch (error) {
      this.#log.write('warn', 'udp-segmentation-off', { reason: (error as Error).message });
    }
  }

  #attach(): void {
    const { v4, v6, port } = this.#sockets;
    const segment = this.#segmentation ? this.#mtu + DATA_OVERHEAD_BYTES : 0;
    this.#offload4 = v4 ? this.#enable(v4, port, segment) : NO_OFFLOAD;
    this.#offload6 = v6 ? this.#enable(v6, port, segment) : NO_OFFLOAD;
    for (const socket of [v4, v6]) {
      if (socket === undefined) continue;
      socket.on('message', (message, from) => this.onMessage?.(message, from.address, from.port));
      // ICMP errors and the like: UDP says nothing is certain, so nothing ends here.
      socket.on('error', () => {
        this.#counters.sendFailed++;
      });
      socket.on('close', () => {
        if (!this.#closed && (socket === this.#sockets.v4 || socket === this.#sockets.v6)) {
          this.onClosed?.('the UDP socket was closed');
        }
      });
    }
  }

  #enable(socket: Socket, port: number, segment: number): SocketOffload {
    const { offload, reason } = enableUdpOffload(socket, port, segment, BUFFERS);
    if (reason !== undefined) {
      this.reason = reason;
      this.#log.write('info', 'udp-offload-refused', { reason });
    }
    return offload;
  }
}
