/**
 * Feeds mutated messages to every parser of the project and stops at the first that throws, hangs, or breaks what is
 * demanded of it: `npm run fuzz -- [--count N] [--seed N] [--first N] [--target NAME]`. What is fed depends on the
 * seed only; a failure prints the seed, the message's number and its bytes. Parsers with a state (the tunnel) may
 * need the messages before it, too: run the same seed from the start with one more than that number.
 */

import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Campaign } from './campaign.js';
import { targets } from './targets.js';
import type { WorkerData, WorkerReport } from './worker.js';

/** A message that takes as long is reported as one that never ends. */
const HANG_MS = 30_000;
const REPORT_MS = 10_000;
const MOST = 0xffff_ffff;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    target: { type: 'string' },
  },
});

function number(name: 'count' | 'seed' | 'first', least: number): number {
  const text = values[name];
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > MOST) {
    fail(`--${name} ${text}: not a whole number of ${least} to ${MOST}`);
  }
  return value;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

const seed = number('seed', 0);
const first = number('first', 0);
const count = number('count', 1);
const { target } = values;
const names = targets().map(({ name }) => name);
if (target !== undefined && !names.includes(target)) fail(`--target ${target}: none of ${names.join(', ')}`);
if (first + count - 1 > MOST) fail(`--first and --count: beyond message ${MOST}`);

const data: WorkerData = { seed, first, count, target, progress: new SharedArrayBuffer(4) };
const progress = new Uint32Array(data.progress);
progress[0] = first;
const start = performance.now();
console.log(
  `fuzz: seed ${seed}, ${count} messages from number ${first} on, for ${target ?? names.join(', ')}`,
);

const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: data });
worker.on('error', (error) => fail(`fuzz: seed ${seed}, message ${progress[0]}: ${error.stack}`));
worker.on('message', (report: WorkerReport) => {
  clearInterval(watch);
  if (report.kind === 'failed') fail(`FAILED ${report.message}\n${report.stack}`);
  const { fed, reached } = report.result;
  for (const [name, messages] of Object.entries(fed)) {
    const depths = Object.entries(reached[name]).map(([depth, times]) => `${depth} ${times}`);
    console.log(`${name.padEnd(14)} ${String(messages).padStart(9)}  ${depths.join(', ')}`);
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage();
  const cpu = (user + system) / 1e6;
  console.log(
    `passed: ${count} messages, seed ${seed}, in ${seconds.toFixed(1)} s (${Math.round(count / seconds)}/s), ` +
      `${cpu.toFixed(1)} s of CPU (${Math.round(count / cpu)}/s)`,
  );
});

let seen = first;
let seenAt = start;
let toldAt = start;
const watch = setInterval(() => {
  const now = performance.now();
  if (progress[0] !== seen) {
    seen = progress[0];
    seenAt = now;
  } else if (now - seenAt > HANG_MS) {
    const chosen = targets().filter(({ name }) => target === undefined || name === target);
    const { target: hung, bytes } = new Campaign(chosen, seed).message(seen);
    const hex = Buffer.from(bytes).toString('hex');
    fail(
      `FAILED target ${hung.name}, seed ${seed}, message ${seen}: it never ends\nbytes (${bytes.length}): ${hex}`,
    );
  }
  if (now - toldAt > REPORT_MS) {
    toldAt = now;
    const done = seen - first;
    console.log(`${done} of ${count} (${Math.round((done * 1000) / (now - start))} messages/s)`);
  }
}, 1000);
