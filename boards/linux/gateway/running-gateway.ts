/** A running gateway: device, TUN, UDP, interface and control socket put together, and all of it taken down again. */

import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { keyToBase64 } from '../../../src/crypto/key-text.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { Gateway } from '../../../src/gateway.js';
import { applyConfig } from '../../../src/management/apply-config.js';
import { type GatewayStatus, peerView } from '../../../src/management/status.js';
import { sameEndpoint } from '../../../src/packet/endpoint.js';
import { formatEndpoint } from '../../../src/packet/endpoint-text.js';
import type { Clock, Log } from '../../../src/ports.js';
import { Device } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';
import { type Edge, messageOf } from '../../xs/edge.js';
import { VERSION } from '../../xs/version.js';
import { FileStore } from '../drivers/file-store.js';
import { interfaceIndex } from '../drivers/netlink.js';
import { OneShot } from '../drivers/one-shot.js';
import { processId } from '../drivers/process.js';
import { SystemResolver } from '../drivers/resolver.js';
import { EACCES, EADDRINUSE, ENOENT, EPERM, errorText, SystemError } from '../drivers/system-error.js';
import { Tun } from '../drivers/tun.js';
import { Udp } from '../drivers/udp.js';
import { zoneName } from '../drivers/zones.js';
import { readConfiguration } from './configuration.js';
import { ControlHost } from './control-host.js';
import { ControlSocket, refuseLive } from './control-socket.js';
import { EXIT, GatewayError } from './gateway-error.js';
import { Link } from './link.js';

/** A send failure older than this no longer explains anything, ms. */
const FAILURE_MEMORY = 30_000;
/** What slots hold where no MTU is configured. */
const USUAL_PACKET = 1500;

export interface RunningOptions {
  readonly name: string;
  readonly path: string;
  readonly stateDirectory: string;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly edge: Edge;
  readonly log: Log;
  /** Called once when the gateway has ended by itself. */
  readonly onEnded: (exitCode: number) => void;
}

export class RunningGateway {
  readonly #options: RunningOptions;
  readonly #startedAt: number;
  readonly #failed = { endpoint: new Uint8Array(24), errno: 0, at: Number.NEGATIVE_INFINITY };
  #config: TunnelConfig | undefined;
  #device: Device | undefined;
  #tun: Tun | undefined;
  #socket: Udp | undefined;
  #link: Link | undefined;
  #gateway: Gateway | undefined;
  #host: ControlHost | undefined;
  #control: ControlSocket | undefined;
  #stopped = false;

  constructor(options: RunningOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  /** Throws what went wrong, with everything taken back. */
  start(): void {
    try {
      this.#start();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  #start(): void {
    const { name, path, stateDirectory, primitives, clock, edge, log } = this.#options;
    refuseLive(name);
    if (interfaceIndex(name) !== 0) {
      const sentence = `an interface named ${name} exists already; remove it with "ip link delete ${name}", or use another --name`;
      throw new GatewayError(EXIT.alreadyRunning, sentence);
    }
    const { config, warnings } = readConfiguration(path, primitives);
    for (const warning of warnings) log.write('warn', 'configuration', { warning });
    this.#config = config;

    const store = new FileStore(`${stateDirectory}/${name}`);
    const device = new Device({
      primitives,
      clock,
      log,
      timestamps: new TimestampSource(clock, store, log),
      limits: { packetSize: Math.max(USUAL_PACKET, config.interface.mtu ?? 0) },
    });
    this.#device = device;
    const socket = openSocket(config, edge);
    this.#socket = socket;
    const setMark = (mark: number) => socket.setMark(mark);
    const link = new Link(name, config, setMark, log);
    link.preUp();
    this.#link = link;
    const tun = openTun(name, edge);
    this.#tun = tun;
    this.#gateway = new Gateway({
      device,
      tunnel: tun,
      socket,
      clock,
      log,
      timer: new OneShot(edge),
      resolver: new SystemResolver(edge),
      onClosed: (reason) => this.#leave(reason),
    });
    applyConfig(device, config, undefined, new Map());
    this.#gateway.start();
    device.mtu = link.configure(config);
    this.#host = new ControlHost(socket, config.interface.fwMark, log, () => this.status());
    this.#control = new ControlSocket(name, device, this.#host, edge, log);
    this.#control.onRemoved = () => this.#leave('the control socket was removed');
    if (!socket.hasIpv6) log.write('warn', 'ipv4-only', { reason: 'this host has no IPv6' });
    log.write('info', 'up', {
      interface: name,
      listenPort: socket.port,
      mtu: device.mtu,
      peers: device.peerCount,
    });
  }

