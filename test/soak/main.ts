/**
 * `npm run soak`: hours of full load under changing keys, a moving end and flipped bits. Needs root for network
 * namespaces. Ends with 0 when nothing was lost, changed or grown.
 */

import { Command, InvalidArgumentError, Option } from 'commander';
import { TIERS, type TierChoice } from '../../host/gateway/request.js';
import { Soak } from './soak.js';

interface Options {
  minutes: number;
  tier: TierChoice;
  against: 'ours' | 'wireguard-go';
  flows: number;
  digest: number;
  rekey: number;
  roam: number;
  flip: number;
}

const EXAMPLES = `
Examples:
  npm run soak -- --minutes 60
  nice -n 19 npm run soak -- --minutes 20 --tier t0 --against wireguard-go

Exit codes: 0 nothing was lost, changed or grown; 1 something was, the last lines say what; 2 it could not begin.`;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('give a number above 0.');
  return value;
}

async function main(options: Options): Promise<number> {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root: sudo npm run soak');
  const seconds = options.minutes * 60;
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const soak = new Soak({
    seconds,
    tier: options.tier,
    against: options.against,
    flows: Math.round(options.flows),
    chunk: Math.round(options.digest * 1e6),
    rekey: options.rekey,
    roam: options.roam,
    report: Math.min(10, Math.max(1, seconds / 30)),
    flipOneIn: Math.round(options.flip),
    say,
  });
  const { faults, summary } = await soak.run();
  for (const line of summary) say(line);
  for (const fault of faults) say(`FAULT: ${fault}`);
  say(faults.length === 0 ? 'passed' : 'failed');
  return faults.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await new Command('soak')
  .description('keep a tunnel under full load while keys change, an end moves and bits flip (needs root)')
  .option('--minutes <n>', 'how long', positive, 60)
  .addOption(new Option('--tier <tier>', 'how our ends carry packets').choices(TIERS).default('auto'))
  .addOption(new Option('--against <end>', 'the other end').choices(['ours', 'wireguard-go']).default('ours'))
  .option('--flows <n>', 'TCP flows in each direction', positive, 2)
  .option('--digest <MB>', 'bytes under one md5 digest', positive, 1000)
  .option('--rekey <seconds>', 'between two key changes', positive, 20)
  .option('--roam <seconds>', 'between two moves of one end to another address or port', positive, 5)
  .option('--flip <n>', 'one of so many buffers on the wire gets a bit flipped', positive, 10_000)
  .addHelpText('after', EXAMPLES)
  .action(async (options: Options) => {
    try {
      process.exitCode = await main(options);
    } catch (error) {
      process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 2;
    }
  })
  .parseAsync();
