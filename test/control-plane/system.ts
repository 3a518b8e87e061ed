/** A control plane in this process and gateways' control ends towards it: the real server, database, links and agents. */

import { randomBytes } from 'node:crypto';
import { type CreatedClaim, createClaim, type NewClaim } from '../../host/control-plane/claims.js';
import { type Database, openDatabase } from '../../host/control-plane/database.js';
import type { ControlOptions } from '../../host/control-plane/options.js';
import { ControlServer, type ServerOptions } from '../../host/control-plane/server.js';
import { NodeClock } from '../../host/gateway/clock.js';
import { NodeHttpClient } from '../../host/gateway/control/http-client.js';
import { GatewayIdentity } from '../../host/gateway/control/identity.js';
import { NodeLinks } from '../../host/gateway/control/links.js';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { NodeTimer } from '../../host/gateway/timer.js';
import { ControlAgent } from '../../src/control/agent.js';
import { AgentLoop } from '../../src/control/agent-loop.js';
import type { Envelope } from '../../src/control/envelope.js';
import type { SessionTiming } from '../../src/control/session-options.js';
import type { ControlEndpoint, EnrolmentResult } from '../../src/identity/enrolment.js';
import { Login } from '../../src/identity/login.js';
import type { HttpAnswer, Log } from '../../src/ports.js';
import { MemoryStore } from '../wireguard/virtual/world.js';

export const ADMIN = 'the-token-of-the-administrator';

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export class MemoryLog implements Log {
  readonly lines: LogLine[] = [];
  write(level: string, event: string, fields?: object): void {
    this.lines.push({ level, event, ...fields });
  }
  has(event: string): boolean {
    return this.lines.some((line) => line.event === event);
  }
}

/** Quick, so that tests need not wait; what is timed here is never judged. */
const TIMING: Partial<SessionTiming> = {
  heartbeat: 1_000,
  ackTimeout: 3_000,
  reconnectSpread: 1_000,
  handshakeTimeout: 5_000,
};

export class System {
  readonly log = new MemoryLog();
  readonly gateways: ControlEnd[] = [];
  readonly database: Database;
  server!: ControlServer;
  readonly #options: Partial<ControlOptions>;
  readonly #parts: Partial<ServerOptions>;

  static async start(
    options: Partial<ControlOptions> = {},
    parts: Partial<ServerOptions> = {},
  ): Promise<System> {
    const system = new System(await openDatabase(undefined), options, parts);
    await system.serve(0);
    return system;
  }

  private constructor(database: Database, options: Partial<ControlOptions>, parts: Partial<ServerOptions>) {
    this.database = database;
    this.#parts = parts;
    this.#options = { cloneWindow: 1_500, comeBackWithin: 1, ...options };
  }

  async serve(port: number): Promise<void> {
    this.server = await ControlServer.start({
      database: this.database,
      log: this.log,
      adminToken: ADMIN,
      host: '127.0.0.1',
      port,
      options: this.#options,
      ...this.#parts,
    });
  }

  async stop(): Promise<void> {
    for (const gateway of this.gateways) gateway.stop();
    await this.server.stop();
    await this.database.close();
  }

  claim(claim: Partial<NewClaim> = {}): Promise<CreatedClaim> {
    return createClaim(this.database, { tenant: 'acme', uses: 1, expires: 3600, ...claim });
  }

  /** An enrolled gateway, not started. */
  async gateway(tenant = 'acme'): Promise<ControlEnd> {
    const { token } = await this.claim({ tenant });
    const gateway = new ControlEnd(this.server.url);
    const result = await gateway.redeem(token);
    if (!result.ok) throw new Error(result.reason);
    this.gateways.push(gateway);
    return gateway;
  }

  async request(
    method: string,
    path: string,
    body?: object,
    token = ADMIN,
  ): Promise<{
    status: number; // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each checked by its test
    body: any;
  }> {
    const response = await fetch(this.server.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }
}

/** A gateway without its tunnel. */
export class ControlEnd {
  readonly control: string;
  readonly store: MemoryStore;
  readonly signals: Envelope[] = [];
  readonly log = new MemoryLog();
  readonly identity: GatewayIdentity;
  /** In the place of those of the enrolment. */
  endpoints: readonly ControlEndpoint[] | undefined;
  /** In the place of the usual. */
  timing: Partial<SessionTiming> = TIMING;
  agent!: ControlAgent;
  #loop: AgentLoop | undefined;

  constructor(control: string, store = new MemoryStore()) {
    this.control = control;
    this.store = store;
    this.identity = new GatewayIdentity(new NodePrimitives(), store);
  }

  get id(): string {
    return this.identity.enrolment!.gateway;
  }

  redeem(token: string): Promise<EnrolmentResult> {
    const device = { hostname: 'test', os: 'test', arch: 'test', version: '0' };
    return new Promise((resolve) => {
      this.identity.enroller.redeem({ control: this.control, token }, device, resolve);
    });
  }

  login(): Login {
    const { enrolment, keys } = this.identity;
    return new Login(new NodePrimitives(), new NodeClock(), new NodeHttpClient(), enrolment!, keys.identity);
  }

  start(port = 0): this {
    const clock = new NodeClock();
    const primitives = new NodePrimitives();
    const known = this.identity.enrolment!;
    const enrolment = { ...known, endpoints: this.endpoints ?? known.endpoints };
    this.agent = new ControlAgent({
      primitives,
      clock,
      random: Math.random,
      store: this.identity.store,
      keys: this.identity.keys,
      enrolment,
      credentials: this.login(),
      links: new NodeLinks(enrolment, []),
      actions: {
        changed: () => {},
        facts: () => ({ uptime: 1, firmware: 'test', peers: [] }),
        signal: (envelope) => this.signals.push(envelope),
      },
      firmware: 'test',
      boot: randomBytes(8).toString('hex'),
      timing: this.timing,
      log: this.log,
    });
    if (port !== 0) this.agent.setEndpoints([`0.0.0.0:${port}`]);
    this.#loop = new AgentLoop(this.agent, clock, new NodeTimer(), this.log);
    this.#loop.start();
    return this;
  }

  /** As by a power cut: nobody is told. */
  stop(): void {
    this.#loop?.stop('over');
    this.#loop = undefined;
  }

  /** Raw POST, as an attacker would. */
  post(path: string, body: object): Promise<HttpAnswer> {
    return new Promise((resolve) => {
      new NodeHttpClient().post(this.control + path, JSON.stringify(body), undefined, resolve);
    });
  }
}

export async function until(condition: () => boolean, what: string, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
