/**
 * PostgreSQL as the control plane needs it. Embedded (PGlite, a folder) when one process serves; the statements are
 * plain PostgreSQL, so that a server of its own can take the folder's place.
 */

import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import { dataDir as shippedCluster } from '@electric-sql/pglite-prepopulatedfs';
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

/** Stands beside a database that is being made: one that a power cut left half made is begun anew. */
const UNFINISHED = 'database.unfinished';

/** Opens the database in `<folder>/database`, or one in memory, and brings its schema up to date. */
export async function openDatabase(folder: string | undefined): Promise<Database> {
  const pglite = await PGlite.create(folder === undefined ? await emptyCluster() : await inFolder(folder));
  const database = new EmbeddedDatabase(pglite);
  await migrate(database, pglite);
  if (folder !== undefined) rmSync(join(folder, UNFINISHED), { force: true });
  return database;
}

async function inFolder(folder: string): Promise<{ dataDir: string; loadDataDir?: Blob }> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const dataDir = join(folder, 'database');
  const unfinished = join(folder, UNFINISHED);
  if (existsSync(unfinished)) rmSync(dataDir, { recursive: true, force: true });
  else if (existsSync(dataDir)) return { dataDir };
  writeFileSync(unfinished, '', { mode: 0o600 });
  return { dataDir, ...(await emptyCluster()) };
}

/** As PGlite's makers ship it: making one here takes many times as long as opening it. */
async function emptyCluster(): Promise<{ loadDataDir: Blob }> {
  return { loadDataDir: await shippedCluster() };
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
