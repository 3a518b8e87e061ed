/** A running gateway: device, TUN, UDP, interface and control socket put together, and all of it taken down again. */

import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { keyToBase64 } from '../../../src/crypto/key-text.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { applyConfig } from '../../../src/gateway/apply-config.js';
import type { ManagedGateway } from '../../../src/gateway/managed-gateway.js';
import { type GatewayStatus, peerView } from '../../../src/gateway/status.js';
import { sameEndpoint } from '../../../src/packet/endpoint.js';
import { formatEndpoint } from '../../../src/packet/endpoint-text.js';
import type { Clock, Log } from '../../../src/ports.js';
import { Device } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';
import { type Edge, messageOf } from '../../xs/edge.js';
import { VERSION } from '../../xs/version.js';
import { LinuxInterface } from '../control/managed.js';
import { FileStore } from '../drivers/file-store.js';
import { interfaceIndex } from '../drivers/netlink.js';
import { OneShot } from '../drivers/one-shot.js';
import { processId } from '../drivers/process.js';
import { SystemResolver } from '../drivers/resolver.js';
import { EADDRINUSE, errorText, SystemError } from '../drivers/system-error.js';
import { Udp } from '../drivers/udp.js';
import { zoneName } from '../drivers/zones.js';
import type { StartOptions } from './command-line.js';
import { noConfiguration, readConfiguration } from './configuration.js';
import { ControlHost } from './control-host.js';
import { ControlSocket, refuseLive } from './control-socket.js';
import { EXIT, GatewayError } from './gateway-error.js';
import { Link } from './link.js';
import { MtuWatch } from './mtu-watch.js';
import { chooseTier, type Pump, type Tier } from './tier.js';
import { UndoList } from './undo.js';

/** A send failure older than this no longer explains anything, ms. */
const FAILURE_MEMORY = 30_000;
/** What slots hold where no MTU is configured. */
const USUAL_PACKET = 1500;

export interface RunningOptions extends Omit<StartOptions, 'logLevel'> {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly edge: Edge;
  readonly log: Log;
  /** Of an enrolled gateway: who configures it. */
  readonly managed?: ManagedGateway;
  /** Of an enrolled gateway; 0: the port of last time if it is free. */
  readonly listenPort?: number;
  /** Called once when the gateway has ended by itself. */
  readonly onEnded: (exitCode: number) => void;
}

export class RunningGateway {
  readonly #options: RunningOptions;
  readonly #startedAt: number;
  readonly #failed = { endpoint: new Uint8Array(24), errno: 0, at: Number.NEGATIVE_INFINITY };
  #config: TunnelConfig | undefined;
  #device: Device | undefined;
  #tier: Tier | undefined;
  #socket: Udp | undefined;
  #link: Link | undefined;
  #pump: Pump | undefined;
  #host: ControlHost | undefined;
  #control: ControlSocket | undefined;
  #mtuWatch: MtuWatch | undefined;
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
    const { managed, listenPort = 0 } = this.#options;
    const { config, warnings } = managed
      ? { config: managed.configuration(listenPort), warnings: [] }
      : path === undefined
        ? { config: noConfiguration(), warnings: [] }
        : readConfiguration(path, primitives);
    for (const warning of warnings) log.write('warn', 'configuration', { warning });
    this.#config = config;

