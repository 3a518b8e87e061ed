/** An enrolled gateway: the control agent decides what the tunnel is, and this carries it out. */

import { randomBytes } from 'node:crypto';
import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { ControlAgent } from '../../../src/control/agent.js';
import { AgentLoop } from '../../../src/control/agent-loop.js';
import { CONTROL_PEER_ID } from '../../../src/control/control-peer.js';
import type { RecordValue } from '../../../src/control/shape.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { NetworkApplier } from '../../../src/gateway/apply-network.js';
import { type ControlStatus, controlStatus } from '../../../src/gateway/control-status.js';
import { managedConfiguration } from '../../../src/gateway/managed-configuration.js';
import type { Enrolment } from '../../../src/identity/enrolment.js';
import { Login } from '../../../src/identity/login.js';
import { parseInterfaceAddress, parsePrefix } from '../../../src/packet/address.js';
import type { Log, Store } from '../../../src/ports.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import type { NodeClock } from '../clock.js';
import { EXIT, GatewayError, messageOf } from '../errors.js';
import { run } from '../platform/command.js';
import type { Outside, Tunnel } from '../platform/tunnel.js';
import { bindUdpSockets, closeUdpSockets } from '../platform/udp-sockets.js';
import type { EnrolledRequest } from '../request.js';
import { NodeTimer } from '../timer.js';
import { packageVersion } from '../version.js';
import type { Dial } from './dial.js';
import { GatewayIdentity } from './identity.js';
import { NodeLinks } from './links.js';

const PORT = 'listen-port';
/** Seconds. Peers are mostly behind NATs; the metered profile leaves it off. */
const KEEPALIVE = 25;
/** Between two looks at endpoints that are not proven, ms. */
const REVIEW = 1_000;
/** A heartbeat reports no more peers than the message holds. */
const MOST_REPORTS = 64;

export class ManagedTunnel {
  readonly agent: ControlAgent;
  /** Who the gateway is, towards relays as towards the control plane. */
  readonly credentials: Login;
  /** The peers were brought in line with the network. */
  onApplied: (() => void) | undefined;
  /** How a peer's datagrams travel, and why; for reports. */
  transportOf: (peer: Peer) => { readonly transport: string; readonly reason: string } | undefined = () =>
    undefined;
  readonly #identity: GatewayIdentity;
  readonly #enrolment: Enrolment;
  readonly #request: EnrolledRequest;
  readonly #clock: NodeClock;
  readonly #outside: Outside | undefined;
  readonly #log: Log;
  readonly #loop: AgentLoop;
  readonly #startedAt: number;
  readonly #firmware = `cloudbridge-gateway/${packageVersion()} node`.slice(0, 64);
  #applier: NetworkApplier | undefined;
  #tunnel: Tunnel | undefined;
  #mtu: number | undefined;
  #usualMtu = 0;
  #review: NodeJS.Timeout | undefined;
  /** Addresses and routes as last asked of the system, what is under way, and why it failed last. */
  #followed = '';
  #following: Promise<void> = Promise.resolve();
  #followFailure: string | undefined;

