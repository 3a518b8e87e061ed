/**
 * The gateway's side of the control link as a whole: session, network, key rotation, settings and what is kept of
 * them, so that the tunnel starts without the control plane. It decides what the tunnel should be; who put it
 * together carries that out.
 */

import { KeyRotation } from '../identity/rotation.js';
import type { AgentOptions, Hold } from './agent-options.js';
import { CommitConfirm, METERED_HEARTBEAT, type Settings } from './commit-confirm.js';
import { ControlPeer } from './control-peer.js';
import type { Envelope } from './envelope.js';
import { HeartbeatFacts } from './heartbeat-facts.js';
import type { Route } from './link.js';
import { NetworkKeeper } from './network-keeper.js';
import { NETWORK_LIMITS, type NetworkPeer, NetworkState, type Outcome } from './network-state.js';
import { isNamed, routesOf, sameRoutes } from './routes.js';
import { ControlSession } from './session.js';
import type { RecordValue } from './shape.js';
import { SiteHold } from './site-hold.js';
import { addressesOf, peersOf, prefixesOf } from './tunnel-plan.js';

/** A second snapshot is asked for only after this many ms. */
const SNAPSHOT_PATIENCE = 10_000;

export class ControlAgent {
  readonly session: ControlSession;
  readonly network: NetworkState;
  readonly rotation: KeyRotation;
  readonly configuration: CommitConfirm;
  /** The control plane as a peer of the tunnel, if it is one. */
  readonly controlPeer: ControlPeer;
  /** The last error the server told of. */
  lastError: string | undefined;
  /** How far the server's clock was ahead of ours at the last acknowledgement, ms. Told to the owner, never followed. */
  clockSkew: number | undefined;
  readonly #options: AgentOptions;
  readonly #hold: SiteHold;
  readonly #keeper: NetworkKeeper;
  #snapshotAskedAt = Number.NEGATIVE_INFINITY;
  #endpoints: readonly string[] = [];
  readonly #facts = new HeartbeatFacts();
  /** The host says that TCP gets through the tunnel. */
  #tunnelUsable = false;

