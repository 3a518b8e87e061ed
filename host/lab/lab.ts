import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../gateway/errors.js';
import { requireProgram } from '../gateway/platform/command.js';
import { chooseMode } from '../gateway/platform/mode.js';
import { type ClientAnswer, ControlProcess } from './control-process.js';
import { GatewayProcess } from './gateway-process.js';
import { type GatewayPlan, type GuestPlan, generateKeys, type NetworkPlan, planNetwork } from './network.js';
import { type Probe, Probes } from './probes.js';
import { freePorts, requestEcho, requestPage, type Services, startServices } from './services.js';
import type { GatewayView, LabView } from './view.js';

/** How long one request may take, in ms. */
const REQUEST_TIMEOUT = 2_000;

/**
 * The gateways never touch this machine's own network, not even for root: they live in namespaces of their own, or
 * in user space where those are forbidden.
 */
export type LabMode = 'rootless' | 'minimal';

export const LAB_MODES: readonly LabMode[] = ['rootless', 'minimal'];

export interface LabOptions {
  readonly gateways: number;
  /** The local network may reach the gateways' UDP ports; otherwise this machine alone. */
  readonly listen: boolean;
  /** `undefined`: the better one that this machine allows. */
  readonly mode: LabMode | undefined;
  /** The bundles of the programs. */
  readonly gatewayProgram: string;
  readonly controlProgram: string;
}

const TENANT = 'lab';
/** Between two looks whether a gateway has enrolled, in ms. */
const ENROL_POLL = 10;

/** A control plane, a full mesh of gateways, each a process of its own, and what is sent through their tunnels. */
export class Lab {
  readonly network: NetworkPlan;
  readonly mode: LabMode;
  /** Why something is less than it could be. */
  readonly notes: readonly string[];
  /** Logs and state of all; for this user's eyes only. */
  readonly folder: string;
  readonly control: ControlProcess;
  readonly gateways: readonly GatewayProcess[];

  private readonly services: Services;
  private readonly started = performance.now();
  private readonly pings = new Probes();
  private readonly requests = new Probes();

  private constructor(
    network: NetworkPlan,
    mode: LabMode,
    notes: readonly string[],
    folder: string,
    services: Services,
    options: LabOptions,
  ) {
    this.network = network;
    this.mode = mode;
    this.notes = notes;
    this.folder = folder;
    this.services = services;
    const files = { folder, gateway: options.gatewayProgram, control: options.controlProgram };
    this.control = new ControlProcess(files);
    this.gateways = network.gateways.map(
      (plan) => new GatewayProcess(plan, network, files, this.optionsOf(plan, options.listen)),
    );
  }

  /** Starts everything at once; `ready` tells when it runs. The folder is made here and removed by `stop`. */
  static async start(options: LabOptions): Promise<Lab> {
    const { mode, notes } = await chooseLabMode(options.mode);
    const forwards = await freePorts(mode === 'minimal' ? 'udp' : 'tcp', options.gateways);
    const services = await startServices();
    const folder = mkdtempSync(join(tmpdir(), 'cloudbridge-lab-'));
    // The gateways' control sockets go into the folder too, but for root, whose sockets are where `wg` looks.
    process.env.XDG_RUNTIME_DIR = folder;
    const network = planNetwork(forwards, `-${process.pid.toString(36)}`);
    return new Lab(network, mode, notes, folder, services, options);
  }

  /**
   * Lets the gateways enrol, one after the other so that they get their addresses in order, and resolves when every one
   * answers; rejects with the reason when one ends or `signal` comes first.
   */
  async ready(signal: AbortSignal): Promise<void> {
    await this.control.ready(signal);
    const claim = { prefix: this.network.prefix, uses: this.gateways.length, expires: 3600 };
    const { url } = await this.control.request<{ url: string }>(
      'POST',
      `/api/v1/tenants/${TENANT}/claims`,
      claim,
    );
    for (const [index, gateway] of this.gateways.entries()) {
      gateway.giveClaim(url);
      while ((await this.enrolled()) <= index) {
        if (gateway.ended || signal.aborted) {
          throw new Error(`gateway ${index + 1} did not enrol: ${gateway.lastWords()}`);
        }
        await sleep(ENROL_POLL);
      }
    }
    await Promise.all(this.gateways.map((gateway) => gateway.ready(signal)));
  }

