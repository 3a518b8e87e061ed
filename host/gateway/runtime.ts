/**
 * A running gateway on Node: puts the WireGuard device, the platform's tunnel, a pump and the control socket
 * together, and takes all of it down again, however far it came.
 */

import { join } from 'node:path';
import type { PeerConfig, TunnelConfig } from '../../src/config/tunnel-config.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { applyConfig } from '../../src/gateway/apply-config.js';
import type { Log, Resolver } from '../../src/ports.js';
import { Device } from '../../src/wireguard/device.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import { NodeClock } from './clock.js';
import { readConfiguration } from './configuration.js';
import { ManagedTunnel } from './control/managed-tunnel.js';
import { NodePrimitives } from './crypto.js';
import { EndpointWatch } from './endpoint-watch.js';
import { EXIT, type ExitCode, messageOf } from './errors.js';
import { FileStore } from './file-store.js';
import { run } from './platform/command.js';
import { DEFAULT_MTU } from './platform/mtu.js';
import { openTunnel } from './platform/open-tunnel.js';
import type { ModeChoice, Outside, Tunnel } from './platform/tunnel.js';
import type { Pump } from './pump.js';
import { chooseTier, type Tier } from './pump-choice.js';
import type { GatewayRequest } from './request.js';
import { ipv4Only, NodeResolver } from './resolver.js';
import { checkedConfig, forget, needsRestart, resolveEndpoints } from './running-config.js';
import { type GatewayStatus, peerView } from './status.js';
import { Reach } from './transport/reach.js';
import { packetSize, tunnelSettings } from './tunnel-settings.js';
import { GatewayUapiHost } from './uapi-host.js';
import { refuseLive, UapiSocket } from './uapi-socket.js';
import { packageVersion } from './version.js';

export interface Surroundings {
  readonly choice: ModeChoice;
  /** The inner process's line to the outer one (rootless mode). */
  readonly outside: Outside | undefined;
  readonly log: Log;
}

/** Starts a gateway. Rejects with a {@link GatewayError}, and with everything taken back, when it cannot be. */
export async function startGateway(
  request: GatewayRequest,
  surroundings: Surroundings,
): Promise<RunningGateway> {
  const gateway = new RunningGateway(request, surroundings);
  try {
    await gateway.start();
    return gateway;
  } catch (error) {
    await gateway.stop(EXIT.failure);
    throw error;
  }
}

export class RunningGateway {
  /** Settles when the gateway has ended, whatever ended it, with the exit code that says why. */
  readonly ended: Promise<ExitCode>;

  private readonly request: GatewayRequest;
  private readonly surroundings: Surroundings;
  private readonly log: Log;
  private readonly clock = new NodeClock();
  private readonly primitives = new NodePrimitives();
  private readonly resolver: Resolver;
  private readonly version = packageVersion();
  private readonly startedAt = performance.now();
  private device: Device | undefined;
  private tunnel: Tunnel | undefined;
  private pump: Pump | undefined;
  private managed: ManagedTunnel | undefined;
  private uapi: UapiSocket | undefined;
  private host: GatewayUapiHost | undefined;
  /** What the device was last brought in line with. */
  private config: TunnelConfig | undefined;
  private endpoints: EndpointWatch | undefined;
  /** Relays and the paths over them; undefined where only UDP is configured. */
  private reach: Reach | undefined;
  private stopping: Promise<void> | undefined;
  private end!: (code: ExitCode) => void;

