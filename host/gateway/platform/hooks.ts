/**
 * PreUp, PostUp, PreDown and PostDown: shell lines from the configuration, run by bash as wg-quick does (by sh where
 * there is no bash). The line goes to the shell's standard input, not its arguments, so that no secret in it shows in
 * the process list; its output goes to our standard error.
 */

import { spawn, spawnSync } from 'node:child_process';
import { EXIT, GatewayError } from '../errors.js';
import { findProgram } from './command.js';

/** Longest a hook may take at exit or after a crash, in ms: a stuck one must not keep the rest from being undone. */
const UNDO_TIMEOUT = 30_000;
const STDERR = 2;

/** `%i` is the interface's name, as in wg-quick. */
export function expandHook(hook: string, interfaceName: string): string {
  return hook.replaceAll('%i', interfaceName);
}

/** Runs one hook to its end. Rejects when it does not end with status 0. */
export async function runHook(hook: string, interfaceName: string, phase: string): Promise<void> {
  const child = spawn(shell(), ['-s'], { stdio: ['pipe', STDERR, STDERR] });
  child.stdin?.on('error', () => {});
  child.stdin?.end(program(hook, interfaceName));
  const outcome = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(signal === null ? `ended with status ${code}` : `was ended by ${signal}`);
    });
  });
  if (outcome !== undefined) {
    // Not the line itself: it may hold a secret, and the owner knows it by its place.
    throw new GatewayError(EXIT.configuration, `a ${phase} command of ${interfaceName} ${outcome}`);
  }
}

/** Without the event loop, for the way out; an error text, or `undefined`. */
export function runHookNow(hook: string, interfaceName: string): string | undefined {
  const child = spawnSync(shell(), ['-s'], {
    input: program(hook, interfaceName),
    stdio: ['pipe', STDERR, STDERR],
    timeout: UNDO_TIMEOUT,
    killSignal: 'SIGKILL',
  });
  if (child.error !== undefined) return child.error.message;
  return child.status === 0 ? undefined : `a hook ended with status ${child.status}`;
}

function shell(): string {
  return findProgram('bash') ?? '/bin/sh';
}

/** The braces make the shell read the whole hook before it runs any of it, so that the hook has no input to eat. */
function program(hook: string, interfaceName: string): string {
  return `{\n${expandHook(hook, interfaceName)}\n} </dev/null\n`;
}
