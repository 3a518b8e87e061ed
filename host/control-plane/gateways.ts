/** Gateways as the database knows them, and the history of a tenant's network that they follow. */

import { createHmac } from 'node:crypto';
import type { RecordValue } from '../../src/control/shape.js';
import type { Sql } from './database.js';

export type GatewayState = 'active' | 'quarantined' | 'revoked' | 'left';

/** Where a change of a gateway's key stands. */
export interface RotationRow {
  readonly id: string;
  /** `asked` for a key; `distributed` to the peers as of `version`; `switching` to it. */
  readonly phase: 'asked' | 'distributed' | 'switching';
  readonly version: number;
}

export interface SettingsRow {
  readonly revision: number;
  readonly settings: RecordValue;
  readonly confirmWithin: number;
  readonly state: 'pending' | 'confirmed' | 'reverted' | 'refused';
  readonly reason?: string;
}

/** A gateway on its way to another address. */
export interface AddressMove {
  /** In both steps it has both addresses, and its peers know both. It sends from the old one, and then from the new one. */
  readonly step: 'both' | 'leaving';
  /** As of this version, and since when (ms since 1970). */
  readonly version: number;
  readonly since: number;
}

export interface GatewayRow {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly state: GatewayState;
  readonly reason: string | null;
  readonly identity_key: string | null;
  readonly address: string;
  /** The one before, still answered to. */
  readonly previous_address: string | null;
  readonly address_move: AddressMove | null;
  /** Version at which its own addresses changed last. */
  readonly address_version: number;
  /** Why an operator has stopped its site traffic. */
  readonly shutdown: string | null;
  readonly public_key: string;
  readonly next_public_key: string | null;
  readonly previous_public_key: string | null;
  readonly key_since: Date;
  readonly rotation: RotationRow | null;
  readonly endpoint: string | null;
  readonly boots: readonly string[];
  readonly settings: SettingsRow | null;
  readonly last_seen: Date | null;
}

const COLUMNS = `id, tenant, name, state, reason, identity_key, host(address) AS address,
  host(previous_address) AS previous_address, address_move, address_version::integer AS address_version, shutdown,
  public_key, next_public_key, previous_public_key, key_since, rotation, endpoint, boots, settings, last_seen`;

export async function findGateway(sql: Sql, id: string): Promise<GatewayRow | undefined> {
  return (await sql.query<GatewayRow>(`SELECT ${COLUMNS} FROM gateways WHERE id = $1`, [id]))[0];
}

export function listGateways(sql: Sql, tenant: string): Promise<GatewayRow[]> {
  return sql.query<GatewayRow>(`SELECT ${COLUMNS} FROM gateways WHERE tenant = $1 ORDER BY address`, [
    tenant,
  ]);
}

export function listAllGateways(sql: Sql): Promise<GatewayRow[]> {
  return sql.query<GatewayRow>(`SELECT ${COLUMNS} FROM gateways ORDER BY id`);
}

/** The next version of the tenant's network: it is about this gateway. In the transaction that changes the gateway. */
export async function recordChange(sql: Sql, tenant: string, gateway: string): Promise<number> {
  const [{ version }] = await sql.query<{ version: number }>(
    'UPDATE tenants SET version = version + 1 WHERE id = $1 RETURNING version',
    [tenant],
  );
  await sql.query('INSERT INTO changes (tenant, version, gateway) VALUES ($1, $2, $3)', [
    tenant,
    version,
    gateway,
  ]);
  return Number(version);
}

/** How `viewer` sees another gateway as a peer; undefined when it does not. */
export function peerRecord(viewer: string, other: GatewayRow, pairSecret: string): RecordValue | undefined {
  if (other.state !== 'active' || other.id === viewer) return undefined;
  const record: RecordValue = {
    id: other.id,
    public_key: other.public_key,
    preshared_key: pairKey(pairSecret, viewer, other.id),
    allowed_ips: addressesOf(other),
  };
  if (other.next_public_key !== null) record.next_public_key = other.next_public_key;
  if (other.endpoint !== null) record.endpoint = other.endpoint;
  return record;
}

/** Those the gateway has, as prefixes; it sends from the first. */
export function ownAddresses(row: GatewayRow): string[] {
  const addresses = addressesOf(row);
  return row.address_move?.step === 'both' ? addresses.reverse() : addresses;
}

/** As prefixes, the present address first. */
export function addressesOf({ address, previous_address }: GatewayRow): string[] {
  return [address, ...(previous_address === null ? [] : [previous_address])].map((one) => `${one}/32`);
}

/** A key of 32 bytes (base64) for two gateways and nobody else, the same whichever asks. */
function pairKey(secret: string, a: string, b: string): string {
  const [first, second] = [a, b].sort();
  const hmac = createHmac('sha256', Buffer.from(secret, 'base64'));
  return hmac.update(`preshared key of ${first} and ${second}`).digest('base64');
}
