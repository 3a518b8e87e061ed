/**
 * PostgreSQL as the control plane needs it. Embedded (PGlite, a folder) when one process serves; the statements are
 * plain PostgreSQL, so that a server of its own can take the folder's place.
 */

import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import { MIGRATIONS } from './schema.js';

export type Row = Record<string, unknown>;

export interface Sql {
  query<T extends object = Row>(text: string, values?: readonly unknown[]): Promise<T[]>;
}

export interface Database extends Sql {
  /** All of it or nothing. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Opens the database in `<folder>/database`, or one in memory, and brings its schema up to date. `template` is a
 * fresh cluster from `makeTemplate`: making one takes seconds.
 */
export async function openDatabase(folder: string | undefined, template?: Blob): Promise<Database> {
  let pglite: PGlite;
  if (folder === undefined) pglite = await PGlite.create({ loadDataDir: template });
  else {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    pglite = await PGlite.create({ dataDir: join(folder, 'database') });
  }
  const database = new EmbeddedDatabase(pglite);
  await migrate(database, pglite);
  return database;
}

/** An empty cluster as a tar file. */
export async function makeTemplate(): Promise<Blob> {
  const pglite = await PGlite.create();
  const template = await pglite.dumpDataDir('none');
  await pglite.close();
  return template;
}

class EmbeddedDatabase implements Database {
  readonly #pglite: PGlite;

  constructor(pglite: PGlite) {
    this.#pglite = pglite;
  }

  async query<T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    return (await this.#pglite.query<T>(text, [...values])).rows;
  }

  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#pglite.transaction((transaction) => work(sqlOf(transaction))) as Promise<T>;
  }

  close(): Promise<void> {
    return this.#pglite.close();
  }
}

function sqlOf(transaction: Transaction): Sql {
  return {
    query: async <T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> =>
      (await transaction.query<T>(text, [...values])).rows,
  };
}

/** Each step once, in order, each in a transaction of its own. */
async function migrate(database: Database, pglite: PGlite): Promise<void> {
  await pglite.exec('CREATE TABLE IF NOT EXISTS migrations (step integer PRIMARY KEY)');
  const done = new Set(
    (await database.query<{ step: number }>('SELECT step FROM migrations')).map((r) => r.step),
  );
  for (const [step, text] of MIGRATIONS.entries()) {
    if (done.has(step)) continue;
    await pglite.transaction(async (transaction) => {
      await transaction.exec(text);
      await transaction.query('INSERT INTO migrations (step) VALUES ($1)', [step]);
    });
  }
}
