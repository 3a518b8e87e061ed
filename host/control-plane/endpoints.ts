/** Where peers reach each gateway. */

import type { RecordValue } from '../../src/control/shape.js';
import { parseEndpoint } from '../../src/packet/endpoint-text.js';
import type { Database } from './database.js';
import type { GatewaySession } from './gateway-session.js';
import { recordChange } from './gateways.js';
import type { Hub } from './hub.js';

/** "Any address of mine", before a port. */
const ANYWHERE = /^(0\.0\.0\.0|\[::\])(?=:\d+$)/;

export class Endpoints {
  readonly #database: Database;
  readonly #hub: Hub;

  constructor(database: Database, hub: Hub) {
    this.#database = database;
    this.#hub = hub;
  }

  /**
   * Where peers reach the gateway: the first it names, with the address it is seen from in the place of "any". Who
   * speaks inside the tunnel is seen by WireGuard, with the port that its NAT gave it.
   */
  async told(session: GatewaySession, data: RecordValue): Promise<void> {
    const [first] = data.endpoints as string[];
    const row = await this.#hub.gateway(session);
    const seen = session.remoteAddress === '' ? await this.#hub.tunnel?.seenAt(row) : undefined;
    if (session.remoteAddress === '' && seen === undefined && ANYWHERE.test(first ?? '')) return;
    const endpoint =
      first === undefined
        ? null
        : ANYWHERE.test(first)
          ? (seen ?? first.replace(ANYWHERE, hostText(session.remoteAddress)))
          : first;
    if (endpoint !== null && parseEndpoint(endpoint).kind === 'error') {
      session.refuse(undefined, 'bad_data', 'endpoints: the first is no endpoint');
      return;
    }
    if (row.endpoint === endpoint) return;
    await this.#database.transaction(async (sql) => {
      await sql.query('UPDATE gateways SET endpoint = $2 WHERE id = $1', [row.id, endpoint]);
      await recordChange(sql, row.tenant, row.id);
    });
    await this.#hub.changed(row.tenant);
  }
}

function hostText(address: string): string {
  const v4 = address.replace(/^::ffff:(?=\d+\.)/, '');
  return v4.includes(':') ? `[${v4}]` : v4;
}
