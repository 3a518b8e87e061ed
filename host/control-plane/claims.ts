/**
 * Claims: what a device shows to become a gateway of a tenant. Good for nothing else; bound to tenant and tags, with
 * a quota and an expiry. A use is counted in the statement that checks it, so a hundred boards that race for one
 * use get one gateway; the same request by name gets the same answer again and costs nothing.
 */

import { createHash, randomBytes } from 'node:crypto';
import { keyFromBase64 } from '../../src/crypto/key-text.js';
import { audit } from './audit.js';
import type { Database, Sql } from './database.js';
import { recordChange } from './gateways.js';
import { Refusal } from './refusal.js';
import { allocateAddress, ensureTenant } from './tenants.js';

export interface NewClaim {
  readonly tenant: string;
  readonly prefix?: string;
  readonly uses: number;
  /** Seconds from now. */
  readonly expires: number;
  readonly tags?: readonly string[];
}

export interface CreatedClaim {
  readonly id: string;
  readonly tenant: string;
  /** Shown this once. */
  readonly token: string;
  readonly uses: number;
  readonly expires: string;
}

export interface Redemption {
  readonly token: string;
  /** Random name of the request: the same name is the same request. */
  readonly request: string;
  readonly identityKey: string;
  readonly publicKey: string;
  readonly device: Readonly<Record<string, string>>;
}

export interface Redeemed {
  readonly gateway: string;
  readonly tenant: string;
  readonly address: string;
  readonly prefix: string;
  /** True when this request had not been seen before. */
  readonly fresh: boolean;
}

const MOST_USES = 1_000_000;
const LONGEST_LIFE = 366 * 86_400;

export async function createClaim(database: Database, claim: NewClaim): Promise<CreatedClaim> {
  const { uses, expires, tags = [] } = claim;
  if (!Number.isInteger(uses) || uses < 1 || uses > MOST_USES) {
    throw new Refusal(400, 'bad_uses', `uses is a number of 1 to ${MOST_USES}`);
  }
  if (!(expires >= 1 && expires <= LONGEST_LIFE)) {
    throw new Refusal(400, 'bad_expiry', 'a claim lives for at least a second and at most a year');
  }
  const { id: tenant } = await ensureTenant(database, claim.tenant, claim.prefix);
  const token = randomBytes(24).toString('base64url');
  const id = `claim-${randomBytes(6).toString('hex')}`;
  const [row] = await database.query<{ expires: Date }>(
    `INSERT INTO claims (id, tenant, digest, uses, expires, tags)
     VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), $6) RETURNING expires`,
    [id, tenant, digestOf(token), uses, expires, tags],
  );
  await audit(database, 'admin', 'claim-created', tenant, id, { uses, expires });
  return { id, tenant, token, uses, expires: row.expires.toISOString() };
}

/** What a claim is worth, for who has it. */
export async function validateClaim(sql: Sql, token: string): Promise<Record<string, unknown>> {
  const [row] = await sql.query<{
    tenant: string;
    uses: number;
    used: number;
    expires: Date;
    valid: boolean;
  }>(
    `SELECT tenant, uses, used, expires, (used < uses AND expires > now() AND NOT revoked) AS valid
     FROM claims WHERE digest = $1`,
    [digestOf(token)],
  );
  if (!row) return { valid: false, error: 'no such claim' };
  const { valid, tenant, uses, used, expires } = row;
  const invite = {
    tenant_id: tenant,
    max_uses: uses,
    used_count: used,
    expires_at: expires,
    scopes: ['enrol'],
  };
  return valid ? { valid, invite } : { valid, error: 'used up or expired' };
}

export async function redeemClaim(database: Database, redemption: Redemption): Promise<Redeemed> {
  check(redemption);
  try {
    return await database.transaction((sql) => redeemIn(sql, redemption));
  } catch (error) {
    // 23505: the same request, or the same device, at the same moment; the winner's answer is ours too.
    if ((error as { code?: string }).code !== '23505') throw error;
    return database.transaction((sql) => redeemIn(sql, redemption));
  }
}

function check({ request, identityKey, publicKey }: Redemption): void {
  if (!/^[0-9a-f]{32}$/.test(request))
    throw new Refusal(400, 'bad_request', 'request is not 16 bytes of hex');
  if (!keyFromBase64(identityKey) || !keyFromBase64(publicKey)) {
    throw new Refusal(400, 'bad_key', 'identity_key and public_key are base64 of 32 bytes');
  }
  if (identityKey === publicKey) throw new Refusal(400, 'bad_key', 'the two keys are one');
}

async function redeemIn(sql: Sql, redemption: Redemption): Promise<Redeemed> {
  const digest = digestOf(redemption.token);
  const again = await findRedeemed(sql, digest, redemption);
  if (again) return again;
  const [claim] = await sql.query<{ id: string; tenant: string; tags: string[] }>(
    `UPDATE claims SET used = used + 1
     WHERE digest = $1 AND used < uses AND expires > now() AND NOT revoked RETURNING id, tenant, tags`,
    [digest],
  );
  if (!claim) throw new Refusal(410, 'claim_refused', 'unknown, used up or expired');
  const gateway = await createGateway(sql, claim.tenant, claim.tags, redemption);
  await sql.query('INSERT INTO redemptions (claim, request, gateway) VALUES ($1, $2, $3)', [
    claim.id,
    redemption.request,
    gateway,
  ]);
  await recordChange(sql, claim.tenant, gateway);
  await audit(sql, gateway, 'enrolled', claim.tenant, gateway, { claim: claim.id });
  const made = await findRedeemed(sql, digest, redemption);
  if (!made) throw new Error('a redemption is not where it was written');
  return { ...made, fresh: true };
}

async function findRedeemed(sql: Sql, digest: string, redemption: Redemption): Promise<Redeemed | undefined> {
  const [row] = await sql.query<Redeemed & { identity_key: string | null }>(
    `SELECT g.id AS gateway, g.tenant, host(g.address) || '/32' AS address, t.prefix::text AS prefix, g.identity_key
     FROM redemptions r JOIN claims c ON c.id = r.claim JOIN gateways g ON g.id = r.gateway
     JOIN tenants t ON t.id = g.tenant
     WHERE c.digest = $1 AND r.request = $2`,
    [digest, redemption.request],
  );
  if (!row) return undefined;
  if (row.identity_key !== redemption.identityKey) {
    throw new Refusal(409, 'request_taken', 'this request was another device’s');
  }
  const { gateway, tenant, address, prefix } = row;
  return { gateway, tenant, address, prefix, fresh: false };
}

async function createGateway(
  sql: Sql,
  tenant: string,
  tags: readonly string[],
  { identityKey, publicKey, device }: Redemption,
): Promise<string> {
  const [known] = await sql.query('SELECT 1 FROM gateways WHERE identity_key = $1', [identityKey]);
  // Whoever knows a public key could otherwise take a gateway over with any claim.
  if (known) {
    throw new Refusal(
      409,
      'device_enrolled',
      'this device is enrolled already; let it leave, or forget it first',
    );
  }
  const id = `gw-${randomBytes(8).toString('hex')}`;
  const address = await allocateAddress(sql, tenant);
  const name = (device.hostname ?? id).slice(0, 64);
  await sql.query(
    `INSERT INTO gateways (id, tenant, name, tags, identity_key, address, public_key, device)
     VALUES ($1, $2, $3, $4, $5, $6::inet, $7, $8)`,
    [id, tenant, name, tags, identityKey, address, publicKey, device],
  );
  return id;
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
