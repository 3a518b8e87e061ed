/**
 * A tenant's network as messages: the deltas from a version that a gateway has to the present one, or a snapshot in
 * parts that fit the gateway's memory.
 */

import { byteLength } from '../../src/control/envelope.js';
import type { RecordValue } from '../../src/control/shape.js';
import type { Database, Sql } from './database.js';
import { type GatewayRow, listGateways, ownAddresses, peerRecord } from './gateways.js';

export interface Message {
  readonly type: string;
  readonly data: RecordValue;
}

export interface NetworkPosition {
  readonly epoch: string | undefined;
  readonly version: number;
}

interface TenantRow {
  readonly prefix: string;
  readonly epoch: string;
  readonly version: number;
  readonly pair_secret: string;
}

/** From so many missed changes on a snapshot is cheaper. */
const MOST_DELTAS = 64;
/** Room for the envelope and the fields of a snapshot around its peers, bytes. */
const SNAPSHOT_FRAME = 512;
/** `peers` of a snapshot part holds no more. */
const MOST_PEERS = 64;

export class TenantNetwork {
  readonly tenant: TenantRow;
  readonly gateways: ReadonlyMap<string, GatewayRow>;
  readonly #sql: Sql;

  /** Reads the whole of it as it was at one moment. */
  static read(database: Database, tenant: string): Promise<TenantNetwork> {
    return database.transaction(async (sql) => {
      // Changes of the network lock the tenant, so that none comes between the two reads.
      const [row] = await sql.query<TenantRow>(
        'SELECT prefix::text AS prefix, epoch, version, pair_secret FROM tenants WHERE id = $1 FOR SHARE',
        [tenant],
      );
      return new TenantNetwork(database, row, await listGateways(sql, tenant));
    });
  }

  private constructor(sql: Sql, tenant: TenantRow, gateways: readonly GatewayRow[]) {
    this.#sql = sql;
    this.tenant = { ...tenant, version: Number(tenant.version) };
    this.gateways = new Map(gateways.map((gateway) => [gateway.id, gateway]));
  }

  /** What brings a gateway from where it is to the present. Nothing when it is there. */
  async messagesFor(viewer: GatewayRow, from: NetworkPosition, mostBytes: number): Promise<Message[]> {
    const { epoch, version } = this.tenant;
    if (from.epoch === epoch && from.version === version) return [];
    const behind = version - from.version;
    // Only a snapshot tells a gateway its own addresses.
    const moved = viewer.address_version > from.version;
    if (from.epoch === epoch && behind > 0 && behind <= MOST_DELTAS && !moved) {
      const changes = await this.#sql.query<{ version: number; gateway: string }>(
        'SELECT version, gateway FROM changes WHERE tenant = $1 AND version > $2 AND version <= $3 ORDER BY version',
        [viewer.tenant, from.version, version],
      );
      // A snapshot also when the history was cut.
      if (changes.length === behind)
        return changes.map((c) => this.delta(viewer.id, Number(c.version), c.gateway));
    }
    return this.snapshot(viewer, mostBytes);
  }

  /** The change of one version, with what the gateway is now. One about the viewer itself only moves the version. */
  delta(viewer: string, version: number, changed: string): Message {
    const { epoch, pair_secret } = this.tenant;
    const frame = { epoch, base: version - 1, version };
    const other = this.gateways.get(changed);
    const peer = other && peerRecord(viewer, other, pair_secret);
    return peer
      ? { type: 'peer-join', data: { ...frame, peer } }
      : { type: 'peer-leave', data: { ...frame, id: changed } };
  }

  /** All others as this member sees them. */
  peersOf(viewer: string): RecordValue[] {
    const peers: RecordValue[] = [];
    for (const other of this.gateways.values()) {
      const peer = peerRecord(viewer, other, this.tenant.pair_secret);
      if (peer) peers.push(peer);
    }
    return peers;
  }

  snapshot(viewer: GatewayRow, mostBytes: number): Message[] {
    const { epoch, version, prefix } = this.tenant;
    const parts: RecordValue[][] = [[]];
    let room = mostBytes - SNAPSHOT_FRAME;
    for (const peer of viewer.state === 'active' ? this.peersOf(viewer.id) : []) {
      const bytes = byteLength(JSON.stringify(peer)) + 1;
      if (bytes > room || parts[parts.length - 1].length === MOST_PEERS) {
        parts.push([]);
        room = mostBytes - SNAPSHOT_FRAME;
      }
      parts[parts.length - 1].push(peer);
      room -= bytes;
    }
    const own = { address: ownAddresses(viewer), tenant_cidr: [prefix] };
    return parts.map((peers, part) => ({
      type: 'snapshot',
      data: { epoch, version, part, parts: parts.length, ...(part === 0 ? own : {}), peers },
    }));
  }
}
