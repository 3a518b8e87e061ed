/** Settings for gateways under commit-confirm: what was asked for, and what became of it. */

import { MESSAGE_TYPES } from '../../src/control/messages.js';
import { mismatch, type RecordValue } from '../../src/control/shape.js';
import { audit } from './audit.js';
import type { Database } from './database.js';
import type { GatewaySession } from './gateway-session.js';
import type { GatewayRow, SettingsRow } from './gateways.js';
import type { Hub } from './hub.js';
import type { ControlOptions } from './options.js';
import { Refusal } from './refusal.js';

export class SettingsDesk {
  readonly #database: Database;
  readonly #hub: Hub;
  readonly #options: ControlOptions;

  constructor(database: Database, hub: Hub, options: ControlOptions) {
    this.#database = database;
    this.#hub = hub;
    this.#options = options;
  }

  /** The revision's number. */
  async propose(row: GatewayRow, settings: RecordValue): Promise<number> {
    const fault = mismatch(settings, MESSAGE_TYPES.configuration.data.settings.shape, 'settings');
    if (fault !== undefined) throw new Refusal(400, 'bad_settings', fault);
    const revision = (row.settings?.revision ?? 0) + 1;
    const { confirmWithin } = this.#options;
    await this.#write(row, { revision, settings, confirmWithin, state: 'pending' });
    await audit(this.#database, 'admin', 'configured', row.tenant, row.id, { revision });
    this.#hub.tell(row.id, 'configuration', { revision, confirm_within: confirmWithin, settings });
    return revision;
  }

  /** A heartbeat names the revision in effect: one that was missed is sent again. */
  async heard(session: GatewaySession, revision: number): Promise<void> {
    const { settings } = await this.#hub.gateway(session);
    if (settings?.state !== 'pending' || settings.revision <= revision) return;
    session.send('configuration', {
      revision: settings.revision,
      confirm_within: settings.confirmWithin,
      settings: settings.settings,
    });
  }

  async result(session: GatewaySession, data: RecordValue): Promise<void> {
    const row = await this.#hub.gateway(session);
    const { settings } = row;
    if (!settings || settings.revision !== data.revision || data.result === 'applied') return;
    const state = data.result as SettingsRow['state'];
    if (settings.state === state) return;
    await this.#write(row, { ...settings, state, reason: data.reason as string | undefined });
  }

  async #write(row: GatewayRow, settings: SettingsRow): Promise<void> {
    await this.#database.query('UPDATE gateways SET settings = $2 WHERE id = $1', [row.id, settings]);
    this.#hub.forget(row.tenant);
  }
}
