/**
 * Compares two implementations of the primitives on random cases, as many as wanted.
 *
 *   npm run differential -- --cases 1000000 --seed 1 --of node --with portable
 */

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { all, implementation } from './implementations.js';
import { compare } from './random-cases.js';

try {
  main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      of: { type: 'string', default: 'node' },
      with: { type: 'string', default: 'portable' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(`--cases N   how many (10000)
--seed N    where to begin (random); a case that differs names its own
--of NAME   --with NAME   which two: ${all.map(({ name }) => name).join(', ')} (node, portable)`);
    return;
  }
  const [cases, seed] = [wholeNumber('cases', values.cases), wholeNumber('seed', values.seed)];
  const [a, b] = [implementation(values.of).make(), implementation(values.with).make()];
  console.log(`${a.name} and ${b.name}: ${cases} cases from seed ${seed}`);
  const counts = compare(a, b, cases, seed, (done) => console.log(`${done} equal`));
  for (const [kind, count] of counts) console.log(`${String(count).padStart(9)}  ${kind}`);
  console.log('no difference');
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new Error(`--${option} wants a whole number, not ${JSON.stringify(text)}`);
}