    const store = new FileStore(`${stateDirectory}/${name}`);
    const undo = new UndoList(stateDirectory, name, log);
    undo.heal();
    const socket = openSocket(config, edge, managed?.lastPort ?? 0);
    this.#socket = socket;
    const link = new Link(name, config, (mark) => socket.setMark(mark), undo, log);
    link.preUp();
    this.#link = link;
    const tier = chooseTier(name, this.#options.tier, edge, log);
    this.#tier = tier;
    const device = new Device({
      primitives,
      clock,
      log,
      timestamps: new TimestampSource(clock, store, log),
      limits: { packetSize: Math.max(USUAL_PACKET, config.interface.mtu ?? 0) },
      keypairs: tier.keypairs,
    });
    this.#device = device;
    const pump = tier.open({
      device,
      socket,
      clock,
      log,
      timer: new OneShot(edge),
      resolver: new SystemResolver(edge),
      onClosed: (reason) => this.#leave(reason),
    });
    this.#pump = pump;
    pump.start();
    if (path !== undefined || managed) applyConfig(device, config, undefined, new Map());
    this.#resolveNames();
    device.mtu = path === undefined && !managed ? link.leaveToOthers() : link.configure(config);
    this.#mtuWatch = new MtuWatch(name, new OneShot(edge), (mtu) => {
      device.mtu = mtu;
    });
    this.#mtuWatch.start();
    managed?.start(device, socket.port, new LinuxInterface(name, config, device, link, log));
    const onMoved = () => pump.socketMoved();
    this.#host = new ControlHost(socket, config.interface.fwMark, onMoved, log, () => this.status());
    this.#control = new ControlSocket(name, device, this.#host, edge, log);
    this.#control.onRemoved = () => this.#leave('the control socket was removed');
    if (!socket.hasIpv6) log.write('warn', 'ipv4-only', { reason: 'this host has no IPv6' });
    log.write('info', 'tier', { tier: tier.name, reason: tier.reason });
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
    if (path === undefined) {
      const reason = this.#options.managed
        ? 'the control plane configures this gateway'
        : 'this gateway has no configuration file; use wg syncconf';
      log.write('warn', 'reload-refused', { reason });
      return;
    }
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
      this.#resolveNames();
      log.write('info', 'reloaded', { peers: device.peerCount });
    } catch (error) {
      log.write('error', 'reload-refused', { reason: messageOf(error) });
    }
  }

  /** Takes everything back. Safe to call at any moment and more than once. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#device !== undefined) this.#options.managed?.stop();
    this.#mtuWatch?.stop();
    this.#control?.close();
    this.#pump?.stop();
    this.#link?.preDown();
    this.#tier?.tun.close();
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
      tier: this.#tier!.name,
      tierReason: this.#tier!.reason,
      publicKey: publicKey === undefined ? null : keyToBase64(publicKey),
      listenPort: socket.port,
      fwmark: this.#host?.fwmark ?? 0,
      mtu: device.mtu,
      ipv6Missing: socket.hasIpv6 ? null : 'this host has no IPv6',
      underLoad: device.underLoad,
      configuration: path ?? null,
      peers: Array.from(device.peers(), (peer) =>
        peerView(peer, device, now, (one) => this.#detail(one, now), zoneName),
      ),
      counters: { ...device.counters, ...this.#pump?.counters },
      control: this.#options.managed?.status(),
    };
  }

  #resolveNames(): void {
    for (const peer of this.#device!.peers()) {
      if (peer.endpointName && !peer.hasEndpoint) this.#pump?.gateway.names?.resolve(peer);
    }
  }

  #noteFailure(now: number): void {
    const errno = this.#pump?.takeFailure(this.#failed.endpoint) ?? 0;
    if (errno === 0) return;
    this.#failed.errno = errno;
    this.#failed.at = now;
  }

  /** What the system says about a peer beyond what the device knows. */
  #detail(peer: Peer, now: number): string | undefined {
    const nameError = this.#pump?.gateway.names?.error(peer);
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

/** `preferred`: a port that is taken if it is free and none is configured. */
function openSocket(config: TunnelConfig, edge: Edge, preferred: number): Udp {
  const port = config.interface.listenPort ?? 0;
  if (port === 0 && preferred !== 0) {
    try {
      return new Udp(preferred, config.interface.fwMark, edge);
    } catch {
      // Another program has it meanwhile.
    }
  }
  try {
    return new Udp(port, config.interface.fwMark, edge);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== EADDRINUSE) throw error;
    const sentence = `UDP port ${port} is taken by another program; choose another ListenPort`;
    throw new GatewayError(EXIT.portTaken, sentence);
  }
}
