import type { LogLevel } from '../../../src/ports.js';
import { thresholdOf } from '../../xs/log.js';
import { interfaceNameOf } from './configuration.js';
import { EXIT, GatewayError } from './gateway-error.js';
import type { TierChoice } from './tier.js';

/** As the Node host's for root: whichever runs, timestamps go on growing. */
const STATE_DIRECTORY = '/var/lib/cloudbridge-gateway';

export const HELP = `cloudbridge-gateway for Linux on Moddable XS

  up FILE.conf [options]   run a wg-quick configuration in the foreground
  self-test                try the primitives against published vectors
  measure WORK COUNT       work for an instruction counter: handshake or packet
  --version, --help

Options of up:
  -n, --name NAME          the interface's name (otherwise the file's)
  --state-dir DIRECTORY    where state is kept over restarts (otherwise ${STATE_DIRECTORY})
  --tier TIER              offload, portable, or auto for the faster that can be had (otherwise auto)
  --log-level LEVEL        silent, error, warn, info or debug (otherwise info)

SIGHUP reads the file again; SIGINT and SIGTERM take everything back. "wg show" and "wg set" work meanwhile.
`;

export interface UpCommand {
  readonly name: string;
  readonly path: string;
  readonly stateDirectory: string;
  readonly tier: TierChoice;
  readonly logLevel: LogLevel | 'silent';
}

/** The words behind `up`. Throws a {@link GatewayError} that names the mistake. */
export function readUp(words: readonly string[]): UpCommand {
  let path: string | undefined;
  let name: string | undefined;
  let stateDirectory = STATE_DIRECTORY;
  let tier: TierChoice = 'auto';
  let logLevel: LogLevel | 'silent' = 'info';
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const value = (): string => {
      if (i + 1 >= words.length) throw usage(`${word} needs a value`);
      return words[++i];
    };
    switch (word) {
      case '-n':
      case '--name':
        name = value();
        break;
      case '--state-dir':
        stateDirectory = value();
        break;
      case '--tier': {
        const choice = value();
        if (choice !== 'auto' && choice !== 'offload' && choice !== 'portable') {
          throw usage('--tier takes auto, offload or portable');
        }
        tier = choice;
        break;
      }
      case '--log-level': {
        const level = thresholdOf(value());
        if (level === undefined) throw usage('--log-level takes silent, error, warn, info or debug');
        logLevel = level;
        break;
      }
      default:
        if (word.startsWith('-')) throw usage(`${word} is no option of up`);
        if (path !== undefined) throw usage('up takes one file');
        path = word;
    }
  }
  if (path === undefined) throw usage('up needs the path of a wg-quick configuration');
  return { name: requireInterfaceName(name ?? interfaceNameOf(path)), path, stateDirectory, tier, logLevel };
}

/** As wg-quick: what may be an interface's name (IFNAMSIZ less its zero byte). */
function requireInterfaceName(name: string): string {
  if (/^[a-zA-Z0-9_=+.-]{1,15}$/.test(name) && name !== '.' && name !== '..') return name;
  throw usage(
    `${JSON.stringify(name.slice(0, 64))} cannot be an interface name; use 1 to 15 letters, digits and _ = + . -`,
  );
}

function usage(sentence: string): GatewayError {
  return new GatewayError(EXIT.usage, `${sentence}; see cloudbridge-gateway --help`);
}
