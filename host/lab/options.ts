import { Command, InvalidArgumentError, Option } from 'commander';
import { LAB_MODES, type LabMode } from './lab.js';
import { MAX_GATEWAYS } from './network.js';

export interface LabCommandLine {
  readonly gateways: number;
  readonly seconds: number | undefined;
  /** `undefined`: the better one that this machine allows. */
  readonly mode: LabMode | undefined;
  readonly once: boolean;
  readonly json: boolean;
  readonly listen: boolean;
  readonly keep: boolean;
}

const MIN_GATEWAYS = 3;

/** Reads the command line; prints help and ends the process when asked to, or on a mistake (exit code 2). */
export function readCommandLine(words: readonly string[]): LabCommandLine {
  const command = new Command('npm start --')
    .description(
      'A control plane and gateways on this machine, joined by WireGuard tunnels, with real traffic through them.',
    )
    .option(
      '--gateways <number>',
      `how many, ${MIN_GATEWAYS} to ${MAX_GATEWAYS}`,
      whole(MIN_GATEWAYS, MAX_GATEWAYS),
      MIN_GATEWAYS,
    )
    .option(
      '--seconds <number>',
      'end after so long; with --once: give up after so long (90)',
      whole(1, 86_400),
    )
    .addOption(new Option('--mode <mode>', 'the better one that works here, unless given').choices(LAB_MODES))
    .option(
      '--once',
      'one full round, an outage of the control plane and its return; exit code 0 when all was well',
    )
    .option('--json', 'print the result as one JSON object; implies --once')
    .option('--listen', 'let the local network in: guest.conf names this machine by its own address')
    .option('--keep', 'keep the folder with state (with its keys) and logs')
    .helpOption('-h, --help', 'show this')
    .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2));
  command.parse([...words], { from: 'user' });
  const { gateways, seconds, mode, once, json, listen, keep } = command.opts<Partial<LabCommandLine>>();
  return {
    gateways: gateways ?? MIN_GATEWAYS,
    seconds,
    mode,
    once: once === true || json === true,
    json: json === true,
    listen: listen === true,
    keep: keep === true,
  };
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}
