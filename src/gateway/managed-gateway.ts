/**
 * A gateway that a control plane configures, on any host: the control agent decides what the tunnel is, and this
 * carries it out on the device and tells the agent what was measured.
 */

import type { TunnelConfig } from '../config/tunnel-config.js';
import { ControlAgent } from '../control/agent.js';
import { AgentLoop } from '../control/agent-loop.js';
import { CONTROL_PEER_ID } from '../control/control-peer.js';
import type { Credentials, LinkFactory } from '../control/link.js';
import type { RecordValue } from '../control/shape.js';
import { bytesToHex } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Enrolment } from '../identity/enrolment.js';
import type { GatewayIdentity } from '../identity/gateway-identity.js';
import { type Prefix, parseInterfaceAddress, parsePrefix } from '../packet/address.js';
import type { Clock, Log, Timer } from '../ports.js';
import type { Device } from '../wireguard/device.js';
import type { Peer } from '../wireguard/peer.js';
import { NetworkApplier } from './apply-network.js';
import { type ControlStatus, controlStatus } from './control-status.js';
import { managedConfiguration } from './managed-configuration.js';

const PORT = 'listen-port';
/** Seconds. Peers are mostly behind NATs; the metered profile leaves it off. */
const KEEPALIVE = 25;
/** A heartbeat reports no more peers than the message holds. */
const MOST_REPORTS = 64;

/** What only the host can do to the interface. */
export interface ManagedInterface {
  /** undefined: the usual one. */
  setMtu(mtu: number | undefined): void;
  /** Replaces addresses and routes; whether the way to the control plane's peer is among what could be set. */
  setNetwork(addresses: readonly Prefix[], routes: readonly Prefix[]): boolean;
}

export interface ManagedGatewayOptions {
  readonly identity: GatewayIdentity;
  readonly enrolment: Enrolment;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly links: LinkFactory;
  readonly credentials: Credentials;
  /** Name and version, at most 64 characters. */
  readonly firmware: string;
  /** Bytes in use, if the host can tell. */
  readonly memory: () => number | undefined;
  /** Where peers reach this gateway, when the owner says so. */
  readonly endpoint: string | undefined;
  /** Bytes of the largest message that is taken. */
  readonly mostBytes: number;
  readonly keepWithin?: number;
  /** The control session goes inside the tunnel whenever it can. */
  readonly tunnelFirst?: boolean;
  readonly log: Log;
}

export class ManagedGateway {
  readonly agent: ControlAgent;
  readonly #options: ManagedGatewayOptions;
  readonly #loop: AgentLoop;
  readonly #startedAt: number;
  #applier: NetworkApplier | undefined;
  #interface: ManagedInterface | undefined;
  #mtu: number | undefined;
  #network = '';

  /** Takes up what was kept. Throws what the store throws. */
  constructor(options: ManagedGatewayOptions) {
    this.#options = options;
    const { identity, primitives, clock, log } = options;
    this.#startedAt = clock.monotonic();
    const boot = new Uint8Array(8);
    primitives.random(boot);
    this.agent = new ControlAgent({
      ...options,
      random: () => fraction(primitives),
      store: identity.store,
      keys: identity.keys,
      actions: { changed: () => this.#apply(), facts: () => this.#facts() },
      boot: bytesToHex(boot),
    });
    this.#loop = new AgentLoop(this.agent, clock, options.timer, log);
  }

  /** The UDP port of last time: peers that cannot hear of another one still know it. */
  get lastPort(): number {
    const port = this.#options.identity.store.read(PORT);
    return typeof port === 'number' ? port : 0;
  }

  /** What the interface is made of before the control plane was heard: the last good network, without its peers. */
  configuration(listenPort: number): TunnelConfig {
    return managedConfiguration(this.agent, listenPort);
  }

  /** The tunnel is up: gives it its peers, then looks for the control plane. */
  start(device: Device, port: number, on: ManagedInterface): void {
    const { identity, endpoint, log } = this.#options;
    this.#interface = on;
    this.#mtu = this.agent.configuration.settings.mtu;
    this.#applier = new NetworkApplier(device, log);
    this.#apply();
    if (identity.store.read(PORT) !== port) identity.store.write(PORT, port);
    const seen = `0.0.0.0:${port}`;
    this.agent.setEndpoints(endpoint === undefined ? [seen] : [endpoint, seen]);
    this.#loop.start();
  }

  stop(): void {
    this.#loop.stop('the gateway is stopping');
  }

  status(): ControlStatus {
    // The lamp for data is about sites; the control plane's peer has a lamp of its own.
    const sites = (this.#applier?.peers() ?? []).filter(([id]) => id !== CONTROL_PEER_ID);
    const peers = sites.map(([, peer]) => peer);
    return controlStatus(this.agent, this.#options.enrolment, peers, this.#options.clock.monotonic());
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
    if (this.#interface) this.#applyInterface(this.#interface, settings.mtu);
  }

  #applyInterface(on: ManagedInterface, mtu: number | undefined): void {
    if (mtu !== this.#mtu) {
      this.#mtu = mtu;
      on.setMtu(mtu);
    }
    const { tunnelAddresses, tunnelPrefixes } = this.agent;
    const network = `${tunnelAddresses.join()} ${tunnelPrefixes.join()}`;
    if (network === this.#network) return;
    this.#network = network;
    const done = on.setNetwork(
      tunnelAddresses.map((text) => parseInterfaceAddress(text)!),
      tunnelPrefixes.map((text) => parsePrefix(text)!),
    );
    // Tried again with the next change.
    if (!done) this.#network = '';
    this.agent.setTunnelUsable(done);
  }

  /** Measured facts only. */
  #facts(): RecordValue {
    this.#applier?.review();
    const { clock, firmware, memory } = this.#options;
    const now = clock.monotonic();
    const facts: RecordValue = {
      uptime: Math.round((now - this.#startedAt) / 1000),
      firmware,
      peers: (this.#applier?.peers() ?? []).slice(0, MOST_REPORTS).map(([id, peer]) => report(id, peer, now)),
    };
    const used = memory();
    if (used !== undefined) facts.memory = used;
    return facts;
  }
}

function report(id: string, peer: Peer, now: number): RecordValue {
  const facts: RecordValue = { id, state: peer.state, reason: peer.reason };
  if (peer.lastHandshake > 0) {
    facts.handshake_age = Math.round((now - peer.lastHandshake) / 1000);
    facts.transport = 'udp';
    facts.transport_reason = 'only-transport';
  }
  const { loss } = peer;
  if (loss !== undefined) facts.loss = Math.round(loss * 1000) / 1000;
  if (peer.roundTrip !== undefined) facts.rtt = Math.round(peer.roundTrip * 10) / 10;
  if (peer.rxBytes > 0) facts.rx = peer.rxBytes;
  if (peer.txBytes > 0) facts.tx = peer.txBytes;
  return facts;
}

/** At random from 0 to below 1. */
function fraction(primitives: Primitives): number {
  const bytes = new Uint8Array(4);
  primitives.random(bytes);
  return new DataView(bytes.buffer).getUint32(0) / 0x1_0000_0000;
}
