/**
 * The living sessions, and everything that happens between them and the database: greeting, heartbeats, the network's
 * changes, signaling within the tenant, and the alarm when one identity lives twice.
 */

import { METERED_HEARTBEAT } from '../../src/control/commit-confirm.js';
import type { Envelope } from '../../src/control/envelope.js';
import type { RecordValue } from '../../src/control/shape.js';
import type { Log } from '../../src/ports.js';
import { Addresses } from './addresses.js';

import type { ControlTunnel } from './control-tunnel.js';
import type { Database } from './database.js';
import { Endpoints } from './endpoints.js';
import type { ExternalBroker } from './external-broker.js';
import { CLOSE, type GatewaySession, type SessionHandler } from './gateway-session.js';
import type { GatewayRow } from './gateways.js';
import { Holds } from './holds.js';
import { TenantNetwork } from './network.js';
import type { ControlOptions } from './options.js';
import { Rotations } from './rotations.js';
import { SettingsDesk } from './settings-desk.js';
import type { Tokens } from './tokens.js';

/** Seconds; `welcome` tells of no more. */
const LONGEST_HEARTBEAT = 300;
/** A gateway may ask for a snapshot this often, ms. */
const SNAPSHOT_INTERVAL = 2_000;

export class Hub implements SessionHandler {
  readonly rotations: Rotations;
  readonly settings: SettingsDesk;
  readonly addresses: Addresses;
  readonly holds: Holds;
  readonly endpoints: Endpoints;
  /** The control plane as a peer of every gateway's tunnel, where it is one. */
  tunnel: ControlTunnel | undefined;
  /** A broker that is not ours, and has to be told who may come. */
  broker: ExternalBroker | undefined;
  readonly #database: Database;
  readonly #tokens: Tokens;
  readonly #options: ControlOptions;
  readonly #log: Log;
  readonly #sessions = new Map<string, Set<GatewaySession>>();
  /** As last read; dropped when the tenant's network changes. */
  readonly #networks = new Map<string, Promise<TenantNetwork>>();

  constructor(database: Database, tokens: Tokens, options: ControlOptions, log: Log) {
    this.#database = database;
    this.#tokens = tokens;
    this.#options = options;
    this.#log = log;
    this.rotations = new Rotations(database, this, options, log);
    this.settings = new SettingsDesk(database, this, options);
    this.addresses = new Addresses(database, this, options);
    this.holds = new Holds(database, this, options, log);
    this.endpoints = new Endpoints(database, this);
  }

