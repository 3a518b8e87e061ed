import { formatProblem, type Problem } from '../../../src/config/problem.js';
import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { parseWgQuick } from '../../../src/config/wg-quick.js';
import { KEY_BYTES, type Primitives } from '../../../src/crypto/primitives.js';
import { fileMode, readText } from '../drivers/files.js';
import { EACCES, EFBIG, EILSEQ, EISDIR, ENOENT, EPERM, errorText } from '../drivers/system-error.js';
import { zoneIndex } from '../drivers/zones.js';
import { EXIT, GatewayError } from './gateway-error.js';

/** Bytes. A board's thousand peers stay far below. */
const FILE_LIMIT = 4 << 20;

export interface Configuration {
  readonly config: TunnelConfig;
  /** One line each. */
  readonly warnings: readonly string[];
}

/** Reads and checks a wg-quick file. Throws a {@link GatewayError} with every mistake and its place. */
export function readConfiguration(path: string, primitives: Primitives): Configuration {
  const text = readText(path, FILE_LIMIT);
  if (typeof text === 'number') throw new GatewayError(EXIT.configuration, unreadable(path, -text));
  const publicKeyOf = (privateKey: Uint8Array): Uint8Array => {
    const publicKey = new Uint8Array(KEY_BYTES);
    primitives.x25519PublicKey(publicKey, privateKey);
    return publicKey;
  };
  const { config, problems } = parseWgQuick(text, { publicKeyOf, zoneIndex });
  const errors = lines(problems, 'error', path);
  if (config === undefined) {
    const count = errors.length === 1 ? 'a mistake' : `${errors.length} mistakes`;
    const sentence = `${path} has ${count}; nothing was changed:\n${errors.join('\n')}`;
    throw new GatewayError(EXIT.configuration, sentence);
  }
  const warnings = lines(problems, 'warning', path);
  const mode = fileMode(path);
  if (mode >= 0 && (mode & 0o007) !== 0) {
    const may = (mode & 0o004) === 0 ? 'use' : 'read';
    const message = `every user of this system may ${may} this file, which holds a private key`;
    warnings.unshift(`${path}: warning: ${message}; run "chmod 600" on it`);
  }
  return { config, warnings };
}

/** What an interface begins with that `wg` and `ip` configure: nothing, not even a key. */
export function noConfiguration(): TunnelConfig {
  const own = { listenPort: undefined, mtu: undefined, fwMark: 0, table: 'off' } as const;
  const none = {
    addresses: [],
    dnsServers: [],
    dnsSearch: [],
    preUp: [],
    postUp: [],
    preDown: [],
    postDown: [],
  };
  return { interface: { privateKey: new Uint8Array(0), ...own, ...none }, peers: [] };
}

/** As wg-quick: `/etc/wireguard/wg0.conf` is the interface `wg0`. */
export function interfaceNameOf(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return base.endsWith('.conf') ? base.slice(0, -5) : base;
}

function lines(problems: readonly Problem[], severity: Problem['severity'], path: string): string[] {
  return problems
    .filter((problem) => problem.severity === severity)
    .map((problem) => formatProblem(problem, path));
}

function unreadable(path: string, errno: number): string {
  switch (errno) {
    case ENOENT:
      return `there is no file ${path}; name an existing wg-quick configuration`;
    case EISDIR:
      return `${path} is a directory; name the .conf file in it`;
    case EACCES:
    case EPERM:
      return `no permission to read ${path}; run as the file's owner`;
    case EFBIG:
      return `${path} is larger than ${FILE_LIMIT >> 20} MiB, which no configuration is`;
    case EILSEQ:
      return `${path} is not UTF-8 text; some editors write UTF-16, save it as UTF-8`;
    default:
      return `cannot read ${path}: ${errorText(errno)}`;
  }
}
