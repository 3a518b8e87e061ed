/** Tenants and their address blocks. Nothing of one is ever visible to, or reachable from, another. */

import { createHash, randomBytes } from 'node:crypto';
import { audit } from './audit.js';
import type { Database, Sql } from './database.js';
import { Refusal } from './refusal.js';

export const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

export interface Tenant {
  readonly id: string;
  readonly prefix: string;
  readonly epoch: string;
  readonly version: number;
}

/** Blocks tried before giving up; each miss is a hash's collision with a tenant that is there. */
const TRIES = 256;

/** The tenant, made if new: a /24 of 10.0.0.0/8 chosen by its name, or the prefix that was asked for. */
export async function ensureTenant(database: Database, id: string, prefix?: string): Promise<Tenant> {
  if (!NAME.test(id)) {
    throw new Refusal(
      400,
      'bad_tenant',
      'a tenant’s name has 1 to 40 letters, digits and hyphens, in lower case',
    );
  }
  const known = await findTenant(database, id);
  if (known) return known;
  for (let salt = 0; salt < TRIES; salt++) {
    const block = prefix ?? blockOf(id, salt);
    // Whoever else makes it, or takes the block, first wins; we look again.
    const made = await insert(database, id, block);
    if (made) await audit(database, 'admin', 'tenant-created', id, id, { prefix: block });
    const tenant = await findTenant(database, id);
    if (tenant) return tenant;
    if (prefix !== undefined) {
      throw new Refusal(409, 'prefix_taken', `${prefix} overlaps with another tenant’s block`);
    }
  }
  throw new Refusal(409, 'no_prefix', 'no address block is free; name one with --prefix');
}

export async function findTenant(sql: Sql, id: string): Promise<Tenant | undefined> {
  const text = 'SELECT id, prefix::text AS prefix, epoch, version FROM tenants WHERE id = $1';
  return (await sql.query<Tenant>(text, [id]))[0];
}

async function insert(database: Database, id: string, prefix: string): Promise<boolean> {
  try {
    const rows = await database.query(
      `INSERT INTO tenants (id, prefix, epoch, pair_secret) VALUES ($1, $2::cidr, $3, $4)
       ON CONFLICT DO NOTHING RETURNING id`,
      [id, prefix, randomBytes(8).toString('hex'), randomBytes(32).toString('base64')],
    );
    return rows.length > 0;
  } catch (error) {
    const { code } = error as { code?: string };
    // 22P02: no text of a prefix.
    if (code === '22P02') throw new Refusal(400, 'bad_prefix', `${prefix} is no address block`);
    throw error;
  }
}

function blockOf(tenant: string, salt: number): string {
  const digest = createHash('sha256').update(`${tenant}\0${salt}`).digest();
  return `10.${digest[0]}.${digest[1]}.0/24`;
}

/** The next address of a tenant. To be called in a transaction: it locks the tenant. */
export async function allocateAddress(sql: Sql, tenant: string): Promise<string> {
  const [fresh] = await sql.query<{ address: string }>(
    `UPDATE tenants SET next_host = next_host + 1
     WHERE id = $1 AND next_host < (broadcast(prefix) - network(prefix))
     RETURNING host(network(prefix) + (next_host - 1)) AS address`,
    [tenant],
  );
  if (fresh) return fresh.address;
  const [freed] = await sql.query<{ address: string }>(
    `SELECT host(network(t.prefix) + n) AS address
     FROM tenants t, generate_series(1, (broadcast(t.prefix) - network(t.prefix) - 1)::integer) n
     WHERE t.id = $1 AND NOT EXISTS (
       SELECT 1 FROM gateways g WHERE g.tenant = t.id
         AND host(network(t.prefix) + n)::inet IN (g.address, g.previous_address)
     ) ORDER BY n LIMIT 1`,
    [tenant],
  );
  if (!freed) throw new Refusal(409, 'no_address', 'the tenant has no address left');
  return freed.address;
}