  get sessionCount(): number {
    let count = 0;
    for (const sessions of this.#sessions.values()) count += sessions.size;
    return count;
  }

  /** The gateway's living sessions: one, or for a moment two. */
  sessionsOf(gateway: string): readonly GatewaySession[] {
    return [...(this.#sessions.get(gateway) ?? [])].filter((session) => session.live);
  }

  *sessionsOfTenant(tenant: string): IterableIterator<GatewaySession> {
    for (const sessions of this.#sessions.values()) {
      for (const session of sessions) if (session.live && session.tenant === tenant) yield session;
    }
  }

  *tenants(): IterableIterator<string> {
    const seen = new Set<string>();
    for (const sessions of this.#sessions.values()) for (const { tenant } of sessions) seen.add(tenant);
    yield* seen;
  }

  network(tenant: string): Promise<TenantNetwork> {
    let network = this.#networks.get(tenant);
    if (!network) {
      network = TenantNetwork.read(this.#database, tenant);
      this.#networks.set(tenant, network);
      network.catch(() => this.#networks.delete(tenant));
    }
    return network;
  }

  async gateway(session: GatewaySession): Promise<GatewayRow> {
    const row = (await this.network(session.tenant)).gateways.get(session.gateway);
    if (!row) throw new Error(`gateway ${session.gateway} is not in its tenant`);
    return row;
  }

  /** Something changed in the database that peers need not be told. */
  forget(tenant: string): void {
    this.#networks.delete(tenant);
  }

  /** Something of the tenant's gateways changed in the database: everyone concerned is told. */
  async changed(tenant: string): Promise<void> {
    this.#networks.delete(tenant);
    // First the control plane's own end of the tunnel: a gateway may be about to use what is new.
    await this.tunnel?.follow((await this.network(tenant)).gateways.values());
    for (const session of [...this.sessionsOfTenant(tenant)]) await this.#sync(session);
  }

  /** To every living session of the gateway; false when there is none. */
  tell(gateway: string, type: string, data: RecordValue): boolean {
    const sessions = this.sessionsOf(gateway);
    for (const session of sessions) session.send(type, data);
    return sessions.length > 0;
  }

  add(session: GatewaySession): void {
    const sessions = this.#sessions.get(session.gateway);
    if (sessions) sessions.add(session);
    else this.#sessions.set(session.gateway, new Set([session]));
  }

  closed(session: GatewaySession): void {
    const sessions = this.#sessions.get(session.gateway);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#sessions.delete(session.gateway);
    if (session.boot === undefined) return;
    if (this.sessionsOf(session.gateway).length === 0) this.#hint(session, 'offline');
    const seen = [session.gateway, session.lastHeartbeat || session.openedAt];
    this.#database
      .query('UPDATE gateways SET last_seen = to_timestamp($2::float8 / 1000) WHERE id = $1', seen)
      .catch(() => {});
  }

  /** Tells every gateway to come back, each at its own time within what we can take in again. */
  closeAll(reason: string): void {
    const { comeBackWithin, acceptedPerSecond } = this.#options;
    const spread = Math.max(comeBackWithin, (2 * this.sessionCount) / acceptedPerSecond);
    for (const sessions of this.#sessions.values()) {
      for (const session of sessions) {
        session.send('bye', { reason, retry_after: Math.ceil(Math.random() * spread) });
        session.close(CLOSE.goingAway, reason);
      }
    }
  }

  async message(session: GatewaySession, envelope: Envelope): Promise<void> {
    const { type, data } = envelope;
    switch (type) {
      case 'hello':
        return this.#greet(session, data);
      case 'heartbeat':
        return this.#heartbeat(session, envelope);
      case 'snapshot-request':
        return this.#snapshot(session);
      case 'endpoints':
        return this.endpoints.told(session, data);
      case 'token-refresh':
        return this.#refresh(session);
      case 'key-offer':
        return this.rotations.offered(session, data.rotation as string, data.public_key as string);
      case 'key-result':
        return this.rotations.ended(session, data);
      case 'configuration-result':
        return this.settings.result(session, data);
      case 'ice-candidate':
      case 'sdp-offer':
      case 'sdp-answer':
        return this.#forward(session, envelope);
      case 'bye':
        session.close(1000, 'bye');
        return;
      default:
        // `error`: what a gateway could not take is in its own status, too.
        this.#log.write('info', 'gateway-error', { gateway: session.gateway, code: data.code as string });
    }
  }

  async #greet(session: GatewaySession, data: RecordValue): Promise<void> {
    const boot = data.boot as string;
    const row = await this.gateway(session);
    session.boot = boot;
    session.mostBytes = data.most_bytes as number;
    session.interval = intervalOf(row, this.#options, session.inTunnel);
    session.alive();
    const network = await this.network(session.tenant);
    const { epoch, version } = network.tenant;
    const heartbeat = session.interval;
    const welcome: RecordValue = { session: session.id, epoch, version, heartbeat, time: Date.now() };
    if (this.tunnel) welcome.tunnel = this.tunnel.record(row.id);
    session.send('welcome', welcome);
    session.position = { epoch: data.epoch as string | undefined, version: (data.version as number) ?? -1 };
    if (row.state === 'quarantined') session.send('quarantine', { reason: row.reason ?? 'by an operator' });
    else {
      const reason = row.shutdown ?? 'this gateway is in service';
      session.send('shutdown', { active: row.shutdown !== null, reason });
    }
    await this.#sync(session);
    this.#hint(session, 'online');
    if (row.state === 'active') await this.holds.look(session, row, boot);
    await this.rotations.resume(session);
  }

  async #heartbeat(session: GatewaySession, { id, data }: Envelope): Promise<void> {
    session.interval = intervalOf(await this.gateway(session), this.#options, session.inTunnel);
    session.alive();
    session.lastHeartbeat = Date.now();
    session.facts = { ...session.facts, ...data };
    session.acknowledgedVersion = data.version as number;
    const { version } = (await this.network(session.tenant)).tenant;
    session.send('ack', { of: id ?? '', time: Date.now(), version });
    if (data.tunnel_key !== undefined) await this.rotations.heard(session, data.tunnel_key as string);
    await this.rotations.progress(session.tenant);
    await this.addresses.progress(session.tenant);
    if (data.configuration !== undefined) await this.settings.heard(session, data.configuration as number);
  }

  async #snapshot(session: GatewaySession): Promise<void> {
    const now = Date.now();
    if (now - session.lastSnapshot < SNAPSHOT_INTERVAL) {
      session.send('error', {
        code: 'rate_limit_exceeded',
        message: 'one snapshot at a time',
        retry_after: 2,
      });
      return;
    }
    session.lastSnapshot = now;
    session.position = { epoch: undefined, version: -1 };
    await this.#sync(session);
  }

  /** Sends what the session has not been sent yet. */
  async #sync(session: GatewaySession): Promise<void> {
    const network = await this.network(session.tenant);
    const viewer = network.gateways.get(session.gateway);
    if (!viewer || !session.position) return;
    const { epoch, version } = network.tenant;
    const from = session.position;
    // Claimed before the wait, so that a change meanwhile continues from here.
    session.position = { epoch, version };
    for (const { type, data } of await network.messagesFor(viewer, from, session.mostBytes)) {
      session.send(type, data);
    }
  }

  async #refresh(session: GatewaySession): Promise<void> {
    const row = await this.gateway(session);
    if (row.state === 'revoked' || row.state === 'left') return;
    const token = await this.#tokens.issue(session.gateway, session.tenant);
    const { life } = this.#tokens;
    session.send('token', { token, expires_in: life });
    session.renewed(Math.floor(Date.now() / 1000) + life);
  }

  /** Signaling goes to living gateways of the same tenant, under the name that the token proves. */
  async #forward(session: GatewaySession, { id, type, to, data }: Envelope): Promise<void> {
    const target = to === undefined ? undefined : this.sessionsOf(to)[0];
    const { gateways } = await this.network(session.tenant);
    const both = [session.gateway, to].every((name) => gateways.get(name ?? '')?.state === 'active');
    // The same answer for a gateway of another tenant as for one that does not exist.
    if (!target || target.tenant !== session.tenant || !both) {
      session.refuse(id, 'peer_offline', 'no such peer is here now');
      return;
    }
    if (!target.send(type, data, session.gateway))
      session.refuse(id, 'too_large', 'the peer takes no such message');
  }

  #hint(session: GatewaySession, status: 'online' | 'offline'): void {
    const peers = [{ id: session.gateway, status }];
    for (const other of this.sessionsOfTenant(session.tenant)) {
      if (other.gateway !== session.gateway) other.send('mesh-update', { mesh_id: session.tenant, peers });
    }
  }
}

/**
 * Seconds between the gateway's heartbeats by its settings, those on trial included. Inside the tunnel half as often
 * when none says so: there TCP's own acknowledgements are packets of 140 bytes, and the data budget is the same.
 */
function intervalOf({ settings }: GatewayRow, options: ControlOptions, inTunnel: boolean): number {
  const inItsPlace = (usual: number): number => (inTunnel ? Math.min(LONGEST_HEARTBEAT, 2 * usual) : usual);
  if (settings?.state !== 'pending' && settings?.state !== 'confirmed') return inItsPlace(options.heartbeat);
  const { heartbeat, metered } = settings.settings;
  if (typeof heartbeat === 'number') return heartbeat;
  return inItsPlace(metered === true ? METERED_HEARTBEAT : options.heartbeat);
}
