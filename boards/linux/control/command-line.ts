/** The words behind `enrol`, `run`, `leave`, `status` and `doctor`. */

import { parseAddress } from '../../../src/packet/address.js';
import type { LogLevel } from '../../../src/ports.js';
import { thresholdOf } from '../../xs/log.js';
import { defaultStateDirectory, requireInterfaceName, usage } from '../gateway/command-line.js';
import type { TierChoice } from '../gateway/tier.js';

/** The interface of an enrolled gateway, unless another one is named; as on the Node host. */
export const DEFAULT_NAME = 'cb0';

export interface ControlCommand {
  readonly name: string;
  readonly stateDirectory: string;
  readonly claim: string | undefined;
  readonly control: string | undefined;
  readonly pins: readonly string[];
  readonly json: boolean;
  readonly tier: TierChoice;
  readonly listenPort: number;
  readonly endpoint: string | undefined;
  readonly tunnelFirst: boolean;
  readonly logLevel: LogLevel | 'silent';
}

/** What takes no option of a command but its own. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  enrol: Object.freeze(['--control', '--pin']),
  run: Object.freeze(['--tier', '--listen-port', '--endpoint', '--control-in-tunnel', '--log-level']),
  leave: Object.freeze([]),
  status: Object.freeze(['--json']),
  doctor: Object.freeze(['--json']),
});

export function isControlCommand(command: string | undefined): command is string {
  return command !== undefined && Object.hasOwn(OPTIONS, command);
}

/** Throws a GatewayError that names the mistake. */
export function readControl(command: string, words: readonly string[]): ControlCommand {
  const read = {
    name: DEFAULT_NAME,
    stateDirectory: defaultStateDirectory(),
    claim: undefined as string | undefined,
    control: undefined as string | undefined,
    pins: [] as string[],
    json: false,
    tier: 'auto' as TierChoice,
    listenPort: 0,
    endpoint: undefined as string | undefined,
    tunnelFirst: false,
    logLevel: 'info' as LogLevel | 'silent',
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const value = (): string => {
      if (i + 1 >= words.length) throw usage(`${word} needs a value`);
      return words[++i];
    };
    if (!word.startsWith('-')) {
      if (command === 'enrol' && read.claim === undefined) read.claim = word;
      else if (command === 'status') read.name = word;
      else throw usage(`${command} takes no ${JSON.stringify(word.slice(0, 64))}`);
      continue;
    }
    const known =
      word === '-n' || word === '--name' || word === '--state-dir' || OPTIONS[command].includes(word);
    if (!known) throw usage(`${word} is no option of ${command}`);
    switch (word) {
      case '-n':
      case '--name':
        read.name = value();
        break;
      case '--state-dir':
        read.stateDirectory = value();
        break;
      case '--control':
        read.control = value();
        break;
      case '--pin':
        read.pins.push(value());
        break;
      case '--json':
        read.json = true;
        break;
      case '--control-in-tunnel':
        read.tunnelFirst = true;
        break;
      case '--tier':
        read.tier = tierOf(value());
        break;
      case '--listen-port':
        read.listenPort = portOf(value());
        break;
      case '--endpoint':
        read.endpoint = endpointOf(value());
        break;
      case '--log-level': {
        const level = thresholdOf(value());
        if (level === undefined) throw usage('--log-level takes silent, error, warn, info or debug');
        read.logLevel = level;
      }
    }
  }
  requireInterfaceName(read.name);
  return read;
}

function tierOf(text: string): TierChoice {
  if (text === 'auto' || text === 'offload' || text === 'portable') return text;
  throw usage('--tier takes auto, offload or portable');
}

function portOf(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536) return Number(text);
  throw usage('--listen-port takes a port number');
}

function endpointOf(text: string): string {
  const host = /^(?:\[(.+)\]|([^:]+)):[0-9]{1,5}$/.exec(text);
  const fits = host && (host[2] !== undefined || parseAddress(host[1]) !== undefined);
  if (fits) return text;
  throw usage('--endpoint takes HOST:PORT, an IPv6 address in brackets');
}