  /** Takes up what was kept. Throws what the store throws. */
  constructor(options: AgentOptions) {
    this.#options = options;
    const { clock, store, log, enrolment } = options;
    this.network = new NetworkState(NETWORK_LIMITS, enrolment);
    this.controlPeer = new ControlPeer(store, enrolment.tunnel, log);
    this.rotation = new KeyRotation({ ...options });
    this.rotation.onChange = () => options.actions.changed();
    this.configuration = new CommitConfirm({
      clock,
      store,
      log,
      apply: (settings) => this.#applySettings(settings),
      report: (report) => this.session.send('configuration-result', { ...report } as unknown as RecordValue),
    });
    this.#keeper = new NetworkKeeper(this.network, { ...options, within: options.keepWithin });
    this.#hold = new SiteHold(store, log);
    this.session = new ControlSession({
      clock,
      random: options.random,
      routes: this.#routes(),
      links: options.links,
      credentials: options.credentials,
      handlers: {
        hello: () => this.#hello(),
        heartbeat: () => this.#heartbeat(),
        message: (envelope) => this.#message(envelope),
        live: (welcome) => {
          this.#facts.reset();
          this.configuration.resume();
          this.#takeControlPeer(welcome.tunnel as RecordValue | undefined);
          this.#tellEndpoints();
        },
        acknowledged: (facts) => this.#acknowledged(facts),
        serverTime: (time, uncertainty) => {
          this.clockSkew = time - clock.wall();
          options.actions.serverTime?.(time, uncertainty);
        },
      },
      log,
      timing: options.timing,
      mostBytes: options.mostBytes,
    });
    this.session.setHeartbeat(this.#interval(this.configuration.settings));
    log?.write('info', 'control', { gateway: enrolment.gateway, tenant: enrolment.tenant });
  }

  /** Why site traffic is held back; undefined while it flows. */
  get hold(): Hold | undefined {
    return this.#hold.reason;
  }

  /** The peers that the tunnel should have now, the control plane's among them: it stays also while traffic is held. */
  get tunnelPeers(): readonly NetworkPeer[] {
    return peersOf(this.#hold.reason ? [] : this.network.peers.values(), this.controlPeer);
  }

  /** The addresses that the tunnel's interface should have. */
  get tunnelAddresses(): readonly string[] {
    return addressesOf(this.#options.enrolment, this.network, this.controlPeer);
  }

  /** The prefixes that should be routed into the tunnel. */
  get tunnelPrefixes(): readonly string[] {
    return prefixesOf(this.#options.enrolment, this.network, this.controlPeer);
  }

  /** Whether address and route towards the control plane's peer are in place, so that a link may go through the tunnel. */
  setTunnelUsable(usable: boolean): void {
    if (usable === this.#tunnelUsable) return;
    this.#tunnelUsable = usable;
    this.#routesChanged();
  }

  /** Where peers can reach this gateway, best first; `0.0.0.0:port` is "where the server sees me". */
  setEndpoints(endpoints: readonly string[]): void {
    if (endpoints.join() === this.#endpoints.join()) return;
    this.#endpoints = [...endpoints];
    if (this.session.state === 'live') this.#tellEndpoints();
  }

  start(): void {
    this.session.start();
  }

  stop(reason: string): void {
    this.session.stop(reason);
    this.#keeper.keep();
  }

  nextDeadline(): number {
    return Math.min(
      this.session.nextDeadline(),
      this.rotation.nextDeadline(),
      this.configuration.nextDeadline(),
      this.#keeper.nextDeadline(),
    );
  }

  advance(): void {
    this.rotation.advance();
    this.configuration.advance();
    this.#keeper.advance();
    this.session.advance();
  }

  #routes(): readonly Route[] {
    const { enrolment, tunnelFirst } = this.#options;
    return routesOf(enrolment.endpoints, this.configuration.settings.control, {
      route: this.#tunnelUsable ? this.controlPeer.route : undefined,
      first: tunnelFirst ?? false,
    });
  }

  /** A living session goes on over a route that is still there; a better one is taken when it is its turn. */
  #routesChanged(): void {
    const routes = this.#routes();
    if (!sameRoutes(routes, this.session.routes)) this.session.setRoutes(routes, true);
  }

  #takeControlPeer(record: RecordValue | undefined): void {
    if (!this.controlPeer.take(record)) return;
    this.#options.actions.changed();
    this.#routesChanged();
  }

  #tellEndpoints(): void {
    if (this.#endpoints.length > 0) this.session.send('endpoints', { endpoints: [...this.#endpoints] });
  }

  #hello(): RecordValue {
    const { firmware, boot } = this.#options;
    const { epoch, version } = this.network;
    return epoch === undefined ? { firmware, boot } : { firmware, boot, epoch, version };
  }

  /** What it says about this gateway is on flash before it is said: the server acts on it. */
  #heartbeat(): RecordValue {
    this.#keeper.keep();
    const { rotation, configuration } = this;
    const { refused, unsent } = this.session.counters;
    const undecided = rotation.phase === 'offered' || rotation.phase === 'switched' || configuration.onTrial;
    return this.#facts.next(this.#options.actions.facts(), undecided, rotation.phase, {
      version: this.network.version,
      tunnel_key: rotation.usingPublic,
      configuration: configuration.revision,
      dropped: refused + unsent,
    });
  }

  #acknowledged(facts: RecordValue): void {
    const rotation = this.rotation.rotation;
    const key = facts.tunnel_key as string | undefined;
    const result = key === undefined ? undefined : this.rotation.acknowledged(key);
    if (result && rotation !== undefined) this.session.send('key-result', { rotation, result });
    // Settings that name other endpoints are proven by a heartbeat over one of those, not over the way back.
    const { control } = this.configuration.settings;
    const proven = control === undefined || isNamed(this.session.route, control);
    this.configuration.acknowledged((proven && (facts.configuration as number | undefined)) || -1);
  }

  #message(envelope: Envelope): void {
    const { type, data } = envelope;
    switch (type) {
      case 'snapshot':
      case 'peer-join':
      case 'peer-leave':
      case 'mesh-update':
        this.#note(type, this.network.apply(type, data));
        return;
      case 'key-rotation':
        this.#rotate(data);
        return;
      case 'key-switch':
        this.#switch(data);
        return;
      case 'configuration':
        this.configuration.propose(data);
        if (this.configuration.onTrial) this.session.beatSoon();
        return;
      case 'shutdown':
        this.#setHold(data.active ? { kind: 'shutdown', reason: data.reason as string } : undefined);
        return;
      case 'quarantine':
        this.#setHold({ kind: 'quarantine', reason: data.reason as string });
        return;
      case 'error':
        this.lastError = `${data.code as string}: ${data.message as string}`;
        this.#options.log?.write('warn', 'control-error', { code: data.code as string });
        return;
      default:
        this.#options.actions.signal?.(envelope);
    }
  }

  /** Acts on what became of a network message. */
  #note(type: string, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'applied':
        if (type === 'mesh-update') return;
        this.#keeper.changed();
        if (type === 'snapshot') this.#snapshotAskedAt = Number.NEGATIVE_INFINITY;
        this.#options.actions.changed();
        return;
      case 'gap':
      case 'epoch':
        this.#askSnapshot(outcome.kind);
        return;
      case 'refused':
        this.session.refuse(`${type}: ${outcome.reason}`);
    }
  }

  #askSnapshot(reason: 'gap' | 'epoch'): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#snapshotAskedAt < SNAPSHOT_PATIENCE) return;
    this.#snapshotAskedAt = now;
    this.session.send('snapshot-request', { reason });
  }

  #rotate(data: RecordValue): void {
    const rotation = data.rotation as string;
    const offered = this.rotation.begin(rotation, data.overlap as number);
    if (offered !== undefined) this.session.send('key-offer', { rotation, public_key: offered });
    else this.#refuseRotation(rotation, 'an earlier rotation is undecided');
  }

  #switch(data: RecordValue): void {
    const rotation = data.rotation as string;
    if (this.rotation.switch(rotation, data.confirm_within as number)) this.session.beatSoon();
    else this.#refuseRotation(rotation, 'no such rotation is under way');
  }

  #refuseRotation(rotation: string, reason: string): void {
    this.session.send('key-result', { rotation, result: 'refused', reason });
  }

  #setHold(hold: Hold | undefined): void {
    if (this.#hold.set(hold)) this.#options.actions.changed();
  }

  #applySettings(settings: Settings): void {
    // At boot the tunnel is not there yet; it asks for the settings when it is.
    if (!this.session) return;
    this.session.setHeartbeat(this.#interval(settings));
    const routes = this.#routes();
    if (!sameRoutes(routes, this.session.routes)) {
      this.session.setRoutes(routes);
      // Only a session over the new route proves it.
      this.session.reconnect('other control endpoints');
    }
    this.#options.actions.changed();
  }

  /** Seconds. */
  #interval({ heartbeat, metered }: Settings): number {
    return heartbeat ?? (metered ? METERED_HEARTBEAT : this.session.timing.heartbeat / 1000);
  }
}
