/**
 * The change of a gateway's tunnel key, seen from the server: ask for a new key, let every living peer know it, have
 * it used, and believe it when a heartbeat names it. The database holds the step, so that it goes on after a restart
 * of either end. What a heartbeat says about the key in use is the truth that the network follows.
 */

import { randomBytes } from 'node:crypto';
import type { RecordValue } from '../../src/control/shape.js';
import { keyFromBase64 } from '../../src/crypto/key-text.js';
import type { Log } from '../../src/ports.js';
import { audit } from './audit.js';
import type { Database, Sql } from './database.js';
import type { GatewaySession } from './gateway-session.js';
import { type GatewayRow, type RotationRow, recordChange } from './gateways.js';
import type { Hub } from './hub.js';
import type { ControlOptions } from './options.js';
import { Refusal } from './refusal.js';

export class Rotations {
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

  /** Begins a rotation for every living gateway whose key is old enough. */
  async beginDue(now: number): Promise<void> {
    for (const tenant of [...this.#hub.tenants()]) {
      for (const row of (await this.#hub.network(tenant)).gateways.values()) {
        const due = row.key_since.getTime() + this.#options.keyLife * 1000 <= now;
        const here = this.#hub.sessionsOf(row.id).length > 0;
        if (due && here && row.state === 'active' && !row.rotation) await this.begin(row);
      }
    }
  }

  async begin(row: GatewayRow): Promise<void> {
    if (row.state !== 'active') throw new Refusal(409, 'not_active', `gateway ${row.id} is ${row.state}`);
    if (row.rotation) throw new Refusal(409, 'rotation_running', 'its key is being rotated already');
    const id = `rot-${randomBytes(8).toString('hex')}`;
    await this.#write(row, { id, phase: 'asked', version: 0 });
    this.#ask(row.id, id);
  }

  /** Repeats the step that a new session may have missed. */
  async resume(session: GatewaySession): Promise<void> {
    const { rotation } = await this.#hub.gateway(session);
    if (rotation?.phase === 'switching') this.#switch(session.gateway, rotation.id);
    // A gateway that has offered its key already offers the same one again.
    else if (rotation) this.#ask(session.gateway, rotation.id);
  }

  async offered(session: GatewaySession, rotation: string, publicKey: string): Promise<void> {
    const row = await this.#hub.gateway(session);
    if (row.rotation?.id !== rotation || row.rotation.phase === 'switching') return;
    if (row.next_public_key === publicKey) return this.progress(row.tenant);
    const { gateways } = await this.#hub.network(row.tenant);
    const taken = [...gateways.values()].some(
      (other) => other.public_key === publicKey || other.next_public_key === publicKey,
    );
    if (taken || !keyFromBase64(publicKey)) {
      session.refuse(undefined, 'bad_key', 'the offered key is none, or another gateway’s');
      return;
    }
    await this.#change(row, async (sql, version) => {
      const step: RotationRow = { id: rotation, phase: 'distributed', version };
      await sql.query('UPDATE gateways SET next_public_key = $2, rotation = $3 WHERE id = $1', [
        row.id,
        publicKey,
        step,
      ]);
    });
    await this.progress(row.tenant);
  }

  /** Lets those switch whose every living peer has told that it knows the new key. */
  async progress(tenant: string): Promise<void> {
    const { gateways } = await this.#hub.network(tenant);
    for (const row of gateways.values()) {
      const { rotation } = row;
      if (rotation?.phase !== 'distributed') continue;
      const waiting = [...this.#hub.sessionsOfTenant(tenant)].filter(
        (peer) => peer.gateway !== row.id && peer.acknowledgedVersion < rotation.version,
      );
      for (const peer of waiting) {
        // Asked once for each change; the usual heartbeat comes anyway.
        if (peer.pingedFor === rotation.version) continue;
        peer.pingedFor = rotation.version;
        peer.send('ping', {});
      }
      if (waiting.length > 0 || this.#hub.sessionsOf(row.id).length === 0) continue;
      await this.#write(row, { ...rotation, phase: 'switching' });
      this.#switch(row.id, rotation.id);
    }
  }

  /** A heartbeat names the key that the gateway's tunnel uses. */
  async heard(session: GatewaySession, publicKey: string): Promise<void> {
    const row = await this.#hub.gateway(session);
    if (publicKey === row.public_key) return;
    if (publicKey === row.next_public_key) {
      await this.#change(row, async (sql) => {
        await sql.query(
          `UPDATE gateways SET previous_public_key = public_key, public_key = next_public_key,
             next_public_key = NULL, rotation = NULL, key_since = now() WHERE id = $1`,
          [row.id],
        );
        await audit(sql, row.id, 'key-rotated', row.tenant, row.id);
      });
      return;
    }
    if (publicKey === row.previous_public_key) {
      // It never heard that we believed the new key, and went back: so do we, with both known on the way.
      await this.#change(row, async (sql) => {
        await sql.query('UPDATE gateways SET next_public_key = $2, rotation = NULL WHERE id = $1', [
          row.id,
          publicKey,
        ]);
      });
      return;
    }
    if (session.unknownKey === publicKey) return;
    session.unknownKey = publicKey;
    this.#log.write('error', 'unknown-tunnel-key', { tenant: row.tenant, gateway: row.id });
    await audit(this.#database, row.id, 'unknown-tunnel-key', row.tenant, row.id);
  }

  async ended(session: GatewaySession, data: RecordValue): Promise<void> {
    const row = await this.#hub.gateway(session);
    if (row.rotation?.id !== data.rotation || data.result === 'switched') return;
    await this.#change(row, async (sql) => {
      await sql.query('UPDATE gateways SET next_public_key = NULL, rotation = NULL WHERE id = $1', [row.id]);
      const detail = { result: data.result, reason: data.reason };
      await audit(sql, row.id, 'rotation-ended', row.tenant, row.id, detail);
    });
  }

  #ask(gateway: string, rotation: string): void {
    this.#hub.tell(gateway, 'key-rotation', { rotation, overlap: this.#options.keyOverlap });
  }

  #switch(gateway: string, rotation: string): void {
    this.#hub.tell(gateway, 'key-switch', { rotation, confirm_within: this.#options.confirmWithin });
  }

  /** A step that peers need not know of. */
  async #write(row: GatewayRow, step: RotationRow): Promise<void> {
    await this.#database.query('UPDATE gateways SET rotation = $2 WHERE id = $1', [row.id, step]);
    this.#hub.forget(row.tenant);
  }

  async #change(row: GatewayRow, work: (sql: Sql, version: number) => Promise<void>): Promise<void> {
    await this.#database.transaction(async (sql) => work(sql, await recordChange(sql, row.tenant, row.id)));
    await this.#hub.changed(row.tenant);
  }
}
