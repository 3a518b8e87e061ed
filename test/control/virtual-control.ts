/** A control plane and gateways on a virtual clock: the agent's real code, an honest (or lying) server of few lines. */

import { ControlAgent } from '../../src/control/agent.js';
import type { AgentActions } from '../../src/control/agent-options.js';
import { type Envelope, readEnvelope } from '../../src/control/envelope.js';
import type { Credentials, Link, LinkEvents, LinkFactory, Route } from '../../src/control/link.js';
import type { RecordValue } from '../../src/control/shape.js';
import type { Enrolment } from '../../src/identity/enrolment.js';
import { DeviceKeys } from '../../src/identity/keys.js';
import { SealedStore } from '../../src/identity/sealed-store.js';
import type { Store } from '../../src/ports.js';
import { nodePrimitives, Seed, VirtualClock } from '../wireguard/virtual/world.js';

export const ENROLMENT: Enrolment = {
  gateway: 'gw-1',
  tenant: 'acme',
  control: 'https://control.example',
  endpoints: [{ kind: 'websocket', url: 'wss://control.example/ws' }],
  address: ['10.8.0.1/32'],
  tenantCidr: ['10.8.0.0/24'],
};

/** Delivers messages in order, each in a turn of its own; knows no state but what a test gives it. */
export class FakeControl implements LinkFactory {
  readonly clock: VirtualClock;
  readonly heard: Envelope[] = [];
  readonly opened: Route[] = [];
  /** Hosts that cannot be reached. */
  readonly unreachable = new Set<string>();
  down = false;
  /** How far its clock is from ours, ms. */
  clockOffset = 0;
  /** What `welcome` says besides the usual. */
  welcome: RecordValue = {};
  /** Called for each message after the answers that every server gives. */
  onMessage: ((envelope: Envelope) => void) | undefined;
  #events: LinkEvents | undefined;
  #later: (() => void)[] = [];

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  open(route: Route, _token: string, events: LinkEvents): Link {
    this.opened.push(route);
    let open = true;
    const host = /\/\/([^/]+)/.exec(route.url)?.[1] ?? '';
    this.#later.push(() => {
      if (!open) return;
      if (this.down || this.unreachable.has(host)) events.closed('unreachable');
      else {
        this.#events = events;
        events.opened();
      }
    });
    return {
      send: (text) => {
        this.#later.push(() => {
          if (open && !this.down) this.#hear(text, events);
        });
        return true;
      },
      close: () => {
        open = false;
        if (this.#events === events) this.#events = undefined;
      },
    };
  }

  /** Forgets what is under way: the other end lost its power. */
  cut(): void {
    this.#later = [];
    this.#events = undefined;
  }

  /** The connection breaks, and the gateway notices. */
  lose(): void {
    const events = this.#events;
    this.#events = undefined;
    this.#later.push(() => events?.closed('lost'));
  }

  say(type: string, data: RecordValue, extra: Partial<Envelope> = {}): void {
    this.sayText(JSON.stringify({ type, data, ...extra }));
  }

  sayText(text: string): void {
    const events = this.#events;
    this.#later.push(() => {
      if (events && events === this.#events) events.received(text);
    });
  }

  /** False when there was nothing to do. */
  step(): boolean {
    const next = this.#later.shift();
    next?.();
    return next !== undefined;
  }

  #hear(text: string, events: LinkEvents): void {
    const read = readEnvelope(text, 'up');
    if (!read.ok) throw new Error(`the gateway said something wrong: ${read.detail}`);
    const { envelope } = read;
    this.heard.push(envelope);
    if (events !== this.#events) return;
    const time = this.clock.wall() + this.clockOffset;
    if (envelope.type === 'hello')
      this.say('welcome', { session: 's', epoch: 'e', version: 0, time, ...this.welcome });
    if (envelope.type === 'heartbeat') this.say('ack', { of: envelope.id!, time });
    this.onMessage?.(envelope);
  }
}

export interface AgentWorld {
  readonly clock: VirtualClock;
  readonly server: FakeControl;
  readonly agent: ControlAgent;
  readonly keys: DeviceKeys;
  changes: number;
  /** Runs everything that happens within the next `ms`. */
  run(ms: number): void;
}

export interface AgentWorldOptions {
  readonly seed?: number;
  readonly clock?: VirtualClock;
  readonly server?: FakeControl;
  readonly actions?: Partial<AgentActions>;
  readonly welcome?: RecordValue;
  readonly tunnelFirst?: boolean;
}

/** One start of a gateway with this storage. */
export function startAgent(store: Store, options: AgentWorldOptions = {}): AgentWorld {
  const clock = options.clock ?? new VirtualClock();
  const server = options.server ?? new FakeControl(clock);
  server.cut();
  server.welcome = options.welcome ?? server.welcome;
  const random = new Seed(options.seed ?? 1);
  const primitives = nodePrimitives();
  const keys = new DeviceKeys(primitives, store);
  const agent = new ControlAgent({
    primitives,
    clock,
    random: () => random.next(),
    store: new SealedStore(primitives, store, keys.identity.privateKey),
    keys,
    enrolment: ENROLMENT,
    credentials: LASTING,
    links: server,
    actions: {
      changed: () => {
        world.changes++;
        options.actions?.changed?.();
      },
      facts: () => ({ uptime: 1, firmware: 'test', peers: [] }),
      ...options.actions,
    } as AgentActions,
    firmware: 'test',
    tunnelFirst: options.tunnelFirst,
    boot: `boot-${random.below(1e9)}`,
  });
  const world: AgentWorld = {
    clock,
    server,
    agent,
    keys,
    changes: 0,
    run: (ms) => {
      const end = clock.monotonic() + ms;
      for (;;) {
        while (server.step());
        const next = agent.nextDeadline();
        if (next > end) break;
        clock.set(Math.max(next, clock.monotonic()));
        agent.advance();
      }
      clock.set(end);
    },
  };
  agent.start();
  return world;
}

/** A token for ever. */
const LASTING: Credentials = {
  token: () => 'token',
  refreshAt: () => Number.POSITIVE_INFINITY,
  renew: (done) => done(undefined),
  accept: () => {},
  reject: () => {},
};