  /** Makes a stock WireGuard client a member, with gateway 1 as its peer. */
  async admitGuest(): Promise<GuestPlan> {
    const keys = generateKeys();
    const body = { name: 'guest', public_key: keys.publicKey };
    const path = `/api/v1/tenants/${TENANT}/clients`;
    const { address, peers } = await this.control.request<ClientAnswer>('POST', path, body);
    const own = `${this.network.gateways[0].address}/32`;
    const peer = peers.find(({ allowed_ips }) => allowed_ips.includes(own));
    const first = await this.gateways[0].status();
    if (peer === undefined || first === undefined) throw new Error('gateway 1 is gone');
    const { public_key: publicKey, preshared_key: presharedKey } = peer;
    return { keys, address, publicKey, presharedKey, port: first.listenPort };
  }

  /** Kills the control plane, or starts it again. */
  async toggleControl(): Promise<void> {
    if (this.control.running) await this.control.kill();
    else this.control.restart();
  }

  /** What is asked through the tunnel: minimal mode has no TCP. */
  get requestKind(): 'http' | 'udp-echo' {
    return this.mode === 'minimal' ? 'udp-echo' : 'http';
  }

  /** Pings from each gateway to each other one, at once. */
  async pingAll(): Promise<void> {
    await Promise.all(
      this.gateways.flatMap((from) =>
        this.network.gateways
          .filter((to) => to !== from.plan)
          .map(async (to) => {
            const probe = this.pings.begin(from.plan.number, to.number);
            const time = await from.ping(to.address);
            this.pings.end(probe, time, time === undefined ? 'no answer' : 'echo reply');
          }),
      ),
    );
  }

  /** Asks gateway 1's service from each other gateway, at once: a connection through the tunnel for each. */
  async requestAll(): Promise<void> {
    const [first, ...others] = this.network.gateways;
    await Promise.all(
      others.map(async (from) => {
        const probe: Probe = this.requests.begin(from.number, first.number);
        const text = `/gateway-${from.number}/request-${probe.sent}`;
        const request = this.requestKind === 'http' ? requestPage : requestEcho;
        const result = await request(from.forwardPort, text, REQUEST_TIMEOUT);
        this.requests.end(probe, result.ok ? result.milliseconds : undefined, result.detail);
      }),
    );
  }

  /** Since the start. */
  get seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  /** How everything stands now. A gateway that does not answer is not in the view. */
  async look(): Promise<LabView> {
    const views = await Promise.all(this.gateways.map((gateway) => gateway.status()));
    return {
      seconds: this.seconds,
      control: {
        running: this.control.running,
        url: this.control.url,
        seconds: (performance.now() - this.control.since) / 1000,
      },
      gateways: views.filter((view): view is GatewayView => view !== undefined),
      silent: this.gateways
        .filter((_, index) => views[index] === undefined)
        .map((gateway) => ({ number: gateway.plan.number, reason: gateway.lastWords() })),
      pings: this.pings.list(),
      requests: this.requests.list(),
    };
  }

  /** Ends all programs and removes the folder, unless it is to be kept. */
  async stop(keepFolder: boolean): Promise<void> {
    await Promise.all([...this.gateways, this.control].map((program) => program.stop()));
    this.services.close();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** What can still be done when the event loop has ended: kills the programs and removes the folder. */
  abandon(keepFolder: boolean): void {
    for (const program of [...this.gateways, this.control]) program.abandon();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** How many have enrolled. */
  private async enrolled(): Promise<number> {
    const path = `/api/v1/tenants/${TENANT}/gateways`;
    return (await this.control.request<{ gateways: unknown[] }>('GET', path)).gateways.length;
  }

  private optionsOf(plan: GatewayPlan, listen: boolean): string[] {
    const { webPort, echoPort, gateways } = this.network;
    const [protocol, inside, outside] =
      this.requestKind === 'http'
        ? ['tcp', webPort, this.services.httpPort]
        : ['udp', echoPort, this.services.echoPort];
    const forwarding =
      plan.number === 1
        ? ['--expose', `${protocol}:${inside}=127.0.0.1:${outside}`]
        : ['--forward', `${protocol}:127.0.0.1:${plan.forwardPort}=${gateways[0].address}:${inside}`];
    return [
      ...['--mode', this.mode, '--state-dir', join(this.folder, 'state'), '--log-format', 'human'],
      ...(listen ? [] : ['--listen-address', '127.0.0.1']),
      ...forwarding,
    ];
  }
}

async function chooseLabMode(asked: LabMode | undefined): Promise<{ mode: LabMode; notes: string[] }> {
  const consequence = 'user space has no TCP, so a UDP echo replaces HTTP';
  if (asked === 'minimal') return { mode: 'minimal', notes: [consequence] };
  try {
    await chooseMode({ forced: 'rootless' });
    requireProgram('ping', 'iputils-ping');
    return { mode: 'rootless', notes: [] };
  } catch (error) {
    if (asked === 'rootless') throw error;
    return { mode: 'minimal', notes: [`${messageOf(error)}; ${consequence}`] };
  }
}
