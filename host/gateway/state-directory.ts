import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const PROGRAM = 'cloudbridge-gateway';

/** Where state is kept when nobody says otherwise: the system's place for root, else the XDG base directory's. */
export function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return join('/var/lib', PROGRAM);
  const given = process.env.XDG_STATE_HOME;
  const base = given !== undefined && isAbsolute(given) ? given : join(homedir(), '.local', 'state');
  return join(base, PROGRAM);
}
