/** What holds a gateway back: a second device with its identity (found by the names of their starts), or an operator. */

import type { Log } from '../../src/ports.js';
import { audit } from './audit.js';
import type { Database } from './database.js';
import { CLOSE, type GatewaySession } from './gateway-session.js';
import { type GatewayRow, recordChange } from './gateways.js';
import type { Hub } from './hub.js';
import type { ControlOptions } from './options.js';

/** Names of starts that are remembered: one that comes back after another belongs to a second device. */
const BOOTS_KEPT = 8;

export class Holds {
  readonly #database: Database;
  readonly #hub: Hub;
  readonly #options: ControlOptions;
  readonly #log: Log;

  constructor(database: Database, hub: Hub, options: ControlOptions, log: Log) {
    this.#database = database;
    this.#hub = hub;
    this.#options = options;
    this.#log = log;
  }

  /**
   * One identity, two lives: the name of a start that comes back after another one, or another start while the one
   * before is still answering.
   */
  async look(session: GatewaySession, row: GatewayRow, boot: string): Promise<void> {
    const at = row.boots.indexOf(boot);
    if (at > 0) {
      await this.quarantine(
        row.tenant,
        row.id,
        'control-plane',
        'two devices have this identity: starts alternate',
      );
      return;
    }
    if (at < 0) {
      const boots = [boot, ...row.boots].slice(0, BOOTS_KEPT);
      await this.#database.query('UPDATE gateways SET boots = $2 WHERE id = $1', [row.id, boots]);
      this.#hub.forget(row.tenant);
    }
    const now = Date.now();
    for (const other of this.#hub.sessionsOf(session.gateway)) {
      if (other === session) continue;
      // The same start on a new connection: the old one is dead and does not know it.
      if (other.boot === boot) other.close(CLOSE.goingAway, 'another connection took over');
      else {
        other.send('ping', {});
        const judge = (): void => {
          this.#judge(other, session, now).catch((error) => {
            this.#log.write('error', 'quarantine-failed', { gateway: row.id, reason: String(error) });
          });
        };
        setTimeout(judge, this.#options.cloneWindow).unref();
      }
    }
  }

  async #judge(older: GatewaySession, younger: GatewaySession, asked: number): Promise<void> {
    if (!older.live) return;
    if (older.lastHeartbeat <= asked) {
      older.close(CLOSE.goingAway, 'the gateway has started anew');
      return;
    }
    if (!younger.live) return;
    const row = await this.#hub.gateway(older);
    if (row.state !== 'active') return;
    const reason = 'two devices have this identity: both answer at once';
    await this.quarantine(row.tenant, row.id, 'control-plane', reason);
  }

  /** Withdraws a gateway from all of its peers until an operator decides. */
  async quarantine(tenant: string, gateway: string, actor: string, reason: string): Promise<void> {
    await this.#database.transaction(async (sql) => {
      await sql.query(`UPDATE gateways SET state = 'quarantined', reason = $2 WHERE id = $1`, [
        gateway,
        reason,
      ]);
      await recordChange(sql, tenant, gateway);
      await audit(sql, actor, 'quarantined', tenant, gateway, { reason });
    });
    this.#log.write('error', 'gateway-quarantined', { tenant, gateway, reason });
    this.#hub.tell(gateway, 'quarantine', { reason });
    await this.#hub.changed(tenant);
  }

  /** Stops a gateway's site traffic, or lets it flow again (`reason` null). */
  async shutdown(row: GatewayRow, reason: string | null): Promise<void> {
    await this.#database.query('UPDATE gateways SET shutdown = $2 WHERE id = $1', [row.id, reason]);
    await audit(this.#database, 'admin', reason === null ? 'resumed' : 'shut-down', row.tenant, row.id, {
      reason,
    });
    this.#hub.forget(row.tenant);
    this.#hub.tell(row.id, 'shutdown', { active: reason !== null, reason: reason ?? 'back in service' });
  }
}
