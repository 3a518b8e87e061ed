import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const PROGRAM = 'cloudbridge-gateway';

/**
 * Where state is kept when nobody says otherwise: what systemd gives a service (`StateDirectory=`, systemd.exec(5)),
 * the system's place for root, else the XDG base directory's.
 */
export function defaultStateDirectory(
  environment: NodeJS.ProcessEnv = process.env,
  uid = process.getuid?.(),
): string {
  const given = environment.STATE_DIRECTORY?.split(':')[0];
  if (given !== undefined && isAbsolute(given)) return given;
  if (uid === 0) return join('/var/lib', PROGRAM);
  const base = environment.XDG_STATE_HOME;
  if (base !== undefined && isAbsolute(base)) return join(base, PROGRAM);
  return join(environment.HOME ?? homedir(), '.local', 'state', PROGRAM);
}
