/** The command line of the bench. */

import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { TIERS, type TierChoice } from '../../host/gateway/request.js';
import { GROUPS, type Group } from './measures.js';

export interface Options {
  rounds: number;
  seconds: number;
  tier: TierChoice[];
  peer: string[];
  only: Group[];
  json?: boolean;
  ours: boolean;
  xs?: string | true;
  handshakes: number;
}

const EXAMPLES = `
Groups:
  tcp         1, 4 and 16 TCP flows, processor time, memory afterwards
  wire        the same with segmentation offload off on the cable: datagrams come one by one
  peers       one TCP flow with 1,000 peers configured, memory afterwards
  udp         1,200 Mbit/s offered
  small       packets of 64 and of 512 bytes, 100,000 a second
  ping        round trip, idle and beside a TCP flow
  handshakes  as responder, of the core alone and over the wire
  start       until the first answers
  memory      1, 100 and 10,000 peers, idle

Examples:
  npm run bench -- --rounds 3 --seconds 4
  npm run bench -- --tier t0,t1 --only tcp,wire,ping
  npm run bench -- --peer /usr/local/bin/boringtun-cli --json > result.json

The first program is Debian's wireguard-go; ratios and marks are to it. Other work on the machine shows in the figures:
the load at the start is printed with them.`;

export function command(run: (options: Options) => Promise<void>): Command {
  return new Command('bench')
    .description('compare this project with wireguard-go, side by side on this machine, in turn (needs root)')
    .option('--rounds <n>', 'interleaved rounds', count, 5)
    .option('--seconds <n>', 'length of each flow', count, 5)
    .option('--tier <tiers>', `how we carry packets, one or more of ${TIERS.join(', ')}`, tiers, ['auto'])
    .option(
      '--peer <program>',
      'another implementation, called as PROGRAM INTERFACE; repeatable',
      program,
      [],
    )
    .option('--only <groups>', GROUPS.join(','), groups, [...GROUPS])
    .option('--handshakes <n>', 'callers in the test of the responder', count, 2_000)
    .option('--no-ours', 'leave the Node host out')
    .option('--xs [tier]', 'the firmware as well, made by npm run build:xs (auto, offload or portable)')
    .option('--json', 'for machines')
    .addHelpText('after', EXAMPLES)
    .action(run);
}

function count(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('give a whole number of 1 or more.');
  return Number(text);
}

function among<Word extends string>(text: string, known: readonly Word[]): Word[] {
  const words = text.split(',') as Word[];
  if (words.some((word) => !known.includes(word)))
    throw new InvalidArgumentError(`choose among ${known.join(', ')}.`);
  return words;
}

const groups = (text: string): Group[] => among(text, GROUPS);
const tiers = (text: string): TierChoice[] => among(text, TIERS);

function program(text: string, before: string[]): string[] {
  if (text.includes('/') && !existsSync(text)) throw new InvalidArgumentError('there is no such program.');
  return [...before, text];
}
