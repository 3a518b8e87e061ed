/** How the commands find the running control plane: its address and token, in its state folder, for its owner only. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export interface AdminFile {
  readonly url: string;
  readonly token: string;
}

const NAME = 'admin.json';

export function defaultControlDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment.STATE_DIRECTORY?.split(':')[0];
  if (given !== undefined && isAbsolute(given)) return given;
  if (process.getuid?.() === 0) return '/var/lib/cloudbridge-control';
  return join(environment.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'cloudbridge-control');
}

export function readAdminFile(directory: string): AdminFile | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, NAME), 'utf8')) as AdminFile;
  } catch {
    return undefined;
  }
}

/** The token of this folder, made if there is none yet. */
export function ensureAdminToken(directory: string): string {
  return readAdminFile(directory)?.token ?? randomBytes(32).toString('base64url');
}

export function writeAdminFile(directory: string, file: AdminFile): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fresh = join(directory, `.${NAME}.${process.pid}`);
  writeFileSync(fresh, JSON.stringify(file), { mode: 0o600 });
  renameSync(fresh, join(directory, NAME));
}
