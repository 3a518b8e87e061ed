/**
 * The gateway's side of the control link as a whole: session, network, key rotation, settings and what is kept of
 * them, so that the tunnel starts without the control plane. It decides what the tunnel should be; who put it
 * together carries that out.
 */

import type { Primitives } from '../crypto/primitives.js';
import type { Enrolment } from '../identity/enrolment.js';
import type { DeviceKeys } from '../identity/keys.js';
import { KeyRotation } from '../identity/rotation.js';
import type { SealedStore } from '../identity/sealed-store.js';
import type { Clock, Log } from '../ports.js';
import { CommitConfirm, METERED_HEARTBEAT, type Settings } from './commit-confirm.js';
import type { Envelope } from './envelope.js';
import type { Credentials, LinkFactory, Route } from './link.js';
import { NetworkState, type Outcome } from './network-state.js';
import { routesOf } from './routes.js';
import { ControlSession, type SessionTiming } from './session.js';
import type { RecordValue, Value } from './shape.js';

const NETWORK = 'network';
const HOLD = 'hold';
/** Usual value of `keepWithin`: flash wears out. */
const KEEP_WITHIN = 5_000;
/** Every so many heartbeats, and when something has changed, all facts are told; the data budget is small. */
const FULL_EVERY = 10;
/** A second snapshot is asked for only after this many ms. */
const SNAPSHOT_PATIENCE = 10_000;

/** Why site traffic is held back, though the control session lives. */
export interface Hold {
  readonly kind: 'shutdown' | 'quarantine';
  readonly reason: string;
}

export interface AgentActions {
  /** The network, the hold, the keys or the settings are others: bring the tunnel in line. Throws RangeError to refuse. */
  changed(): void;
  /** Facts for a heartbeat that only the tunnel's owner can measure: `uptime`, `firmware`, `peers`, perhaps `memory`. */
  facts(): RecordValue;
  /** A message for the transports: signaling, `relay-rebalance`. */
  signal?(envelope: Envelope): void;
  serverTime?(time: number, uncertainty: number): void;
}

export interface AgentOptions {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly random: () => number;
  readonly store: SealedStore;
  readonly keys: DeviceKeys;
  readonly enrolment: Enrolment;
  readonly credentials: Credentials;
  readonly links: LinkFactory;
  readonly actions: AgentActions;
  readonly firmware: string;
  /** Random name of this start. */
  readonly boot: string;
  readonly mostBytes?: number;
  readonly timing?: Partial<SessionTiming>;
  /** A change of the network is stored this many ms later at the latest; sooner if a heartbeat tells of it. */
  readonly keepWithin?: number;
  readonly log?: Log;
}

export class ControlAgent {
  readonly session: ControlSession;
  readonly network = new NetworkState();
  readonly rotation: KeyRotation;
  readonly configuration: CommitConfirm;
  /** The last error the server told of. */
  lastError: string | undefined;
  readonly #options: AgentOptions;
  #hold: Hold | undefined;
  #keepAt = Number.POSITIVE_INFINITY;
  #snapshotAskedAt = Number.NEGATIVE_INFINITY;
  #endpoints: readonly string[] = [];
  /** Heartbeats until all facts are told again, and what they said last. */
  #briefLeft = 0;
  #told = '';

  /** Takes up what was kept. Throws what the store throws. */
  constructor(options: AgentOptions) {
    this.#options = options;
    const { clock, store, log, enrolment } = options;
    this.rotation = new KeyRotation({ ...options });
    this.rotation.onChange = () => options.actions.changed();
    this.configuration = new CommitConfirm({
      clock,
      store,
      log,
      apply: (settings) => this.#applySettings(settings),
      report: (report) => this.session.send('configuration-result', { ...report } as unknown as RecordValue),
    });
    const kept = store.read(NETWORK) as RecordValue | undefined;
    if (kept && this.network.apply('snapshot', kept).kind !== 'applied') {
      log?.write('error', 'record-damaged', { name: NETWORK });
    }
    this.#hold = store.read(HOLD) as Hold | undefined;
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
        live: () => {
          this.#briefLeft = 0;
          this.#tellEndpoints();
        },
        acknowledged: (facts) => this.#acknowledged(facts),
        serverTime: (time, uncertainty) => options.actions.serverTime?.(time, uncertainty),
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
    return this.#hold;
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
    this.#keep();
  }

  nextDeadline(): number {
    return Math.min(
      this.session.nextDeadline(),
      this.rotation.nextDeadline(),
      this.configuration.nextDeadline(),
      this.#keepAt,
    );
  }

  advance(): void {
    this.rotation.advance();
    this.configuration.advance();
    if (this.#options.clock.monotonic() >= this.#keepAt) this.#keep();
    this.session.advance();
  }

  #routes(): readonly Route[] {
    return routesOf(this.#options.enrolment.endpoints, this.configuration.settings.control);
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
    this.#keep();
    const facts = this.#options.actions.facts();
    const { version } = this.network;
    const { rotation, configuration } = this;
    const now = `${rotation.phase} ${rotation.usingPublic} ${configuration.revision} ${statesOf(facts)}`;
    const undecided = rotation.phase === 'offered' || rotation.phase === 'switched' || configuration.onTrial;
    if (this.#briefLeft > 0 && now === this.#told && !undecided) {
      this.#briefLeft--;
      return { uptime: facts.uptime, version };
    }
    this.#briefLeft = FULL_EVERY - 1;
    this.#told = now;
    const { refused, unsent } = this.session.counters;
    return {
      ...facts,
      version,
      tunnel_key: rotation.usingPublic,
      configuration: configuration.revision,
      dropped: refused + unsent,
    };
  }

  #acknowledged(facts: RecordValue): void {
    const rotation = this.rotation.rotation;
    const key = facts.tunnel_key as string | undefined;
    const result = key === undefined ? undefined : this.rotation.acknowledged(key);
    if (result && rotation !== undefined) this.session.send('key-result', { rotation, result });
    // Settings that name other endpoints are proven by a heartbeat over one of those, not over the way back.
    const { control } = this.configuration.settings;
    const proven = control === undefined || control.includes(this.session.route?.url ?? '');
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
        this.#keepAt = Math.min(this.#keepAt, this.#options.clock.monotonic() + this.#keepWithin);
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
    if (hold?.kind === this.#hold?.kind && hold?.reason === this.#hold?.reason) return;
    if (hold) this.#options.store.write(HOLD, hold);
    else this.#options.store.delete(HOLD);
    this.#hold = hold;
    this.#options.log?.write('warn', hold ? `${hold.kind}-begun` : 'hold-ended', { reason: hold?.reason });
    this.#options.actions.changed();
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

  get #keepWithin(): number {
    return this.#options.keepWithin ?? KEEP_WITHIN;
  }

  /** Seconds. */
  #interval({ heartbeat, metered }: Settings): number {
    return heartbeat ?? (metered ? METERED_HEARTBEAT : this.session.timing.heartbeat / 1000);
  }

  #keep(): void {
    if (this.#keepAt === Number.POSITIVE_INFINITY) return;
    this.#options.store.write(NETWORK, this.network.toRecord() as Value);
    this.#keepAt = Number.POSITIVE_INFINITY;
  }
}

/** What of the peers is worth telling at once: their states, not their counters. */
function statesOf({ peers }: RecordValue): string {
  return ((peers ?? []) as RecordValue[]).map(({ id, state, reason }) => `${id} ${state} ${reason}`).join();
}

function sameRoutes(a: readonly Route[], b: readonly Route[]): boolean {
  return a.length === b.length && a.every((route, i) => route.url === b[i].url && route.kind === b[i].kind);
}
