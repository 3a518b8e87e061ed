import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../gateway/platform/command.js';

/** What a program gets to take everything back before it is killed, in ms. */
const STOP_TIMEOUT = 5_000;
/** Lines of a program's log that are shown when it fails. */
const LAST_WORDS = 5;

export interface ProgramFiles {
  /** The lab's own folder, 0700: logs, state. */
  readonly folder: string;
  /** The bundles of the programs. */
  readonly gateway: string;
  readonly control: string;
}

/** A program of the lab: a process of its own, with its log in the lab's folder. */
export class Program {
  /** Settles when the process is gone. */
  readonly exited: Promise<void>;
  private readonly child: ChildProcess;
  private readonly logFile: string;
  private end: string | undefined;

  /** `name` is the log's; `input`: its standard input will be written. */
  constructor(folder: string, name: string, words: readonly string[], input = false) {
    this.logFile = join(folder, `${name}.log`);
    const log = openSync(this.logFile, 'a', 0o600);
    const [program, ...rest] = [...boundToUs(), process.execPath, ...words];
    this.child = spawn(program, rest, {
      cwd: folder,
      // A group of its own: Ctrl-C is for the lab, which then ends its programs in its own time.
      detached: true,
      stdio: [input ? 'pipe' : 'ignore', log, log],
      env: { ...process.env, NO_COLOR: '1' },
    });
    closeSync(log);
    // Who has ended reads no more; its end says why.
    this.child.stdin?.on('error', () => {});
    this.exited = new Promise((resolve) => {
      const finish = (how: string) => {
        this.end = how;
        resolve();
      };
      this.child.once('error', (error) => finish(error.message));
      this.child.once('exit', (code, signal) =>
        finish(signal === null ? `exit code ${code}` : `signal ${signal}`),
      );
    });
  }

  /** How it ended, once it has. */
  get ended(): string | undefined {
    return this.end;
  }

  /** All that it will ever read. */
  write(text: string): void {
    this.child.stdin?.end(text);
  }

  /** Ends the process as Ctrl-C does, so that it takes everything back; kills it when it does not leave. */
  async stop(): Promise<void> {
    if (this.end !== undefined) return;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT);
    await this.exited;
    clearTimeout(late);
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Tells the process to end and does not wait. */
  abandon(): void {
    if (this.end === undefined) this.child.kill('SIGTERM');
  }

  /** How it ended, if it has, and the end of its log, on one line. */
  lastWords(): string {
    const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-LAST_WORDS);
    const words = lines.join(' | ') || 'it said nothing';
    return this.end === undefined ? words : `it ended with ${this.end}: ${words}`;
  }
}

/** The words before a program that is to end when the lab is killed without a chance to end it. */
function boundToUs(): string[] {
  const setpriv = findProgram('setpriv');
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM', '--'];
}
