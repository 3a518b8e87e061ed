/**
 * Moves a gateway to another address of its tenant, make before break: first it has both and its peers know both. When
 * every living peer and the gateway itself have told that they know, and a while has passed, it sends from the new one.
 * Only when it does is the old one taken from all: nothing that was sent from it, or to it, is then on its way.
 */

import { audit } from './audit.js';
import type { Database, Sql } from './database.js';
import { type AddressMove, type GatewayRow, recordChange } from './gateways.js';
import type { Hub } from './hub.js';
import type { ControlOptions } from './options.js';
import { Refusal } from './refusal.js';
import { allocateAddress } from './tenants.js';

/** What a gateway takes at most from hearing of a change to having carried it out, ms. */
const SETTLE = 2_000;

export class Addresses {
  readonly #database: Database;
  readonly #hub: Hub;
  readonly #options: ControlOptions;

  constructor(database: Database, hub: Hub, options: ControlOptions) {
    this.#database = database;
    this.#hub = hub;
    this.#options = options;
  }

  /** The new address: the one named, or the next free one. */
  async move(row: GatewayRow, asked: string | undefined): Promise<string> {
    if (row.state !== 'active') throw new Refusal(409, 'not_active', `gateway ${row.id} is ${row.state}`);
    if (row.previous_address !== null) {
      throw new Refusal(409, 'address_moving', `it still answers to ${row.previous_address}, too`);
    }
    const address = await this.#database.transaction(async (sql) => {
      const version = await this.#change(sql, row);
      const fresh =
        asked === undefined ? await allocateAddress(sql, row.tenant) : await this.#free(sql, row, asked);
      const move: AddressMove = { step: 'both', version, since: Date.now() };
      await sql.query(
        `UPDATE gateways SET previous_address = address, address = $2::inet, address_move = $3 WHERE id = $1`,
        [row.id, fresh, move],
      );
      await audit(sql, 'admin', 'address-moved', row.tenant, row.id, { from: row.address, to: fresh });
      return fresh;
    });
    await this.#hub.changed(row.tenant);
    return address;
  }

  /** Takes old addresses back, one step at a time, where everybody follows. */
  async progress(tenant: string): Promise<void> {
    const { gateways } = await this.#hub.network(tenant);
    for (const row of gateways.values()) {
      const { address_move: move } = row;
      if (!move) continue;
      const wait = move.step === 'both' ? this.#options.addressOverlap * 1000 : SETTLE;
      if (Date.now() - move.since < wait || !this.#followed(row, move)) continue;
      await this.#database.transaction(async (sql) => {
        const version = await this.#change(sql, row);
        const next: AddressMove | null =
          move.step === 'both' ? { step: 'leaving', version, since: Date.now() } : null;
        await sql.query(
          `UPDATE gateways SET address_move = $2,
             previous_address = CASE WHEN $3 THEN NULL ELSE previous_address END
           WHERE id = $1 AND (address_move->>'version')::bigint = $4`,
          [row.id, next, next === null, move.version],
        );
      });
      await this.#hub.changed(tenant);
    }
  }

  /** The gateway has told that it knows this step; of the first its living peers have, too. */
  #followed(row: GatewayRow, move: AddressMove): boolean {
    const sessions = [...this.#hub.sessionsOfTenant(row.tenant)];
    const own = sessions.filter(({ gateway }) => gateway === row.id);
    const asked = move.step === 'both' ? sessions : own;
    return own.length > 0 && asked.every(({ acknowledgedVersion }) => acknowledgedVersion >= move.version);
  }

  async #change(sql: Sql, row: GatewayRow): Promise<number> {
    const version = await recordChange(sql, row.tenant, row.id);
    await sql.query('UPDATE gateways SET address_version = $2 WHERE id = $1', [row.id, version]);
    return version;
  }

  /** The address itself when it is a host's, of the tenant, and nobody's. The tenant is locked by the change. */
  async #free(sql: Sql, row: GatewayRow, asked: string): Promise<string> {
    if (!/^[0-9.]{7,15}$/.test(asked)) throw new Refusal(400, 'bad_address', `${asked} is no IPv4 address`);
    const [free] = await sql
      .query(
        `SELECT 1 FROM tenants t WHERE t.id = $1 AND $2::inet << t.prefix AND $2::inet <> host(network(t.prefix))::inet
           AND $2::inet <> host(broadcast(t.prefix))::inet AND NOT EXISTS (
             SELECT 1 FROM gateways g WHERE g.tenant = t.id AND $2::inet IN (g.address, g.previous_address))`,
        [row.tenant, asked],
      )
      .catch((error) => {
        // 22P02: no text of an address.
        if ((error as { code?: string }).code !== '22P02') throw error;
        return [];
      });
    if (!free) throw new Refusal(409, 'address_taken', `${asked} is not a free address of the tenant`);
    return asked;
  }
}
