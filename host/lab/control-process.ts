import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AdminFile, readAdminFile } from '../control-plane/admin-file.js';
import { Program, type ProgramFiles } from './program.js';

/** Between two looks whether it answers, in ms. */
const READY_POLL = 20;
/** Seconds between heartbeats: short, so that a lamp tells soon. */
const HEARTBEAT = 2;

/** What a stock WireGuard client is told when it becomes a member. */
export interface ClientAnswer {
  readonly address: string;
  readonly peers: readonly {
    readonly public_key: string;
    readonly preshared_key: string;
    readonly allowed_ips: readonly string[];
    readonly endpoint?: string;
  }[];
}

/** The lab's control plane: the program itself in a folder of the lab, which can be killed and started again. */
export class ControlProcess {
  private readonly files: ProgramFiles;
  private readonly directory: string;
  private program: Program;
  private admin: AdminFile | undefined;
  /** ms of `performance.now` since which it is as it is. */
  since = performance.now();

  constructor(files: ProgramFiles) {
    this.files = files;
    this.directory = join(files.folder, 'control');
    mkdirSync(this.directory, { mode: 0o700 });
    this.program = this.launch('127.0.0.1:0');
  }

  get running(): boolean {
    return this.program.ended === undefined;
  }

  get url(): string {
    return this.admin?.url ?? '';
  }

  /** Resolves once it answers; rejects with its last words when it ends or the signal comes first. */
  async ready(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.admin ??= readAdminFile(this.directory);
      if (this.admin && (await this.answers())) return;
      if (!this.running) throw new Error(`the control plane is not up: ${this.program.lastWords()}`);
      if (signal.aborted) throw new Error(`the control plane is not up in time: ${this.program.lastWords()}`);
      await sleep(READY_POLL);
    }
  }

  /** A request of the administrator. Rejects with what it says. */
  async request<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const { url, token } = this.admin!;
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const answer = (await response.json()) as T & { message?: string };
    if (!response.ok) throw new Error(`the control plane answered: ${answer.message}`);
    return answer;
  }

  /** As a power cut: it says goodbye to nobody. */
  async kill(): Promise<void> {
    await this.program.kill();
    this.since = performance.now();
  }

  /** Starts it again where it was. */
  restart(): void {
    if (this.running || !this.admin) return;
    this.program = this.launch(new URL(this.admin.url).host);
    this.since = performance.now();
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  abandon(): void {
    this.program.abandon();
  }

  private launch(listen: string): Program {
    const { folder, control } = this.files;
    const words = ['--listen', listen, '--heartbeat', `${HEARTBEAT}s`, '--log-format', 'human'];
    return new Program(folder, 'control', [control, '--state-dir', this.directory, 'serve', ...words]);
  }

  private async answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.admin?.url}/ready`)).ok;
    } catch {
      return false;
    }
  }
}
