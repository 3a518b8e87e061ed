/** `npm run differential:tiers`: millions of random packets through every tier and through the portable path. */

import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { type CaseCounts, Difference, runCase } from './case.js';
import { TIERS } from './tier.js';

interface Options {
  packets: number;
  seed: number;
  tier: string[];
}

const EVERY = 10_000;

function whole(text: string): number {
  if (!/^[0-9]{1,12}$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}

function names(text: string): string[] {
  const known = Object.keys(TIERS);
  const words = text.split(',');
  if (words.some((word) => !known.includes(word)))
    throw new InvalidArgumentError(`choose among ${known.join(', ')}.`);
  return words;
}

/** True when no packet was treated differently. */
async function compare(name: string, { packets, seed }: Options): Promise<boolean> {
  const tier = TIERS[name]();
  const total = { packets: 0, cut: 0, delivered: 0, frames: 0, refused: 0 };
  const began = performance.now();
  let told = began;
  for (let number = seed; total.packets < packets; number++) {
    let counts: CaseCounts;
    try {
      counts = runCase(tier, number);
    } catch (error) {
      if (!(error instanceof Difference)) throw new Error(`${name}, seed ${number}`, { cause: error });
      console.log(
        `${error.message}\nagain: npm run differential:tiers -- --tier ${name} --seed ${number} --packets 1`,
      );
      return false;
    }
    // What a tier puts off to the next turn of the event loop holds on to the case.
    await new Promise(setImmediate);
    for (const key of Object.keys(total) as (keyof CaseCounts)[]) total[key] += counts[key];
    if (performance.now() - told < EVERY) continue;
    told = performance.now();
    const rate = (total.packets / (told - began)).toFixed(0);
    console.log(`${name}: ${total.packets.toLocaleString('en')} equal, ${rate} thousand a second`);
  }
  const { cut, delivered, frames, refused } = total;
  const shown = (count: number): string => count.toLocaleString('en');
  console.log(
    `${name}: no difference in ${shown(total.packets)} packets (${shown(cut)} cut from super-packets); ` +
      `${shown(delivered)} delivered in ${shown(frames)} frames, ${shown(refused)} datagrams refused`,
  );
  return true;
}

await new Command('differential:tiers')
  .description('random packets and super-packets through every tier and through the portable path')
  .option('--packets <n>', 'how many through each tier', whole, 10_000_000)
  .option(
    '--seed <n>',
    'where to begin (random); a case that differs names its own',
    whole,
    randomInt(2 ** 31),
  )
  .option('--tier <names>', `one or more of ${Object.keys(TIERS).join(', ')}`, names, Object.keys(TIERS))
  .action(async (options: Options) => {
    console.log(`from seed ${options.seed}`);
    for (const name of options.tier) if (!(await compare(name, options))) process.exitCode = 1;
  })
  .parseAsync();