  /**
   * `outside`: where the network is, when this process lives in a namespace. Throws a {@link GatewayError}
   * when there is no enrolment in the store.
   */
  constructor(
    request: EnrolledRequest,
    store: Store,
    primitives: Primitives,
    clock: NodeClock,
    log: Log,
    outside?: Outside,
  ) {
    this.#request = request;
    this.#clock = clock;
    this.#log = log;
    this.#startedAt = clock.monotonic();
    this.#outside = outside;
    const dial: Dial | undefined = outside && ((host, to) => outside.connect(host, to));
    this.#identity = new GatewayIdentity(primitives, store, log, dial);
    const { enrolment, keys, pins } = this.#identity;
    if (!enrolment) {
      throw new GatewayError(EXIT.configuration, 'this gateway is not enrolled; run "enrol <claim>" first');
    }
    this.#enrolment = enrolment;
    this.credentials = new Login(primitives, clock, this.#identity.http, enrolment, keys.identity);
    this.agent = new ControlAgent({
      primitives,
      clock,
      random: () => randomBytes(4).readUInt32LE() / 0x1_0000_0000,
      store: this.#identity.store,
      keys,
      enrolment,
      credentials: this.credentials,
      links: new NodeLinks(enrolment, pins, undefined, dial),
      actions: { changed: () => this.#apply(), facts: () => this.#facts() },
      firmware: this.#firmware,
      boot: randomBytes(8).toString('hex'),
      // A host has the memory; what a board takes is its own to say.
      mostBytes: 65_536,
      keepWithin: 0,
      log,
    });
    this.#loop = new AgentLoop(this.agent, clock, new NodeTimer(), log);
  }

  /** What the interface is made of, before the control plane was heard: the last good network. */
  async configuration(): Promise<TunnelConfig> {
    return managedConfiguration(this.agent, await this.#port());
  }

  /** The tunnel is up: gives it its peers, then looks for the control plane. */
  async start(device: Device, tunnel: Tunnel): Promise<void> {
    this.#tunnel = tunnel;
    this.#usualMtu = device.mtu;
    this.#mtu = this.agent.configuration.settings.mtu;
    this.#applier = new NetworkApplier(device, this.#log);
    this.#apply();
    const { port } = tunnel.sockets;
    this.#identity.store.write(PORT, port);
    const named = this.#request.endpoint;
    this.agent.setEndpoints(named === undefined ? [`0.0.0.0:${port}`] : [named, `0.0.0.0:${port}`]);
    await this.#following;
    this.#review = setInterval(() => this.#applier?.review(), REVIEW).unref();
    this.#loop.start();
  }

  /** What the control plane's word about this peer has to do with its state. */
  detail(peer: Peer): string | undefined {
    return this.#applier?.reason(peer);
  }

  stop(): void {
    clearInterval(this.#review);
    this.#loop.stop('the gateway is stopping');
  }

  status(): ControlStatus {
    const status = controlStatus(this.agent, this.#enrolment, this.#peers(), this.#clock.monotonic());
    const failure = this.#followFailure;
    return failure === undefined ? status : { ...status, refused: `the system: ${failure}` };
  }

  /** The other gateways of the tenant by their names. */
  *sites(): IterableIterator<[string, Peer]> {
    for (const site of this.#applier?.peers() ?? []) if (site[0] !== CONTROL_PEER_ID) yield site;
  }

  *#peers(): IterableIterator<Peer> {
    // The lamp for data is about sites; the control plane's peer has a lamp of its own.
    for (const [, peer] of this.sites()) yield peer;
  }

  #apply(): void {
    const { rotation, configuration, tunnelPeers } = this.agent;
    const { settings } = configuration;
    if (settings.log_level !== undefined)
      throw new RangeError('the log level is set where the gateway is started');
    this.#applier?.apply({
      keys: rotation.keys,
      peers: tunnelPeers,
      keepalive: settings.keepalive ?? (settings.metered ? 0 : KEEPALIVE),
    });
    this.onApplied?.();
    if (!this.#tunnel) return;
    if (settings.mtu !== this.#mtu) this.#setMtu(this.#tunnel, settings.mtu);
    this.#follow(this.#tunnel);
  }

  /** Addresses and routes as the network has them now, one change after the other however fast they come. */
  #follow(tunnel: Tunnel): void {
    const { tunnelAddresses, tunnelPrefixes } = this.agent;
    const wanted = JSON.stringify([tunnelAddresses, tunnelPrefixes]);
    if (wanted === this.#followed) return;
    this.#followed = wanted;
    this.#following = this.#following
      .then(() => tunnel.setAddresses(tunnelAddresses.map((text) => parseInterfaceAddress(text)!)))
      .then(() => tunnel.setRoutes(tunnelPrefixes.map((text) => parsePrefix(text)!)))
      .then(() => {
        this.#followFailure = undefined;
        // Without an interface there is no TCP through the tunnel.
        this.agent.setTunnelUsable(tunnel.tun !== undefined);
      })
      .catch((error) => {
        // Tried again with the next change; until then the owner knows.
        this.#followed = '';
        this.#followFailure = messageOf(error);
        this.#log.write('error', 'network-not-followed', { reason: this.#followFailure });
      });
  }

  /** What the interface then says its MTU is comes back to the device by itself. */
  #setMtu(tunnel: Tunnel, mtu: number | undefined): void {
    this.#mtu = mtu;
    if (tunnel.tun === undefined) {
      tunnel.onMtu?.(mtu ?? this.#usualMtu);
      return;
    }
    run('ip', ['link', 'set', 'dev', tunnel.interfaceName, 'mtu', String(mtu ?? this.#usualMtu)]).catch(
      (error) => {
        this.#log.write('error', 'mtu-not-set', { reason: messageOf(error) });
      },
    );
  }

  /** Measured facts only. */
  #facts(): RecordValue {
    const now = this.#clock.monotonic();
    const reports: RecordValue[] = [];
    for (const [id, peer] of this.#applier?.peers() ?? []) {
      if (reports.length === MOST_REPORTS) break;
      const report: RecordValue = { id, state: peer.state, reason: peer.reason };
      if (peer.lastHandshake > 0) {
        report.handshake_age = Math.round((now - peer.lastHandshake) / 1000);
        const travels = this.transportOf(peer);
        report.transport = travels?.transport ?? 'udp';
        report.transport_reason = travels?.reason ?? 'only-transport';
      }
      const { loss } = peer;
      if (loss !== undefined) report.loss = Math.round(loss * 1000) / 1000;
      if (peer.roundTrip !== undefined) report.rtt = Math.round(peer.roundTrip * 10) / 10;
      if (peer.rxBytes > 0) report.rx = peer.rxBytes;
      if (peer.txBytes > 0) report.tx = peer.txBytes;
      reports.push(report);
    }
    return {
      uptime: Math.round((now - this.#startedAt) / 1000),
      firmware: this.#firmware,
      memory: process.memoryUsage.rss(),
      peers: reports,
    };
  }

  /** The port of last time if it is free: peers that cannot hear of another one still know it. */
  async #port(): Promise<number> {
    if (this.#request.listenPort !== 0) return this.#request.listenPort;
    const last = this.#identity.store.read(PORT);
    if (typeof last !== 'number') return 0;
    try {
      closeUdpSockets(await (this.#outside ? this.#outside.bindUdp(last) : bindUdpSockets(last)));
      return last;
    } catch {
      return 0;
    }
  }
}
