import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayStatus, STATUS_OPERATION } from '../gateway/status.js';
import { askGateway } from '../gateway/uapi-client.js';
import { uapiDirectory } from '../gateway/uapi-path.js';
import type { GatewayPlan, NetworkPlan } from './network.js';
import { Program, type ProgramFiles } from './program.js';
import { type GatewayView, gatewayView } from './view.js';

/** Between two looks whether a gateway answers, in ms. */
const READY_POLL = 50;

/** One gateway of the lab: factory-fresh, a process of its own, known by nothing but its claim and its status. */
export class GatewayProcess {
  readonly plan: GatewayPlan;
  private readonly program: Program;
  private readonly network: NetworkPlan;

  /** It waits for its claim. */
  constructor(plan: GatewayPlan, network: NetworkPlan, files: ProgramFiles, options: readonly string[]) {
    this.plan = plan;
    this.network = network;
    const words = [files.gateway, 'run', '--claim', '-', '--name', plan.name, ...options];
    this.program = new Program(files.folder, plan.name, words, true);
  }

  /** Through a pipe: what stands in the command line, every user can read. */
  giveClaim(claim: string): void {
    this.program.write(claim);
  }

  get ended(): boolean {
    return this.program.ended !== undefined;
  }

  /** Resolves once the gateway answers; rejects with its last words when it ends or the signal comes first. */
  async ready(signal: AbortSignal): Promise<GatewayView> {
    for (;;) {
      const view = await this.status();
      if (view !== undefined) return view;
      if (this.ended) throw new Error(`gateway ${this.plan.number} is not up: ${this.lastWords()}`);
      if (signal.aborted)
        throw new Error(`gateway ${this.plan.number} is not up in time: ${this.lastWords()}`);
      await sleep(READY_POLL);
    }
  }

  /** The gateway's own view of itself, or `undefined` while it does not answer. */
  async status(): Promise<GatewayView | undefined> {
    const answer = await this.ask(STATUS_OPERATION);
    return answer === undefined
      ? undefined
      : gatewayView(JSON.parse(answer) as GatewayStatus, this.plan, this.network);
  }

  /** Milliseconds until `address` answered an ICMP echo sent through the tunnel; `undefined` without an answer. */
  async ping(address: string): Promise<number | undefined> {
    const time = /^round_trip_ms=([0-9.]+)$/m.exec((await this.ask(`ping=${address}`)) ?? '');
    return time === null ? undefined : Number(time[1]);
  }

  stop(): Promise<void> {
    return this.program.stop();
  }

  abandon(): void {
    this.program.abandon();
  }

  lastWords(): string {
    return this.program.lastWords();
  }

  private async ask(operation: string): Promise<string | undefined> {
    if (this.ended) return undefined;
    try {
      return await askGateway(uapiDirectory(), this.plan.name, operation);
    } catch {
      return undefined;
    }
  }
}
