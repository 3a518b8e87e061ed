#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { messageOf } from '../gateway/errors.js';
import { writeGuest } from './guest.js';
import { Lab } from './lab.js';
import { runLive } from './live.js';
import { type LabCommandLine, readCommandLine } from './options.js';
import { runOnce } from './outage.js';
import { failedRound, printRound, type RoundReport } from './round.js';

/** The bundles of the programs lie beside this one. */
const beside = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url));
/** Seconds after which the gateways must be up, and everything that `--once` does must be complete. */
const TIME_LIMIT = 90;
/** Between two looks whether whoever started us is still there, in ms. */
const PARENT_POLL = 1_000;

/** Aborts when the lab is to end: Ctrl-C, `kill`, a closed terminal, or the end of the process that started it. */
function untilToldToEnd(): AbortSignal {
  const end = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => end.abort(name));
  }
  // Whoever read what is printed has left (`npm start | head`).
  process.stdout.on('error', () => end.abort('nobody reads'));
  // `npm` may be killed without passing it on.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) end.abort('the process that started the lab is gone');
  }, PARENT_POLL).unref();
  return end.signal;
}

/**
 * Aborts with `told` or after so many seconds. `AbortSignal.any` with `AbortSignal.timeout` would say it shorter, but
 * Node 20 may collect the timeout as garbage before it fires.
 */
function withLimit(told: AbortSignal, seconds: number | undefined): AbortSignal {
  if (seconds === undefined) return told;
  const end = new AbortController();
  told.addEventListener('abort', () => end.abort(told.reason));
  setTimeout(() => end.abort(`${seconds} s are over`), seconds * 1000).unref();
  if (told.aborted) end.abort(told.reason);
  return end.signal;
}

async function once(lab: Lab, told: AbortSignal, options: LabCommandLine): Promise<RoundReport> {
  const signal = withLimit(told, options.seconds ?? TIME_LIMIT);
  try {
    await lab.ready(signal);
  } catch (error) {
    return failedRound(lab, messageOf(error));
  }
  return runOnce(lab, signal);
}

async function main(): Promise<number> {
  const options = readCommandLine(process.argv.slice(2));
  const told = untilToldToEnd();
  const lab = await Lab.start({
    ...options,
    gatewayProgram: beside('cloudbridge-gateway.js'),
    controlProgram: beside('cloudbridge-control.js'),
  });
  // The last resort, should this program itself fail: nothing of the lab outlives it.
  process.on('exit', () => lab.abandon(options.keep));
  try {
    if (options.once) {
      const report = await once(lab, told, options);
      printRound(report, options.json);
      return report.ok ? 0 : 1;
    }
    await lab.ready(withLimit(told, TIME_LIMIT));
    const end = withLimit(told, options.seconds);
    await runLive(lab, await writeGuest(lab, options.listen, process.stdout.isTTY), end);
    return 0;
  } catch (error) {
    if (told.aborted) return 0;
    console.error(messageOf(error));
    return 1;
  } finally {
    await lab.stop(options.keep);
    if (options.keep) console.error(`Kept, with the private keys of the lab: ${lab.folder}`);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
