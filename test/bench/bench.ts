/**
 * `npm run bench`: this project and wireguard-go, or any userspace implementation, side by side on one machine, in
 * turn, in one run. Needs root for network namespaces. What it makes it removes, whatever way it ends.
 */

import { cpus, loadavg, release } from 'node:os';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { Ground } from './ground.js';
import { type Callers, makeCallers } from './handshakes.js';
import { keysOf } from './keys.js';
import type { Values } from './measures.js';
import { command, type Options } from './options.js';
import { type Description, Gateway, type Program, Userspace } from './program.js';
import { json, type Result, type Surroundings, table } from './report.js';
import { Round } from './round.js';
import { XsGateway } from './xs-gateway.js';

interface Contestant {
  readonly program: Program;
  readonly values: Values;
  description: Description;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function programs(options: Options): Program[] {
  const all: Program[] = [new Userspace('wireguard-go')];
  if (options.ours) all.push(...options.tier.map((tier) => new Gateway(tier)));
  if (options.xs) all.push(new XsGateway(options.xs === true ? 'auto' : options.xs));
  return [...all, ...options.peer.map((program) => new Userspace(program))];
}

async function measure(ground: Ground, contestants: readonly Contestant[], options: Options): Promise<void> {
  let callers: Callers | undefined;
  if (options.only.includes('handshakes')) {
    say(`making ${options.handshakes * 2} initiations`);
    callers = makeCallers(options.handshakes, keysOf(new NodePrimitives(), 1).publicKey);
  }
  for (let number = 1; number <= options.rounds; number++) {
    // Whoever goes first in one round goes last in the next.
    const order = number % 2 === 0 ? contestants.toReversed() : contestants;
    for (const one of order) {
      const began = performance.now();
      const { name } = one.program;
      const place = `round ${number}/${options.rounds}, ${name}`;
      const round = new Round(ground, one.program, one.values, {
        seconds: options.seconds,
        groups: options.only,
        progress: (id, value) => say(`${place}: ${id} ${value.toPrecision(4)}`),
      });
      one.description = (await round.traffic()) ?? one.description;
      await round.peers();
      await round.start();
      if (callers) await round.handshakes(callers);
      if (number === 1) await round.memory();
      say(`${place}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
    }
  }
}

async function main(options: Options): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root: sudo npm run bench');
  const surroundings: Surroundings = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Linux ${release()}`,
    rounds: options.rounds,
    seconds: options.seconds,
    load: loadavg()[0],
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.replace(/ -- $/, ''),
  };
  const contestants = programs(options).map(
    (program): Contestant => ({ program, values: new Map(), description: { notes: '', tier: program.tier } }),
  );
  const ground = new Ground();
  const stopped = (): never => process.exit(130);
  process.once('SIGINT', stopped).once('SIGTERM', stopped);
  try {
    await measure(ground, contestants, options);
  } finally {
    ground.close();
  }
  const results = contestants.map(
    ({ program: { name, version }, values, description }): Result => ({
      name,
      version,
      values,
      ...description,
    }),
  );
  process.stdout.write(`${(options.json ? json : table)(results, surroundings)}\n`);
}

await command(async (options) => {
  try {
    await main(options);
  } catch (error) {
    say(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}).parseAsync();
