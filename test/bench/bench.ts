/**
 * `npm run bench`: this project and wireguard-go, or any userspace implementation, side by side on one machine, in
 * turn, in one run. Needs root for network namespaces. What it makes it removes, whatever way it ends.
 */

import { existsSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { Ground } from './ground.js';
import { type Callers, coreHandshakes, makeCallers, wireHandshakes } from './handshakes.js';
import { keysOf } from './keys.js';
import { GROUPS, type Group, record, type Values } from './measures.js';
import { Gateway, type Program, Userspace } from './program.js';
import { json, type Result, type Surroundings, table } from './report.js';
import { manyPeers, memory, startUp } from './start-up.js';
import { roundTrip, tcp, udp } from './traffic.js';
import { Tunnel } from './tunnel.js';
import { XsGateway } from './xs-gateway.js';

interface Options {
  rounds: number;
  seconds: number;
  tier: string;
  peer: string[];
  only: Group[];
  json?: boolean;
  ours: boolean;
  xs?: string | true;
  handshakes: number;
}

const OFFERED = 1_200;
/** Payload of a UDP packet that fills the tunnel's MTU of 1420, bytes. */
const FULL = 1_372;
const SMALL = 64;
const SMALL_OFFERED = (100_000 * SMALL * 8) / 1e6;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

class Bench {
  readonly #ground: Ground;
  readonly #options: Options;

  constructor(ground: Ground, options: Options) {
    this.#ground = ground;
    this.#options = options;
  }

  #wants(...groups: Group[]): boolean {
    return groups.some((group) => this.#options.only.includes(group));
  }

  /** One round of everything that goes through a tunnel; what is said of the program. */
  async traffic(program: Program, values: Values): Promise<string> {
    if (!this.#wants('tcp', 'udp', 'small', 'ping')) return '';
    const { seconds } = this.#options;
    const tunnel = await Tunnel.open(this.#ground, program);
    try {
      if (this.#wants('ping')) record(values, 'ping', await roundTrip(tunnel, Math.min(seconds, 2)));
      if (this.#wants('tcp')) {
        await tcp(tunnel, 1, 1); // to warm up
        const one = await tcp(tunnel, 1, seconds);
        record(values, 'tcp1', one.megabits);
        record(values, 'cpu', one.cpuPerGigabit);
        record(values, 'tcp4', (await tcp(tunnel, 4, seconds)).megabits);
      }
      if (this.#wants('udp')) {
        const { kpps, loss } = await udp(tunnel, OFFERED, FULL, seconds);
        record(values, 'udp', kpps);
        record(values, 'udpLoss', loss);
      }
      if (this.#wants('small')) {
        record(values, 'small', (await udp(tunnel, SMALL_OFFERED, SMALL, seconds)).kpps);
      }
      return await program.describe(tunnel.left);
    } finally {
      await tunnel.close();
    }
  }

  async start(program: Program, values: Values): Promise<void> {
    if (!this.#wants('start')) return;
    const { socket, firstPacket } = await startUp(this.#ground, program);
    record(values, 'socket', socket);
    record(values, 'firstPacket', firstPacket);
  }

  async memory(program: Program, values: Values): Promise<void> {
    if (!this.#wants('memory')) return;
    for (const count of [1, 100, 10_000]) {
      if (count > (program.mostPeers ?? count)) continue;
      const bytes = await memory(this.#ground, program, manyPeers(count));
      record(values, `memory${count}`, bytes / 1e6);
    }
  }

  async handshakes(program: Program, values: Values, callers: Callers): Promise<void> {
    record(values, 'handshakes', await wireHandshakes(this.#ground, program, callers));
    // Others do not let us at their core.
    if (program instanceof Gateway) record(values, 'core', coreHandshakes(callers));
  }
}

async function main(options: Options): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root: sudo npm run bench');
  const programs: Program[] = [new Userspace('wireguard-go')];
  if (options.ours) programs.push(new Gateway(options.tier));
  if (options.xs) programs.push(new XsGateway(options.xs === true ? 'auto' : options.xs));
  for (const program of options.peer) programs.push(new Userspace(program));

  const surroundings: Surroundings = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Linux ${release()}`,
    rounds: options.rounds,
    seconds: options.seconds,
    load: loadavg()[0],
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.replace(/ -- $/, ''),
  };
  const results = programs.map(({ name, version }) => ({ name, version, notes: '', values: new Map() }));
  const ground = new Ground();
  const stopped = (): never => process.exit(130);
  process.once('SIGINT', stopped).once('SIGTERM', stopped);
  try {
    const bench = new Bench(ground, options);
    let callers: Callers | undefined;
    if (options.only.includes('handshakes')) {
      say(`making ${options.handshakes * 2} initiations`);
      callers = makeCallers(options.handshakes, keysOf(new NodePrimitives(), 1).publicKey);
    }
    for (let round = 1; round <= options.rounds; round++) {
      // Whoever goes first in one round goes last in the next.
      const order = programs.map((_, i) => i);
      if (round % 2 === 0) order.reverse();
      for (const i of order) {
        const began = performance.now();
        const { values } = results[i];
        const notes = await bench.traffic(programs[i], values);
        if (notes) (results[i] as { notes: string }).notes = notes;
        await bench.start(programs[i], values);
        if (callers) await bench.handshakes(programs[i], values, callers);
        if (round === 1) await bench.memory(programs[i], values);
        const took = ((performance.now() - began) / 1000).toFixed(0);
        say(`round ${round}/${options.rounds}, ${programs[i].name}: ${summary(values)} (${took} s)`);
      }
    }
  } finally {
    ground.close();
  }
  const print = options.json ? json : table;
  process.stdout.write(`${print(results satisfies Result[], surroundings)}\n`);
}

/** The latest value of each measure. */
function summary(values: Values): string {
  return [...values].map(([id, all]) => `${id} ${all.at(-1)!.toPrecision(4)}`).join(', ');
}

function count(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('give a whole number of 1 or more.');
  return Number(text);
}

function groups(text: string): Group[] {
  const words = text.split(',') as Group[];
  const unknown = words.filter((word) => !GROUPS.includes(word));
  if (unknown.length > 0) throw new InvalidArgumentError(`choose among ${GROUPS.join(', ')}.`);
  return words;
}

function program(text: string, before: string[]): string[] {
  if (text.includes('/') && !existsSync(text)) throw new InvalidArgumentError('there is no such program.');
  return [...before, text];
}

const command = new Command('bench')
  .description('compare this project with wireguard-go, side by side on this machine')
  .option('--rounds <n>', 'interleaved rounds', count, 5)
  .option('--seconds <n>', 'length of each flow', count, 5)
  .addOption(
    new Option('--tier <tier>', 'how we carry packets').choices(['auto', 't0', 'portable']).default('auto'),
  )
  .option('--peer <program>', 'another implementation, called as PROGRAM INTERFACE; repeatable', program, [])
  .option('--only <groups>', GROUPS.join(','), groups, [...GROUPS])
  .option('--handshakes <n>', 'callers in the test of the responder', count, 2_000)
  .option('--no-ours', 'leave the Node host out')
  .option('--xs [tier]', 'the firmware as well, made by npm run build:xs (auto, offload or portable)')
  .option('--json', 'for machines')
  .action(async (options: Options) => {
    try {
      await main(options);
    } catch (error) {
      say(`bench: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  });
await command.parseAsync();
