/**
 * The T0 pump: nothing native, but everything the kernel offloads. TUN gives and takes super-packets, UDP sockets cut
 * and merge datagrams, and between them WebAssembly does one pass over the bytes. Timers, names and what the device
 * sends by itself stay with the portable {@link Gateway}, which sees this pump as its two ports.
 */

import { Gateway } from '../../../src/gateway.js';
import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { PacketDevice } from '../../../src/ports.js';
import type { Paths } from '../../../src/transport/paths.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import type { UdpSockets } from '../platform/tunnel.js';
import type { Pump, PumpOptions } from '../pump.js';
import type { SendFailure } from '../send-failure.js';
import { NodeTimer } from '../timer.js';
import { UdpAddresses } from '../udp-addresses.js';
import type { Kernel } from '../wasm/kernel.js';
import { OffloadCounters } from './counters.js';
import { DatagramPort } from './datagram-port.js';
import { FrameReader } from './frame-reader.js';
import { tuneInterface } from './interface-queue.js';
import { Receiver, tunWriter } from './receiver.js';
import { FRAME_BYTES, FRAME_SKEW, Sender } from './sender.js';

export interface OffloadPumpOptions extends PumpOptions {
  /** Whose {@link KeySlots} the device was given as `keypairs`. */
  readonly kernel: Kernel;
  /** One clause for the owner: why this tier and no faster one. */
  readonly why: string;
}

/** ms between two looks whether a full UDP socket has room again. */
const CONGESTION_POLL = 1;

const SEND_LANE = 0;
const RECEIVE_LANE = 1;

/** The pump reads and writes frames itself: as a port this is only how the gateway hears of the interface's end. */
class TunnelEnd implements PacketDevice {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  readBatch(): number {
    return 0;
  }
  writeBatch(): void {}
  close(): void {}
}

export class OffloadPump implements Pump {
  readonly tier = 't0';
  readonly #why: string;
  readonly #interfaceName: string;
  readonly #device: Device;
  readonly #gateway: Gateway;
  readonly #tunnel = new TunnelEnd();
  readonly #counters = new OffloadCounters();
  readonly #port: DatagramPort;
  readonly #reader: FrameReader;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #addresses = new UdpAddresses();
  readonly #source = new Uint8Array(ENDPOINT_BYTES);
  #congestion: NodeJS.Timeout | undefined;

  /** Throws when the tunnel has no descriptor with offloads; the portable pump then serves. */
  constructor(options: OffloadPumpOptions) {
    const { device, tunnel, resolver, clock, log, paths, onClosed, kernel, why } = options;
    const { tun } = tunnel;
    if (tun === undefined || !tun.offload) throw new Error('the tunnel device has no segmentation offload');
    this.#why = why;
    this.#interfaceName = tun.name;
    this.#device = device;
    this.#port = new DatagramPort(tunnel.sockets, this.#addresses, this.#counters, log, () => device.mtu);
    const sendLane = kernel.lane(SEND_LANE);
    this.#sender = new Sender(kernel, sendLane, device, this.#port, this.#counters);
    const receiveLane = kernel.lane(RECEIVE_LANE);
    this.#receiver = new Receiver(kernel, receiveLane, device, clock, this.#counters, tunWriter(tun.fd));
    this.#reader = new FrameReader(tun.fd, {
      memory: kernel.memory.buffer,
      at: sendLane.input,
      bytes: sendLane.inputBytes,
      frameBytes: FRAME_BYTES,
      skew: FRAME_SKEW,
    });
    this.#gateway = new Gateway({
      device,
      tunnel: this.#tunnel,
      socket: this.#port,
      clock,
      timer: new NodeTimer(),
      resolver,
      log,
      ...(paths && { paths }),
      onClosed,
    });
    if (paths) this.#carry(paths);
  }

  get reason(): string {
    const port = this.#port;
    const udp = port.segmentation
      ? `UDP segmentation${port.gro ? ' and coalescing' : ''}`
      : `no UDP segmentation${port.reason === undefined ? '' : `: ${port.reason}`}`;
    return `${this.#why}; WebAssembly, TUN with segmentation offload, ${udp}`;
  }

  get lastFailure(): SendFailure | undefined {
    return this.#port.lastFailure;
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, missedWakeUps: this.#reader.missedWakeUps };
  }

  start(): void {
    this.#gateway.start();
    this.#port.onMessage = (message, address, port) => {
      if (!this.#addresses.write(this.#source, 0, address, port)) return;
      this.#receiver.buffer(message, this.#source);
    };
    this.#reader.onClosed = (reason) => this.#tunnel.onClosed?.(reason);
    this.#reader.onFrame = (at, length) => this.#frame(at, length);
    this.#reader.start();
    tuneInterface(this.#interfaceName, this.#device.mtu);
  }

  replaceSockets(sockets: UdpSockets): void {
    this.#port.replace(sockets);
  }

  nameError(peer: Peer): string | undefined {
    return this.#gateway.names?.error(peer);
  }

  expectEnd(): void {
    this.#tunnel.onClosed = this.#port.onClosed = undefined;
  }

  /** Resolves when nothing touches the tunnel's descriptor any more: once the interface was deleted. */
  stop(): Promise<void> {
    this.#gateway.stop();
    this.#receiver.stop();
    clearInterval(this.#congestion);
    this.#congestion = undefined;
    this.#port.onMessage = undefined;
    this.#port.close();
    return this.#reader.stop();
  }

  /** Peers with several transports: what is addressed to their paths, and what comes through these. */
  #carry(paths: Paths): void {
    this.#port.paths = paths;
    paths.sendUdp = (bytes, offset, length, endpoints, at) => {
      // Node may keep the bytes after they were lent.
      this.#port.sendRun(
        Buffer.from(bytes.subarray(offset, offset + length)),
        0,
        length,
        length,
        endpoints,
        at,
      );
    };
    paths.deliver = (bytes, offset, length, record) => {
      this.#receiver.buffer(bytes.subarray(offset, offset + length), record);
    };
  }

  #frame(at: number, length: number): void {
    this.#sender.frame(at, length);
    if (this.#port.congested) this.#wait();
  }

  /** Nothing is sent until the UDP socket has room: ring and TUN's queue then fill, and their senders slow down. */
  #wait(): void {
    this.#counters.sendWaits++;
    this.#reader.pause();
    this.#congestion = setInterval(() => {
      if (this.#port.congested) return;
      clearInterval(this.#congestion);
      this.#congestion = undefined;
      this.#reader.resume();
    }, CONGESTION_POLL);
  }
}
