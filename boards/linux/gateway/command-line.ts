import { nearestWord } from '../../../src/config/suggestion.js';
import type { LogLevel } from '../../../src/ports.js';
import { thresholdOf } from '../../xs/log.js';
import { environment } from '../drivers/process.js';
import { interfaceNameOf } from './configuration.js';
import { EXIT, GatewayError } from './gateway-error.js';
import type { TierChoice } from './tier.js';

/** As the Node host's for root: whichever runs, timestamps go on growing. */
const STATE_DIRECTORY = '/var/lib/cloudbridge-gateway';
const INTERFACE_NAME = /^[a-zA-Z0-9_=+.-]{1,15}$/;

export const HELP = `cloudbridge-gateway for Linux on Moddable XS

  up FILE.conf [options]   run a wg-quick configuration in the foreground
  [-f] NAME                serve wg-quick: make an interface that wg and ip configure; -f: in the foreground
  enrol [CLAIM] [options]  redeem a claim (its URL or token): this device becomes a gateway of a tenant
  run [options]            run an enrolled gateway in the foreground: the control plane configures it
  status [NAME] [--json]   what a running gateway is doing, with its two lamps
  doctor [--json]          look for what is wrong with an enrolled gateway, each finding with a remedy
  leave                    give the identity back
  self-test                try the primitives against published vectors
  measure WORK COUNT       work for an instruction counter: handshake or packet
  --version, --help

Options of up:
  -n, --name NAME          the interface's name (otherwise the file's)
  --state-dir DIRECTORY    where state is kept over restarts (otherwise ${STATE_DIRECTORY})
  --tier TIER              offload, portable, or auto for the faster that can be had (otherwise auto)
  --log-level LEVEL        silent, error, warn, info or debug (otherwise info)

Options of run, besides the last three (--name is cb0 unless told, for enrol, doctor and leave, too):
  --listen-port PORT       UDP port (otherwise the one of last time, or any)
  --endpoint HOST:PORT     where peers reach it (otherwise where the control plane sees it)
  --control-in-tunnel      the control session goes through the tunnel whenever it can

Options of enrol:
  --control URL            the control plane, when the claim is a bare token
  --pin sha256/...         the pin of the server's key, and a spare one's; repeatable

Private authorities of the control plane: SSL_CERT_FILE names a file with their certificates.

SIGHUP reads the file again; SIGINT and SIGTERM take everything back. "wg show" and "wg set" work meanwhile.
`;

/** How to run a gateway. */
export interface StartOptions {
  readonly name: string;
  /** A wg-quick configuration; without one, `wg` and `ip` configure the interface. */
  readonly path: string | undefined;
  readonly stateDirectory: string;
  readonly tier: TierChoice;
  readonly logLevel: LogLevel | 'silent';
}

export interface UserspaceCall {
  readonly name: string;
  readonly foreground: boolean;
}

/**
 * Recognises the call of wg-quick and of people used to wireguard-go: `cloudbridge-gateway [-f] wg0`. The interface is
 * then configured by `wg` and `ip`, not by a file. `commands` are no names. Throws a {@link GatewayError}.
 */
export function userspaceCall(
  words: readonly string[],
  commands: readonly string[],
): UserspaceCall | undefined {
  const rest = words.filter((word) => word !== '-f' && word !== '--foreground');
  const [name] = rest;
  if (rest.length !== 1 || name.startsWith('-') || commands.includes(name) || !isInterfaceName(name))
    return undefined;
  // A slip of the finger must not make an interface.
  const meant = /[0-9]/.test(name) ? undefined : nearestWord(name, commands);
  if (meant !== undefined) throw usage(`there is no command "${name}"; did you mean "${meant}"?`);
  const foreground = rest.length < words.length || environment('WG_PROCESS_FOREGROUND') === '1';
  return { name, foreground };
}

/** What systemd gives a service (`StateDirectory=`, systemd.exec(5)), else the system's place. */
export function defaultStateDirectory(): string {
  const given = environment('STATE_DIRECTORY')?.split(':')[0];
  return given?.startsWith('/') ? given : STATE_DIRECTORY;
}

/** The words behind `up`. Throws a {@link GatewayError} that names the mistake. */
export function readUp(words: readonly string[]): StartOptions {
  let path: string | undefined;
  let name: string | undefined;
  let stateDirectory = defaultStateDirectory();
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
export function requireInterfaceName(name: string): string {
  if (isInterfaceName(name)) return name;
  throw usage(
    `${JSON.stringify(name.slice(0, 64))} cannot be an interface name; use 1 to 15 letters, digits and _ = + . -`,
  );
}

function isInterfaceName(name: string): boolean {
  return INTERFACE_NAME.test(name) && name !== '.' && name !== '..';
}

export function usage(sentence: string): GatewayError {
  return new GatewayError(EXIT.usage, `${sentence}; see cloudbridge-gateway --help`);
}
