import type { Sql } from './database.js';

/** What was done, by whom, to what. Never a secret. */
export async function audit(
  sql: Sql,
  actor: string,
  action: string,
  tenant: string | undefined,
  subject: string | undefined,
  detail: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await sql.query('INSERT INTO audit (tenant, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)', [
    tenant ?? null,
    actor,
    action,
    subject ?? null,
    detail,
  ]);
}
