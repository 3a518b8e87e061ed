import type { Database } from './database.js';

/** A secret of the control plane's own, made by whoever needs it first. */
export async function ensureSecret<T>(database: Database, name: string, make: () => Promise<T>): Promise<T> {
  const find = async (): Promise<T | undefined> =>
    (await database.query<{ value: T }>('SELECT value FROM secrets WHERE name = $1', [name]))[0]?.value;
  const known = await find();
  if (known !== undefined) return known;
  await database.query('INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    name,
    JSON.stringify(await make()),
  ]);
  return (await find()) as T;
}
