/**
 * Clients: stock WireGuard programs (a phone, a router) as members of a tenant. They have an address and a key, and
 * every gateway knows them; they have no control session, so nothing of theirs changes by itself.
 */

import { randomBytes } from 'node:crypto';
import type { RecordValue } from '../../src/control/shape.js';
import { keyFromBase64 } from '../../src/crypto/key-text.js';
import { audit } from './audit.js';
import type { Database } from './database.js';
import { recordChange } from './gateways.js';
import { TenantNetwork } from './network.js';
import { Refusal } from './refusal.js';
import { allocateAddress, findTenant } from './tenants.js';

export interface Client {
  readonly id: string;
  readonly address: string;
  /** What its configuration needs of each gateway; with preshared keys, so shown this once. */
  readonly peers: readonly RecordValue[];
}

/** The client's private key never comes here. */
export async function addClient(
  database: Database,
  tenant: string,
  name: string,
  publicKey: string,
): Promise<Client> {
  if (!keyFromBase64(publicKey)) throw new Refusal(400, 'bad_key', 'public_key is base64 of 32 bytes');
  if (!(await findTenant(database, tenant))) throw new Refusal(404, 'no_tenant', 'no such tenant');
  const id = `client-${randomBytes(8).toString('hex')}`;
  const address = await database.transaction(async (sql) => {
    // Locks the tenant before the keys are looked at.
    await recordChange(sql, tenant, id);
    const [taken] = await sql.query(
      'SELECT 1 FROM gateways WHERE tenant = $1 AND $2 IN (public_key, next_public_key)',
      [tenant, publicKey],
    );
    if (taken) throw new Refusal(409, 'key_taken', 'another member of the tenant has this key');
    const fresh = await allocateAddress(sql, tenant);
    await sql.query(
      'INSERT INTO gateways (id, tenant, name, address, public_key) VALUES ($1, $2, $3, $4::inet, $5)',
      [id, tenant, name, fresh, publicKey],
    );
    await audit(sql, 'admin', 'client-added', tenant, id);
    return fresh;
  });
  return { id, address, peers: (await TenantNetwork.read(database, tenant)).peersOf(id) };
}