  /** Brings the gateway in line with its file. A broken file changes nothing; the log says what is wrong with it. */
  reload(): void {
    const { path, primitives, log } = this.#options;
    const device = this.#device;
    if (device === undefined || this.#stopped) return;
    try {
      const { config, warnings } = readConfiguration(path, primitives);
      for (const warning of warnings) log.write('warn', 'configuration', { warning });
      const port = config.interface.listenPort ?? 0;
      if (port !== 0 && port !== this.#socket?.port) this.#host?.rebind(port);
      if (config.interface.fwMark !== this.#config?.interface.fwMark)
        this.#host?.mark(config.interface.fwMark);
      applyConfig(device, config, this.#config, new Map());
      this.#link?.setRoutes(config.peers.flatMap((peer) => peer.allowedIps));
      this.#config = config;
      for (const peer of device.peers()) {
        if (peer.endpointName && !peer.hasEndpoint) this.#gateway?.names?.resolve(peer);
      }
      log.write('info', 'reloaded', { peers: device.peerCount });
    } catch (error) {
      log.write('error', 'reload-refused', { reason: messageOf(error) });
    }
  }

  /** Takes everything back. Safe to call at any moment and more than once. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#control?.close();
    this.#gateway?.stop();
    this.#link?.preDown();
    this.#tun?.close();
    this.#socket?.close();
    this.#link?.postDown();
    this.#device?.close();
  }

  status(): GatewayStatus {
    const { name, path, clock } = this.#options;
    const device = this.#device!;
    const socket = this.#socket!;
    const now = clock.monotonic();
    this.#noteFailure(now);
    const { publicKey } = device;
    return {
      interface: name,
      version: VERSION,
      pid: processId(),
      uptime: Math.round((now - this.#startedAt) / 1000),
      mode: 'tun',
      modeReason: 'the firmware knows no other',
      tier: 'portable',
      tierReason: 'primitives and drivers in C',
      publicKey: publicKey === undefined ? null : keyToBase64(publicKey),
      listenPort: socket.port,
      fwmark: this.#host?.fwmark ?? 0,
      mtu: device.mtu,
      ipv6Missing: socket.hasIpv6 ? null : 'this host has no IPv6',
      underLoad: device.underLoad,
      configuration: path,
      peers: Array.from(device.peers(), (peer) =>
        peerView(peer, device, now, (one) => this.#detail(one, now), zoneName),
      ),
      counters: { ...device.counters, tunDropped: this.#tun?.dropped ?? 0, sendDropped: socket.dropped },
    };
  }

  #noteFailure(now: number): void {
    const errno = this.#socket?.takeFailure() ?? 0;
    if (errno === 0) return;
    this.#failed.endpoint.set(this.#socket!.failed);
    this.#failed.errno = errno;
    this.#failed.at = now;
  }

  /** What the system says about a peer beyond what the device knows. */
  #detail(peer: Peer, now: number): string | undefined {
    const nameError = this.#gateway?.names?.error(peer);
    if (nameError !== undefined) return nameError;
    const { endpoint, errno, at } = this.#failed;
    if (now - at > FAILURE_MEMORY || !sameEndpoint(peer.endpoint, 0, endpoint, 0)) return undefined;
    return `cannot send to ${formatEndpoint(endpoint, 0, zoneName)}: ${errorText(errno)}`;
  }

  #leave(reason: string): void {
    if (this.#stopped) return;
    this.#options.log.write('info', 'leaving', { reason });
    this.stop();
    this.#options.onEnded(EXIT.ok);
  }
}

function openSocket(config: TunnelConfig, edge: Edge): Udp {
  const port = config.interface.listenPort ?? 0;
  try {
    return new Udp(port, config.interface.fwMark, edge);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== EADDRINUSE) throw error;
    const sentence = `UDP port ${port} is taken by another program; choose another ListenPort`;
    throw new GatewayError(EXIT.portTaken, sentence);
  }
}

function openTun(name: string, edge: Edge): Tun {
  try {
    return new Tun(name, edge);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const { errno } = error;
    if (errno === EPERM || errno === EACCES) {
      throw new GatewayError(EXIT.permission, `${error.message}; run as root or with CAP_NET_ADMIN`);
    }
    if (errno === ENOENT)
      throw new GatewayError(EXIT.system, `${error.message}; load the tun module: modprobe tun`);
    throw error;
  }
}
