import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../gateway/platform/command.js';
import { type GatewayStatus, STATUS_OPERATION } from '../gateway/status.js';
import { askGateway } from '../gateway/uapi-client.js';
import { uapiDirectory } from '../gateway/uapi-path.js';
import { type GatewayPlan, gatewayConfiguration, type NetworkPlan } from './network.js';
import { type GatewayView, gatewayView } from './view.js';

/** Between two looks whether a gateway answers, in ms. */
const READY_POLL = 50;
/** What a gateway gets to take everything back before it is killed, in ms. */
const STOP_TIMEOUT = 5_000;
/** Lines of a gateway's log that are shown when it fails. */
const LAST_WORDS = 5;

export interface GatewayFiles {
  /** The gateway program. */
  readonly program: string;
  /** The lab's own folder, 0700: configurations, logs, state. */
  readonly folder: string;
}

/** One gateway of the lab: a process of its own, known by nothing but its configuration and its status. */
export class GatewayProcess {
  readonly plan: GatewayPlan;
  /** Settles when the process is gone. */
  readonly exited: Promise<void>;

  private readonly child: ChildProcess;
  private readonly network: NetworkPlan;
  private readonly logFile: string;
  /** Exit code or signal, once it has ended. */
  private end: string | undefined;

  constructor(plan: GatewayPlan, network: NetworkPlan, files: GatewayFiles, options: readonly string[]) {
    this.plan = plan;
    this.network = network;
    const configuration = join(files.folder, `${plan.name}.conf`);
    writeFileSync(configuration, gatewayConfiguration(network, plan), { mode: 0o600 });
    this.logFile = join(files.folder, `${plan.name}.log`);
    const log = openSync(this.logFile, 'w', 0o600);
    const [program, ...words] = [...boundToUs(), process.execPath, files.program, 'up', configuration];
    this.child = spawn(program, [...words, ...options], {
      cwd: files.folder,
      // A group of its own: Ctrl-C is for the lab, which then ends the gateways in its own time.
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, NO_COLOR: '1' },
    });
    closeSync(log);
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

  /** Resolves once the gateway answers; rejects with its last words when it ends or the signal comes first. */
  async ready(signal: AbortSignal): Promise<GatewayView> {
    for (;;) {
      const view = await this.status();
      if (view !== undefined) return view;
      if (this.end !== undefined)
        throw new Error(`gateway ${this.plan.number} is not up: ${this.lastWords()}`);
      if (signal.aborted)
        throw new Error(`gateway ${this.plan.number} is not up in time: ${this.lastWords()}`);
      await sleep(READY_POLL);
    }
  }

  /** The gateway's own view of itself, or `undefined` while it does not answer. */
  async status(): Promise<GatewayView | undefined> {
    if (this.end !== undefined) return undefined;
    try {
      const answer = await askGateway(uapiDirectory(), this.plan.name, STATUS_OPERATION);
      if (answer === undefined) return undefined;
      return gatewayView(JSON.parse(answer) as GatewayStatus, this.plan, this.network);
    } catch {
      return undefined;
    }
  }

  /** Milliseconds until `address` answered an ICMP echo sent through the tunnel; `undefined` without an answer. */
  async ping(address: string): Promise<number | undefined> {
    if (this.end !== undefined) return undefined;
    try {
      const answer = await askGateway(uapiDirectory(), this.plan.name, `ping=${address}`);
      const time = /^round_trip_ms=([0-9.]+)$/m.exec(answer ?? '');
      return time === null ? undefined : Number(time[1]);
    } catch {
      return undefined;
    }
  }

  /** Ends the process as Ctrl-C does, so that it takes everything back; kills it when it does not leave. */
  async stop(): Promise<void> {
    if (this.end !== undefined) return;
    this.child.kill('SIGTERM');
    const kill = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT);
    await this.exited;
    clearTimeout(kill);
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
