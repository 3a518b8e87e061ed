/** Runs the system's own programs: an argument vector, never a shell line, and an error that says what failed. */

import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { EXIT, GatewayError, messageOf } from '../errors.js';

/** Debian's ordinary users have no `sbin` in their PATH, but may run what is there. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
/** Longest a command may take, in ms. */
const COMMAND_TIMEOUT = 20_000;
const MAX_OUTPUT = 16 * 1024 * 1024;
/** How much of a failing program's words goes into an error. */
const MAX_WORDS = 300;

/** Where a program is, or `undefined` when it is not installed. */
export function findProgram(name: string): string | undefined {
  const directories = (process.env.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'));
  for (const directory of [...directories, ...SYSTEM_DIRECTORIES]) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/** As `findProgram`; throws the sentence that tells which package to install. */
export function requireProgram(name: string, debianPackage: string): string {
  const path = findProgram(name);
  if (path === undefined) {
    throw new GatewayError(
      EXIT.system,
      `the program "${name}" is not installed; on Debian: apt install ${debianPackage}`,
    );
  }
  return path;
}

/** Runs a program to its end and returns its standard output; rejects when it fails. Arguments are no secrets. */
export async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const path = findProgram(program) ?? program;
  return new Promise((resolve, reject) => {
    const child = execFile(
      path,
      args,
      { timeout: COMMAND_TIMEOUT, maxBuffer: MAX_OUTPUT, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(failure(program, args, stderr, messageOf(error)));
      },
    );
    // A program that does not read its input closes it early; its exit status tells the rest.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** `run` for moments when the event loop no longer turns. Never throws; an error text, or `undefined`. */
export function runNow(program: string, args: readonly string[], input = ''): string | undefined {
  const path = findProgram(program) ?? program;
  const child = spawnSync(path, args, { input, timeout: COMMAND_TIMEOUT, encoding: 'utf8' });
  if (child.error === undefined && child.status === 0) return undefined;
  return failure(program, args, child.stderr ?? '', messageOf(child.error ?? `status ${child.status}`))
    .message;
}

function failure(program: string, args: readonly string[], stderr: string, otherwise: string): GatewayError {
  const words =
    stderr
      .trim()
      .replaceAll(/\s*\n\s*/g, '; ')
      .slice(0, MAX_WORDS) || otherwise;
  return new GatewayError(EXIT.system, `${program} ${args.join(' ')}: ${words}`);
}
