/** The system's own programs: an argument vector, never a shell line, and everything else by standard input. */

import { environment } from './process.js';
import { errorText } from './system-error.js';

/** Some users have no `sbin` in their PATH, but may run what is there. */
const SYSTEM_DIRECTORIES = Object.freeze(['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']);
/** Longest a command may take, ms. */
const COMMAND_PATIENCE = 20_000;
const WAIT_FOR_EVER = 0;

interface Outcome {
  /** The exit status, 128 and more for a signal, or a negative errno. */
  readonly status: number;
  /** What it wrote to its standard error, if that was captured. */
  readonly words: string;
}

/** Where a program is, or `undefined` when it is not installed. */
export function findProgram(this: void, name: string): string | undefined {
  const directories = (environment('PATH') ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return [...directories, ...SYSTEM_DIRECTORIES]
    .map((directory) => `${directory}/${name}`)
    .find((path) => executable(path));
}

/** Runs a program to its end: what went wrong, or `undefined`. Arguments are no secrets. */
export function run(this: void, program: string, words: readonly string[], input = ''): string | undefined {
  const path = findProgram(program);
  if (path === undefined) return `${program} is not installed`;
  const outcome = runNative(path, words, input, COMMAND_PATIENCE, true);
  if (outcome.status === 0) return undefined;
  const why = outcome.words.trim().replace(/\s*\n\s*/g, '; ');
  return `${program} ${words.join(' ')}: ${why || explain(outcome.status)}`;
}

/**
 * Runs a script by bash as wg-quick does (by sh where there is no bash): what went wrong, or `undefined`. The script is
 * the shell's input, not its argument, so that no secret in it shows in the process list; its output goes to our
 * standard error. `patience` in ms.
 */
export function runScript(this: void, script: string, patience = WAIT_FOR_EVER): string | undefined {
  // The braces make the shell read all of it before it runs any of it: nothing is left for the script to eat.
  const input = `{\n${script}\n} </dev/null\n`;
  const { status } = runNative(findProgram('bash') ?? '/bin/sh', ['-s'], input, patience, false);
  return status === 0 ? undefined : explain(status);
}

function explain(status: number): string {
  if (status < 0) return errorText(-status);
  return status < 128 ? `it ended with ${status}` : `it was ended by signal ${status - 128}`;
}

function executable(this: void, path: string): boolean {
  return native('xs_command_executable').call(this, path);
}

function runNative(
  this: void,
  path: string,
  words: readonly string[],
  input: string,
  patience: number,
  capture: boolean,
): Outcome {
  return native('xs_command_run').call(this, path, words, input, patience, capture);
}
