import { Gateway } from '../../src/gateway.js';
import type { Clock, Log, PacketDevice, Resolver } from '../../src/ports.js';
import { PathSocket } from '../../src/transport/path-socket.js';
import type { Paths } from '../../src/transport/paths.js';
import type { Device } from '../../src/wireguard/device.js';
import { DATA_OVERHEAD_BYTES } from '../../src/wireguard/messages.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { TunDevice } from './platform/tun-device.js';
import type { Tunnel, UdpSockets } from './platform/tunnel.js';
import type { SendFailure } from './send-failure.js';
import { NodeTimer } from './timer.js';
import { UdpSocket } from './udp-socket.js';

/** What carries packets between the tunnel device, the WireGuard device and the UDP sockets. */
export interface Pump {
  /** `portable`, `t0`, `t1` or `t2`. */
  readonly tier: string;
  /** One clause for the owner: why this tier. */
  readonly reason: string;
  readonly lastFailure: SendFailure | undefined;
  /** Packets and datagrams dropped outside of the WireGuard device, by name. */
  readonly counters: Readonly<Record<string, number>>;
  start(): void;
  /** Tells the device what has happened so far, where that is gathered elsewhere first. */
  refresh?(): void;
  /** The firewall mark of the tunnel's sockets is another. */
  followMark?(): void;
  /** The sockets are new ones (another port); the old ones are closed already or soon. */
  replaceSockets(sockets: UdpSockets): void;
  /** Why the peer's endpoint name has no address, or `undefined`. */
  nameError(peer: Peer): string | undefined;
  /** From now on the tunnel device and the sockets are closed on purpose: their end is no news. */
  expectEnd(): void;
  /** Resolves when nothing touches the tunnel's descriptor any more. */
  stop(): void | Promise<void>;
}

export interface PumpOptions {
  readonly device: Device;
  readonly tunnel: Tunnel;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log: Log;
  /** Of peers with several transports. */
  readonly paths?: Paths | undefined;
  /** The tunnel device or the sockets are gone; the pump has stopped. */
  readonly onClosed: (reason: string) => void;
}

/** The portable loop: every packet through the readable core, with what Node itself has for I/O. */
export class PortablePump implements Pump {
  readonly tier = 'portable';
  readonly reason: string;
  private readonly gateway: Gateway;
  private readonly socket: UdpSocket;
  private readonly packets: PacketDevice;
  private readonly tun: TunDevice | undefined;

  constructor(options: PumpOptions, reason: string) {
    const { device, tunnel, resolver, clock, log, paths, onClosed } = options;
    this.reason = reason;
    this.socket = new UdpSocket(tunnel.sockets);
    this.tun = tunnel.tun === undefined ? undefined : new TunDevice(tunnel.tun.fd);
    const packets = this.tun ?? tunnel.device;
    if (packets === undefined) throw new Error('the tunnel has neither a descriptor nor a packet device');
    this.packets = packets;
    this.gateway = new Gateway({
      device,
      tunnel: packets,
      socket: paths
        ? new PathSocket(this.socket, paths, device.limits.packetSize + DATA_OVERHEAD_BYTES)
        : this.socket,
      ...(paths && { paths }),
      clock,
      timer: new NodeTimer(),
      resolver,
      log,
      onClosed,
    });
  }

  get lastFailure(): SendFailure | undefined {
    return this.socket.lastFailure;
  }

  get counters(): Readonly<Record<string, number>> {
    const { receiveDropped, sendDropped, sendFailed } = this.socket.counters;
    const tunnelDropped = this.tun?.dropped ?? 0;
    return { receiveDropped, sendDropped, sendFailed, tunnelDropped };
  }

  start(): void {
    this.gateway.start();
    this.tun?.start();
  }

  replaceSockets(sockets: UdpSockets): void {
    this.socket.replace(sockets);
  }

  nameError(peer: Peer): string | undefined {
    return this.gateway.names?.error(peer);
  }

  expectEnd(): void {
    this.packets.onClosed = this.socket.onClosed = undefined;
  }

  stop(): void {
    this.gateway.stop();
    this.packets.close();
    this.socket.close();
  }
}
