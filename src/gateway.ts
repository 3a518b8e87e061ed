/**
 * Composition: one device, its way in (packets) and out (datagrams), and the loop that drives them by deadline.
 * The same on every engine. A host with a faster data path puts its own pump in the place of the two batches and
 * keeps the rest.
 */

import { Batch } from './packet/batch.js';
import type { Clock, DatagramSocket, Log, PacketDevice, Resolver, Timer } from './ports.js';
import { EndpointNames } from './transport/endpoint-names.js';
import type { Paths } from './transport/paths.js';
import type { Device } from './wireguard/device.js';
import { DATA_OVERHEAD_BYTES } from './wireguard/messages.js';

export interface GatewayOptions {
  readonly device: Device;
  readonly tunnel: PacketDevice;
  readonly socket: DatagramSocket;
  /** Of peers with several transports; `socket` then knows them too. */
  readonly paths?: Paths;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly resolver?: Resolver;
  readonly log?: Log;
  /** Packets handled in one turn of the loop, in each direction; their buffers are most of a small board's memory. */
  readonly batchCapacity?: number;
  /** Called once when the tunnel device or the socket is gone; the gateway has then stopped. */
  readonly onClosed?: (reason: string) => void;
}

/** The longest the loop sleeps, ms: also hosts whose timers cannot count further wake up in time. */
const LONGEST_SLEEP = 3_600_000;

export class Gateway {
  readonly device: Device;
  readonly names: EndpointNames | undefined;
  readonly #options: GatewayOptions;
  readonly #outward: Batch;
  readonly #inward: Batch;
  #running = false;
  /** Monotonic ms the timer is set to. */
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.device = options.device;
    const { packetSize } = options.device.limits;
    const { batchCapacity } = options;
    this.#outward = new Batch(packetSize, batchCapacity);
    this.#inward = new Batch(packetSize + DATA_OVERHEAD_BYTES, batchCapacity);
    const { resolver, clock, log } = options;
    this.names = resolver && new EndpointNames({ resolver, clock, log });
  }

  start(): void {
    const { device, tunnel, socket, paths } = this.#options;
    this.#running = true;
    device.onOutbox = () => this.#sendOutbox();
    device.onDeadline = () => this.#arm();
    device.onResolve = (peer) => this.names?.resolve(peer);
    if (paths) paths.onDeadline = () => this.#arm();
    tunnel.onReadable = () => this.#pumpOutward();
    socket.onReadable = () => this.#pumpInward();
    tunnel.onClosed = (reason) => this.#closed(reason);
    socket.onClosed = (reason) => this.#closed(reason);
    for (const peer of device.peers()) {
      if (peer.endpointName && !peer.hasEndpoint) this.names?.resolve(peer);
    }
    this.#arm();
  }

  /** Stops the loop. The device's keys, the tunnel device and the socket are their owner's to close. */
  stop(): void {
    this.#running = false;
    const { device, tunnel, socket, timer, paths } = this.#options;
    timer.cancel();
    device.onOutbox = device.onDeadline = device.onResolve = undefined;
    if (paths) paths.onDeadline = undefined;
    tunnel.onReadable = socket.onReadable = undefined;
    tunnel.onClosed = socket.onClosed = undefined;
  }

  /** Packets of the site, sealed, to the network. */
  #pumpOutward(): void {
    if (!this.#running) return;
    const batch = this.#outward;
    batch.clear();
    if (this.#options.tunnel.readBatch(batch) > 0) {
      this.device.seal(batch);
      this.#options.socket.sendBatch(batch);
    }
    this.#afterCall();
  }

  /** Datagrams of the network, opened, to the site. */
  #pumpInward(): void {
    if (!this.#running) return;
    const batch = this.#inward;
    batch.clear();
    if (this.#options.socket.receiveBatch(batch) > 0) {
      this.device.open(batch);
      this.#options.tunnel.writeBatch(batch);
    }
    this.#afterCall();
  }

  #afterCall(): void {
    this.#sendOutbox();
    this.#arm();
  }

  #sendOutbox(): void {
    const { outbox } = this.device;
    if (outbox.count === 0) return;
    this.#options.socket.sendBatch(outbox);
    outbox.clear();
  }

  /** Sets the timer to the next deadline unless it already goes off before; one early wake-up is cheaper than many settings. */
  #arm(): void {
    if (!this.#running) return;
    const paths = this.#options.paths?.nextDeadline() ?? Number.POSITIVE_INFINITY;
    const deadline = Math.min(this.device.nextDeadline(), paths);
    if (deadline >= this.#wakeAt) return;
    const now = this.#options.clock.monotonic();
    const delay = Math.min(LONGEST_SLEEP, Math.max(0, deadline - now));
    this.#wakeAt = now + delay;
    this.#options.timer.schedule(delay, () => this.#wake());
  }

  #wake(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    if (!this.#running) return;
    try {
      this.device.advance();
      this.#options.paths?.advance();
    } finally {
      // Whatever went wrong with one peer or message, the others' timers go on.
      this.#afterCall();
    }
  }

  #closed(reason: string): void {
    if (!this.#running) return;
    this.stop();
    this.#options.log?.write('warn', 'gateway-stopped', { reason });
    this.#options.onClosed?.(reason);
  }
}
