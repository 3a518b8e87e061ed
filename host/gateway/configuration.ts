import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { formatProblem, type Problem } from '../../src/config/problem.js';
import type { TunnelConfig } from '../../src/config/tunnel-config.js';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { KEY_BYTES, type Primitives } from '../../src/crypto/primitives.js';
import { NodePrimitives } from './crypto.js';
import { EXIT, GatewayError, messageOf, systemCode } from './errors.js';
import { zoneIndex } from './udp-addresses.js';

/** Larger files are no configuration: 65,536 peers with long lists stay far below. In bytes. */
const FILE_LIMIT = 64 << 20;

export interface ConfigurationText {
  /** As the user named it. */
  readonly path: string;
  readonly text: string;
  /** Permission bits of a regular file. */
  readonly mode: number | undefined;
}

export interface CheckedConfiguration {
  readonly path: string;
  /** `undefined` when any problem is an error. */
  readonly config: TunnelConfig | undefined;
  readonly problems: readonly Problem[];
}

/** Checks a wg-quick file's text; `mode` is the file's, where there is one. */
export function checkConfiguration(
  { path, text, mode }: ConfigurationText,
  primitives: Primitives = new NodePrimitives(),
): CheckedConfiguration {
  const publicKeyOf = (privateKey: Uint8Array): Uint8Array => {
    const publicKey = new Uint8Array(KEY_BYTES);
    primitives.x25519PublicKey(publicKey, privateKey);
    return publicKey;
  };
  const { config, problems } = parseWgQuick(text, { publicKeyOf, zoneIndex });
  const open = mode !== undefined && (mode & 0o007) !== 0;
  return { path, config, problems: open ? [worldAccess(mode), ...problems] : problems };
}

/** As `checkConfiguration`, for a caller that can do nothing with a broken one: all mistakes become one error. */
export function requireConfiguration(
  source: ConfigurationText,
  primitives?: Primitives,
): { config: TunnelConfig; warnings: readonly string[] } {
  const { path, config, problems } = checkConfiguration(source, primitives);
  const lines = (severity: Problem['severity']) =>
    problems
      .filter((problem) => problem.severity === severity)
      .map((problem) => formatProblem(problem, path));
  if (config !== undefined) return { config, warnings: lines('warning') };
  const errors = lines('error');
  const count = errors.length === 1 ? 'a mistake' : `${errors.length} mistakes`;
  throw new GatewayError(
    EXIT.configuration,
    `${path} has ${count}; nothing was changed:\n${errors.join('\n')}`,
  );
}

/** As wg-quick: `/etc/wireguard/wg0.conf` is the interface `wg0`. */
export function interfaceNameOf(path: string): string {
  return basename(path).replace(/\.conf$/, '');
}

/** Throws a {@link GatewayError} when the file cannot be read. */
export function readConfiguration(path: string): ConfigurationText {
  try {
    const file = statSync(path);
    if (file.size > FILE_LIMIT) {
      const sentence = `${path} is larger than ${FILE_LIMIT >> 20} MiB, which no configuration is`;
      throw new GatewayError(EXIT.configuration, sentence);
    }
    return { path, text: readFileSync(path, 'utf8'), mode: file.isFile() ? file.mode : undefined };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError(EXIT.configuration, unreadable(path, error), { cause: error });
  }
}

function unreadable(path: string, error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOENT':
      return `there is no file ${path}; name an existing wg-quick configuration`;
    case 'EISDIR':
      return `${path} is a directory; name the .conf file in it`;
    case 'EACCES':
      return `no permission to read ${path}; run as the file's owner`;
    default:
      return `cannot read ${path}: ${messageOf(error)}`;
  }
}

function worldAccess(mode: number): Problem {
  return {
    severity: 'warning',
    line: 0,
    column: undefined,
    key: '',
    message: `every user of this system may ${(mode & 0o004) === 0 ? 'use' : 'read'} this file, which holds a private key`,
    remedy: 'run "chmod 600" on it',
  };
}