  constructor(request: GatewayRequest, surroundings: Surroundings) {
    this.request = request;
    this.surroundings = surroundings;
    this.log = surroundings.log;
    this.resolver = surroundings.outside?.resolver ?? new NodeResolver();
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  async start(): Promise<void> {
    const { request, log } = this;
    const { interfaceName, uapiDirectory, configuration } = request;
    await refuseLive(uapiDirectory, interfaceName);
    const store = new FileStore(join(request.stateDirectory, interfaceName));
    const { outside } = this.surroundings;
    if (request.enrolled) {
      this.managed = new ManagedTunnel(request.enrolled, store, this.primitives, this.clock, log, outside);
    }
    const config = this.managed
      ? await this.managed.configuration()
      : configuration && checkedConfig(configuration, request, this.primitives, log);
    const resolved = config
      ? await resolveEndpoints(config, this.resolver, log)
      : new Map<PeerConfig, Uint8Array>();

    const parts = {
      clock: this.clock,
      log,
      primitives: this.primitives,
      interfaceName,
      dial: outside && ((host: string, to: number) => outside.connect(host, to)),
      token: () => this.managed?.credentials.token(),
    };
    this.reach = request.enrolled
      ? Reach.enrolled(request.enrolled.reach, parts)
      : Reach.prepare(config, parts);
    const { mode } = this.surroundings.choice;
    const tier = chooseTier(request.tier, mode, log, this.reach !== undefined, request.limits);
    const device = new Device({
      primitives: this.primitives,
      clock: this.clock,
      timestamps: new TimestampSource(this.clock, store, log),
      log,
      limits: { packetSize: packetSize(config), ...request.limits },
      timing: request.timing,
      keypairs: tier.keypairs,
    });
    this.device = device;

    const tunnel = await this.openTunnel(tier, config, resolved);
    this.tunnel = tunnel;
    device.mtu = tunnel.mtu;
    tunnel.onMtu = (mtu) => {
      device.mtu = mtu;
    };
    this.pump = tier.open({
      device,
      tunnel,
      resolver: tunnel.sockets.v6 === undefined ? ipv4Only(tunnel.resolver) : tunnel.resolver,
      clock: this.clock,
      log,
      paths: this.reach?.paths,
      onClosed: (reason) => this.leave(reason),
    });
    // PreDown hooks still have the tunnel; after them the pump goes before what it works on.
    tunnel.onDown = () => this.pump?.stop();
    this.pump.start();
    if (config) applyConfig(device, config, undefined, resolved);
    this.config = config;
    if (config) await tunnel.configure();
    else await run('ip', ['link', 'set', 'dev', interfaceName, 'mtu', String(DEFAULT_MTU)]);
    device.mtu = tunnel.mtu;
    if (config && !this.managed) this.reach?.apply(config, device);
    this.reach?.start();
    this.meet();
    await this.managed?.start(device, tunnel);

    this.host = new GatewayUapiHost(tunnel, this.pump, log, () => this.status());
    this.uapi = await UapiSocket.listen(uapiDirectory, interfaceName, device, this.host, log);
    this.uapi.onRemoved = () => this.leave('the control socket was removed');
    if (outside) outside.onGone = (reason) => this.leave(reason);
    this.endpoints = new EndpointWatch(device, this.pump, this.clock, log);
    this.endpoints.start();
    const { failAfter } = request;
    if (failAfter !== undefined) this.endpoints.giveUpAfter(failAfter, () => void this.stop(EXIT.endpoint));
    this.announce();
  }

  /** Brings the gateway in line with its file. A broken file changes nothing; the log says what is wrong with it. */
  async reload(): Promise<void> {
    const { request, device, tunnel, log } = this;
    if (request.configuration === undefined || device === undefined || tunnel === undefined) {
      log.write('warn', 'reload-refused', {
        reason: 'this gateway has no configuration file; use wg syncconf',
      });
      return;
    }
    try {
      const { path } = request.configuration;
      const config = checkedConfig(readConfiguration(path), request, this.primitives, log);
      const resolved = await resolveEndpoints(config, this.resolver, log);
      this.reach?.check(config);
      const port = config.interface.listenPort ?? 0;
      if (port !== 0 && port !== tunnel.sockets.port) await this.host?.rebind(port);
      if (config.interface.fwMark !== (this.config?.interface.fwMark ?? 0)) {
        await this.host?.mark(config.interface.fwMark);
      }
      applyConfig(device, config, this.config, resolved);
      this.reach?.apply(config, device);
      await tunnel.setRoutes(config.peers.flatMap((peer) => peer.allowedIps));
      if (needsRestart(this.config, config)) {
        const reason = 'addresses, MTU, DNS, table, hooks and a first relay take effect at the next start';
        log.write('warn', 'reload-incomplete', { reason });
      }
      forget(this.config);
      this.config = config;
      log.write('info', 'reloaded', { peers: device.peerCount });
    } catch (error) {
      log.write('error', 'reload-refused', { reason: messageOf(error) });
    }
  }

  /** Takes everything back. Safe to call at any moment and more than once. */
  stop(code: ExitCode = EXIT.ok): Promise<void> {
    // A turn later, so that whatever ends meanwhile because of this finds it begun.
    this.stopping ??= Promise.resolve()
      .then(() => this.takeDown())
      .then(() => this.end(code));
    return this.stopping;
  }

  status(): GatewayStatus {
    const { request, surroundings, device, tunnel, pump } = this;
    if (device === undefined || tunnel === undefined || pump === undefined) throw new Error('not started');
    pump.refresh?.();
    const now = this.clock.monotonic();
    const { publicKey } = device;
    return {
      interface: request.interfaceName,
      version: this.version,
      pid: process.pid,
      uptime: Math.round((now - this.startedAt) / 1000),
      mode: tunnel.mode,
      modeReason: tunnel.reason || surroundings.choice.reason,
      tier: pump.tier,
      tierReason: pump.reason,
      publicKey: publicKey === undefined ? null : keyToBase64(publicKey),
      listenPort: tunnel.sockets.port,
      fwmark: tunnel.fwmark,
      mtu: device.mtu,
      ipv6Missing: tunnel.sockets.v6 === undefined ? whyNoIpv6(request) : null,
      underLoad: device.underLoad,
      configuration: request.configuration?.path ?? null,
      peers: Array.from(device.peers(), (peer) =>
        peerView(peer, device, now, (one) => this.detail(one), this.reach?.paths.of(peer)),
      ),
      counters: { ...device.counters, ...pump.counters },
      control: this.managed?.status(),
    };
  }

  private detail(peer: Peer): string | undefined {
    return this.endpoints?.detail(peer) ?? this.managed?.detail(peer);
  }

  private openTunnel(
    tier: Tier,
    config: TunnelConfig | undefined,
    resolved: Map<PeerConfig, Uint8Array>,
  ): Promise<Tunnel> {
    const { request, surroundings, log } = this;
    return openTunnel({
      interfaceName: request.interfaceName,
      choice: surroundings.choice,
      outside: surroundings.outside,
      settings: tunnelSettings(config, resolved),
      listenPort: config?.interface.listenPort ?? 0,
      listenAddress: request.listenAddress,
      vnetHeader: tier.vnetHeader,
      queues: tier.queues,
      forwards: request.forwards,
      exposes: request.exposes,
      forwardLimits: request.limits,
      log,
      stateDirectory: request.stateDirectory,
    });
  }

  /** An enrolled gateway reaches the others of its tenant over relays, too. */
  private meet(): void {
    const { reach, managed } = this;
    if (!reach || !managed) return;
    managed.onApplied = () => reach.applySites(managed.sites());
    managed.transportOf = (peer) => reach.travels(peer);
  }

  private announce(): void {
    const { mode, modeReason, tier, tierReason, listenPort, mtu, ipv6Missing, peers } = this.status();
    this.log.write('info', 'mode', { mode, reason: modeReason });
    this.log.write('info', 'tier', { tier, reason: tierReason });
    if (ipv6Missing !== null) this.log.write('warn', 'ipv4-only', { reason: ipv6Missing });
    const { interfaceName } = this.request;
    this.log.write('info', 'up', { interface: interfaceName, listenPort, mtu, peers: peers.length });
  }

  private leave(reason: string): void {
    if (this.stopping !== undefined) return;
    this.log.write('info', 'leaving', { reason });
    void this.stop(EXIT.ok);
  }

  private async takeDown(): Promise<void> {
    this.endpoints?.stop();
    this.managed?.stop();
    this.reach?.stop();
    this.uapi?.close();
    this.pump?.expectEnd();
    // The tunnel goes first where hooks may still want to use it; the pump then finds it gone.
    await this.tunnel?.close();
    await this.pump?.stop();
    this.device?.close();
    forget(this.config);
  }
}

function whyNoIpv6({ listenAddress }: GatewayRequest): string {
  return listenAddress === undefined ? 'this host has no IPv6' : `it listens at ${listenAddress} alone`;
}
