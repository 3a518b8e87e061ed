import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, GatewayError } from './errors.js';

/** Where `wg` looks for the sockets of userspace implementations. */
const SYSTEM_DIRECTORY = '/var/run/wireguard';
/** `sun_path` of unix(7) has 108 bytes, the last of them zero. */
const PATH_LIMIT = 107;
/** As wg-quick: what may be an interface's name (IFNAMSIZ less its zero byte). */
const NAME = /^[a-zA-Z0-9_=+.-]{1,15}$/;

export function isInterfaceName(name: string): boolean {
  return NAME.test(name) && name !== '.' && name !== '..';
}

export function requireInterfaceName(name: string): string {
  if (isInterfaceName(name)) return name;
  const shown = JSON.stringify(name.slice(0, 64));
  const sentence = `${shown} cannot be an interface name; use 1 to 15 letters, digits and _ = + . -`;
  throw new GatewayError(EXIT.usage, sentence);
}

/** The directory of the sockets: the system's for root, otherwise one of this user's own. */
export function uapiDirectory(): string {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return SYSTEM_DIRECTORY;
  const runtime = process.env.XDG_RUNTIME_DIR;
  return runtime?.startsWith('/')
    ? join(runtime, 'wireguard')
    : join(tmpdir(), `cloudbridge-${uid}`, 'wireguard');
}

export function uapiPath(directory: string, name: string): string {
  const path = join(directory, `${requireInterfaceName(name)}.sock`);
  if (Buffer.byteLength(path) <= PATH_LIMIT) return path;
  throw new GatewayError(
    EXIT.system,
    `the socket path ${path} is too long; set XDG_RUNTIME_DIR to a shorter one`,
  );
}
