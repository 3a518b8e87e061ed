/**
 * Everything done to the system, each with its reverse, written down before it is done. The list is data, so the
 * same list serves a normal end, an exit without an event loop, and the next start after a crash.
 */

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../../src/ports.js';
import { EXIT, GatewayError, messageOf, systemCode } from '../errors.js';
import { runNow } from './command.js';
import { runHookNow } from './hooks.js';
import { restoreSrcValidMark } from './src-valid-mark.js';

export type UndoStep =
  | {
      readonly kind: 'command';
      readonly program: string;
      readonly args: readonly string[];
      readonly input?: string;
    }
  /** Deletes the interface. Not after a crash: it went with its process, and one of that name is somebody else's. */
  | { readonly kind: 'link'; readonly name: string }
  /** Puts `net.ipv4.conf.all.src_valid_mark` back, unless another tunnel's policy rules still need it. */
  | { readonly kind: 'src-valid-mark'; readonly value: string }
  | { readonly kind: 'hook'; readonly script: string; readonly interfaceName: string };

/** Who made the list: a process of this boot, in this network namespace. */
interface Owner {
  readonly boot: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, since process ids come round again. */
  readonly started: string;
  readonly namespace: string;
}

interface StateFile {
  readonly format: 1;
  readonly owner: Owner;
  readonly steps: readonly UndoStep[];
}

const SUFFIX = '.undo.json';

export class UndoList {
  private readonly steps: UndoStep[] = [];
  private readonly file: string | undefined;
  private readonly log: Log;

  /** `directory` is made with mode 0700; `undefined` keeps the list in memory only. */
  constructor(interfaceName: string, directory: string | undefined, log: Log) {
    this.log = log;
    this.file = directory === undefined ? undefined : join(directory, interfaceName + SUFFIX);
    if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  get size(): number {
    return this.steps.length;
  }

  /** The steps added since `size` was this. */
  since(size: number): UndoStep[] {
    return this.steps.slice(size);
  }

  /** Call before making the change: a crash in between then finds a reverse that has nothing to do. */
  add(step: UndoStep): void {
    this.steps.push(step);
    this.save();
  }

  /** As `add`, but taken back after everything else. */
  addLast(step: UndoStep): void {
    this.steps.unshift(step);
    this.save();
  }

  /** Takes back these steps alone, newest first. */
  retract(steps: readonly UndoStep[]): void {
    for (const step of steps.toReversed()) {
      const at = this.steps.lastIndexOf(step);
      if (at < 0) continue;
      takeBack(step, this.log);
      this.steps.splice(at, 1);
    }
    this.save();
  }

  /** Takes everything back, newest first, without the event loop. Never throws: what fails is logged. */
  run(): void {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) takeBack(step, this.log);
    if (this.file !== undefined) rmSync(this.file, { force: true });
  }

  private save(): void {
    if (this.file === undefined) return;
    const state: StateFile = { format: 1, owner: thisProcess(), steps: this.steps };
    const temporary = `${this.file}.${process.pid}`;
    try {
      // Hooks may hold secrets, so the file is for its owner only.
      writeFileSync(temporary, JSON.stringify(state), { mode: 0o600, flush: true });
      renameSync(temporary, this.file);
    } catch (error) {
      try {
        rmSync(temporary, { force: true });
      } catch {
        // The directory itself is unusable; the error below says so.
      }
      throw new GatewayError(
        EXIT.state,
        `cannot write ${this.file} (${systemCode(error) ?? messageOf(error)}); free some space or name another state directory`,
      );
    }
  }
}

/**
 * Takes back what dead gateways left behind. The interface itself went with its process; policy rules, DNS entries
 * and the effect of hooks did not. Lists of living processes and of other network namespaces are left alone.
 * Returns the names of the interfaces it cleaned up after.
 */
export function healCrashes(directory: string | undefined, log: Log): string[] {
  const healed: string[] = [];
  if (directory === undefined) return healed;
  for (const name of listStateFiles(directory)) {
    const path = join(directory, name);
    const state = readState(path);
    if (state === undefined) {
      log.write('warn', 'undo-list-unreadable', { path });
      continue;
    }
    const here = thisProcess();
    const sameBoot = state.owner.boot === here.boot;
    if (sameBoot && startTime(state.owner.pid) === state.owner.started) continue;
    if (sameBoot && state.owner.namespace !== here.namespace) continue;
    // A reboot has taken everything back, except what hooks may have made to last; their reverse expects the rest.
    if (sameBoot) {
      log.write('warn', 'healing-after-crash', { path, steps: state.steps.length });
      for (const step of state.steps.toReversed()) {
        if (step.kind !== 'link') takeBack(step, log);
      }
      healed.push(name.slice(0, -SUFFIX.length));
    }
    rmSync(path, { force: true });
  }
  return healed;
}

function takeBack(step: UndoStep, log: Log): void {
  let error: string | undefined;
  switch (step.kind) {
    case 'command':
      error = runNow(step.program, step.args, step.input);
      break;
    case 'link':
      error = runNow('ip', ['link', 'delete', 'dev', step.name]);
      break;
    case 'src-valid-mark':
      error = restoreSrcValidMark(step.value);
      break;
    case 'hook':
      error = runHookNow(step.script, step.interfaceName);
      break;
  }
  if (error !== undefined) log.write('debug', 'undo-step-failed', { error });
}

function listStateFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith(SUFFIX));
  } catch {
    return [];
  }
}

function readState(path: string): StateFile | undefined {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as StateFile;
    return state.format === 1 && Array.isArray(state.steps) ? state : undefined;
  } catch {
    return undefined;
  }
}

function thisProcess(): Owner {
  return {
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pid: process.pid,
    started: startTime(process.pid) ?? '',
    namespace: readlinkSync('/proc/self/ns/net'),
  };
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
