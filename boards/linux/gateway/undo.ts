/**
 * What was done to the system and does not go with the interface, each with its reverse, written down before it is
 * done: for a normal end, and for the next start after a crash. The file is the Node host's, so either may follow.
 */

import type { Log } from '../../../src/ports.js';
import { run, runScript } from '../drivers/command.js';
import { readLink, readText, removeFile, replaceText, writeText } from '../drivers/files.js';
import { markRulesLeft } from '../drivers/policy-routing.js';
import { processId } from '../drivers/process.js';
import { ENOENT, errorText, SystemError } from '../drivers/system-error.js';

export const SRC_VALID_MARK = '/proc/sys/net/ipv4/conf/all/src_valid_mark';
/** A stuck hook must not keep the rest from being taken back, ms. */
const HOOK_PATIENCE = 30_000;
const LIST_LIMIT = 1 << 20;
const PROC_LIMIT = 4096;

export type UndoStep =
  | {
      readonly kind: 'command';
      readonly program: string;
      readonly args: readonly string[];
      readonly input?: string;
    }
  /** Of the Node host: the interface went with its process. */
  | { readonly kind: 'link'; readonly name: string }
  /** Puts the setting back, unless another tunnel's policy rules still need it. */
  | { readonly kind: 'src-valid-mark'; readonly value: string }
  | { readonly kind: 'hook'; readonly script: string; readonly interfaceName: string };

/** Who made a list: a process of this boot, in this network namespace. */
interface Owner {
  readonly boot: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, since process ids come round again. */
  readonly started: string;
  readonly namespace: string;
}

export class UndoList {
  readonly #directory: string;
  readonly #file: string;
  readonly #log: Log;
  #steps: UndoStep[] = [];

  /** `directory` exists. */
  constructor(directory: string, name: string, log: Log) {
    this.#directory = directory;
    this.#file = `${name}.undo.json`;
    this.#log = log;
  }

  /** Takes back what a gateway of this name left behind when it crashed. Call when none of this name runs. */
  heal(): void {
    const path = `${this.#directory}/${this.#file}`;
    const text = readText(path, LIST_LIMIT);
    if (text === -ENOENT) return;
    const list = typeof text === 'string' ? listIn(text) : undefined;
    if (list === undefined) {
      this.#log.write('warn', 'undo-list-unreadable', { path });
      return;
    }
    const here = thisProcess();
    if (list.owner.boot === here.boot) {
      if (list.owner.namespace !== here.namespace || startTime(list.owner.pid) === list.owner.started) return;
      this.#log.write('warn', 'healing-after-crash', { path, steps: list.steps.length });
      for (const step of list.steps.reverse()) this.#takeBack(step);
    }
    removeFile(this.#directory, this.#file);
  }

  /** Call before making the change. Throws a {@link SystemError}. */
  add(step: UndoStep): void {
    this.#steps.push(step);
    this.#save();
  }

  /** As `add`, but taken back after everything else. */
  addLast(step: UndoStep): void {
    this.#steps.unshift(step);
    this.#save();
  }

  /** Forgets steps that were taken back in another way. */
  forget(steps: readonly UndoStep[]): void {
    this.#steps = this.#steps.filter((step) => !steps.includes(step));
    if (this.#steps.length > 0) this.#save();
    else removeFile(this.#directory, this.#file);
  }

  /** Takes back everything but hooks, newest first. What fails is logged. */
  runBeforeHooks(): void {
    const hooks = this.#steps.filter((step) => step.kind === 'hook');
    for (const step of [...this.#steps].reverse()) if (step.kind !== 'hook') this.#takeBack(step);
    if (hooks.length === this.#steps.length) return;
    this.#steps = hooks;
    if (hooks.length > 0) this.#save();
    else removeFile(this.#directory, this.#file);
  }

  /** Takes back what is left, newest first. */
  run(): void {
    const had = this.#steps.length > 0;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) this.#takeBack(step);
    if (had) removeFile(this.#directory, this.#file);
  }

  #save(): void {
    const text = JSON.stringify({ format: 1, owner: thisProcess(), steps: this.#steps });
    const result = replaceText(this.#directory, this.#file, text);
    if (result < 0) throw new SystemError(`cannot write ${this.#directory}/${this.#file}`, -result);
  }

  #takeBack(step: UndoStep): void {
    const error = takeBack(step);
    if (error !== undefined) this.#log.write('debug', 'undo-step-failed', { error });
  }
}

function takeBack(step: UndoStep): string | undefined {
  switch (step.kind) {
    case 'command':
      return run(step.program, step.args, step.input);
    case 'src-valid-mark': {
      const result = markRulesLeft(4) ? 0 : writeText(SRC_VALID_MARK, step.value);
      return result < 0 ? errorText(-result) : undefined;
    }
    case 'hook':
      return runScript(step.script.replaceAll('%i', step.interfaceName), HOOK_PATIENCE);
    default:
      return undefined;
  }
}

function listIn(text: string): { owner: Owner; steps: UndoStep[] } | undefined {
  try {
    const { format, owner, steps } = JSON.parse(text);
    return format === 1 && typeof owner === 'object' && Array.isArray(steps) ? { owner, steps } : undefined;
  } catch {
    return undefined;
  }
}

function thisProcess(): Owner {
  const boot = readText('/proc/sys/kernel/random/boot_id', PROC_LIMIT);
  const namespace = readLink('/proc/self/ns/net');
  return {
    boot: typeof boot === 'string' ? boot.trim() : '',
    pid: processId(),
    started: startTime(processId()) ?? '',
    namespace: typeof namespace === 'string' ? namespace : '',
  };
}

function startTime(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`, PROC_LIMIT);
  // The second field is the program's name in parentheses and may hold spaces.
  return typeof stat === 'string' ? stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] : undefined;
}
