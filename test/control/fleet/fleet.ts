/**
 * A fleet in virtual time: the real code of each gateway's control end (enrolment, login, agent) with storage of its
 * own, against a server of few lines that admits as many sessions a second as the real one does.
 */

import { ControlAgent } from '../../../src/control/agent.js';
import type { Link, LinkEvents, LinkFactory, Route } from '../../../src/control/link.js';
import { keyToBase64 } from '../../../src/crypto/key-text.js';
import { Enroller } from '../../../src/identity/enrolment.js';
import { DeviceKeys } from '../../../src/identity/keys.js';
import { Login } from '../../../src/identity/login.js';
import { SealedStore } from '../../../src/identity/sealed-store.js';
import type { HttpAnswer, HttpClient } from '../../../src/ports.js';
import { MemoryStore, nodePrimitives, Seed, VirtualClock } from '../../wireguard/virtual/world.js';

/** ms */
const LATENCY = 30;
const CONTROL = 'https://control.example';

export interface FleetOptions {
  readonly size: number;
  readonly seed: number;
  /** Sessions the server admits a second; more are told when to come back, as by the real one. */
  readonly admitted: number;
}

/** What reached the server, second by second. */
class Rate {
  readonly #seconds = new Map<number, number>();
  count(now: number): void {
    const second = Math.floor(now / 1000);
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + 1);
  }
  /** Most in one second of the time from `from` on, monotonic ms. */
  peak(from: number): number {
    let most = 0;
    for (const [second, count] of this.#seconds)
      if (second * 1000 >= from - 1000) most = Math.max(most, count);
    return most;
  }
  total(from: number): number {
    let sum = 0;
    for (const [second, count] of this.#seconds) if (second * 1000 >= from - 1000) sum += count;
    return sum;
  }
}

/** Things to come, earliest first. */
class Agenda {
  readonly #heap: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  get next(): number {
    return this.#heap.length === 0 ? Number.POSITIVE_INFINITY : this.#heap[0].at;
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    let i = heap.length;
    const entry = { at, order: this.#order++, run };
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  take(): () => void {
    const heap = this.#heap;
    const { run } = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return run;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return run;
  }
}

interface Dated {
  readonly at: number;
  readonly order: number;
}

function before(a: Dated, b: Dated): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Answers what every server answers, and forgets; reachable or not. */
class FleetServer {
  readonly fleet: Fleet;
  up = true;
  readonly attempts = new Rate();
  readonly logins = new Rate();
  readonly heartbeats = new Rate();
  readonly enrolments = new Rate();
  turnedAway = 0;
  readonly #sessions = new Set<LinkEvents>();
  #credit = 0;
  #creditAt = 0;

  constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Every connection breaks. `planned`: each gateway is told first when to come back, as by the real one. */
  stop(planned: boolean): void {
    this.up = false;
    const spread = Math.max(10, (2 * this.#sessions.size) / this.fleet.options.admitted);
    for (const events of this.#sessions) {
      const data = { reason: 'stopping', retry_after: Math.ceil(this.fleet.random() * spread) };
      if (planned) this.fleet.later(LATENCY, () => events.received(JSON.stringify({ type: 'bye', data })));
      this.fleet.later(LATENCY + 1, () => events.closed('the connection broke'));
    }
    this.#sessions.clear();
  }

  http(path: string): Partial<HttpAnswer> {
    if (!this.up) return { status: 0, error: 'connection refused' };
    if (path === '/api/v1/login') {
      this.logins.count(this.fleet.clock.monotonic());
      return { body: '{"token":"t","expires_in":3600}' };
    }
    if (path === '/api/v1/login/challenge') return { body: CHALLENGE };
    this.enrolments.count(this.fleet.clock.monotonic());
    const device_id = `gw-${this.enrolments.total(0)}`;
    const endpoints = [{ kind: 'websocket', url: 'wss://control.example/ws' }];
    const address = { peer_ip: ['10.0.0.1/32'], tenant_cidr: ['10.0.0.0/8'] };
    return { body: JSON.stringify({ device_id, tenant_id: 'acme', endpoints, ...address }) };
  }

  open(events: LinkEvents): Link {
    const { fleet } = this;
    let over = false;
    fleet.later(LATENCY, () => {
      if (over) return;
      this.attempts.count(fleet.clock.monotonic());
      if (!this.up) events.closed('connection refused');
      else if (!this.#admit()) {
        this.turnedAway++;
        events.closed('503', 1000 * (1 + Math.floor(fleet.random() * 30)));
      } else {
        this.#sessions.add(events);
        events.opened();
      }
    });
    return {
      send: (text) => {
        if (this.#sessions.has(events)) fleet.later(LATENCY, () => this.#hear(text, events));
        return true;
      },
      close: () => {
        over = true;
        this.#sessions.delete(events);
      },
    };
  }

  #hear(text: string, events: LinkEvents): void {
    if (!this.#sessions.has(events)) return;
    const { type, id } = JSON.parse(text) as { type: string; id?: string };
    const time = this.fleet.clock.wall();
    if (type === 'hello') {
      events.received(
        JSON.stringify({
          type: 'welcome',
          data: { session: 's', epoch: 'e', version: 0, heartbeat: 30, time },
        }),
      );
    }
    if (type !== 'heartbeat') return;
    this.heartbeats.count(this.fleet.clock.monotonic());
    events.received(JSON.stringify({ type: 'ack', data: { of: id, time } }));
  }

  #admit(): boolean {
    const { admitted } = this.fleet.options;
    const now = this.fleet.clock.monotonic();
    this.#credit = Math.min(admitted, this.#credit + ((now - this.#creditAt) * admitted) / 1000);
    this.#creditAt = now;
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }
}

/** A server key of any kind does: the simulated server believes every proof. */
const CHALLENGE = JSON.stringify({
  challenge: keyToBase64(new Uint8Array(32).fill(1)),
  server_key: keyToBase64(new Uint8Array(32).fill(9)),
  ticket: 't',
});

export class Fleet {
  readonly options: FleetOptions;
  readonly clock = new VirtualClock();
  readonly server: FleetServer;
  readonly agents: ControlAgent[] = [];
  readonly #seed: Seed;
  readonly #agenda = new Agenda();
  readonly #primitives = nodePrimitives();
  /** The deadline each agent is on the agenda for: an earlier entry is stale. */
  readonly #due: number[] = [];

  constructor(options: FleetOptions) {
    this.options = options;
    this.#seed = new Seed(options.seed);
    this.server = new FleetServer(this);
  }

  random(): number {
    return this.#seed.next();
  }

  /** Gateways whose control lamp is green. */
  get healthy(): number {
    let count = 0;
    for (const { session } of this.agents) if (session.healthy) count++;
    return count;
  }

  later(ms: number, run: () => void): void {
    this.#agenda.add(this.clock.monotonic() + ms, run);
  }

  run(ms: number): void {
    const end = this.clock.monotonic() + ms;
    while (this.#agenda.next <= end) {
      this.clock.set(Math.max(this.#agenda.next, this.clock.monotonic()));
      this.#agenda.take()();
    }
    this.clock.set(end);
  }

  /** Switches all of them on within `ms`, each with a claim. */
  enrol(ms: number): void {
    for (let i = 0; i < this.options.size; i++) this.later(this.random() * ms, () => this.#boot());
  }

  #boot(): void {
    const store = new MemoryStore();
    const keys = new DeviceKeys(this.#primitives, store);
    const sealed = new SealedStore(this.#primitives, store, keys.identity.privateKey);
    let index = -1;
    const http: HttpClient = {
      post: (url, _body, _token, done) => {
        this.later(2 * LATENCY, () => {
          const answer = this.server.http(url.slice(CONTROL.length));
          done({ status: 200, body: '', error: undefined, retryAfter: 0, ...answer });
          if (index >= 0) this.#schedule(index);
        });
      },
    };
    const enroller = new Enroller(this.#primitives, sealed, keys, http);
    const device = { hostname: 'sim', os: 'sim', arch: 'sim', version: '0' };
    enroller.redeem({ control: CONTROL, token: 'claim-for-many' }, device, (result) => {
      if (!result.ok) {
        this.later(10_000 * this.random(), () => this.#boot());
        return;
      }
      const { enrolment } = result;
      const agent = new ControlAgent({
        primitives: this.#primitives,
        clock: this.clock,
        random: () => this.random(),
        store: sealed,
        keys,
        enrolment,
        credentials: new Login(this.#primitives, this.clock, http, enrolment, keys.identity),
        links: this.#links(() => index),
        actions: { changed: () => {}, facts: () => ({ uptime: 1, firmware: 'sim', peers: [] }) },
        firmware: 'sim',
        boot: 'sim',
      });
      index = this.agents.push(agent) - 1;
      agent.start();
      this.#schedule(index);
    });
  }

  #links(index: () => number): LinkFactory {
    return {
      open: (_route: Route, _token: string, events: LinkEvents): Link => {
        const after =
          <T extends unknown[]>(call: (...args: T) => void) =>
          (...args: T): void => {
            call(...args);
            this.#schedule(index());
          };
        return this.server.open({
          opened: after(() => events.opened()),
          received: after((text: string) => events.received(text)),
          closed: after((reason: string, retryAfter?: number) => events.closed(reason, retryAfter)),
          unauthorized: after((reason: string) => events.unauthorized(reason)),
        });
      },
    };
  }

  #schedule(index: number): void {
    const deadline = this.agents[index].nextDeadline();
    if (deadline === Number.POSITIVE_INFINITY || this.#due[index] === deadline) return;
    this.#due[index] = deadline;
    this.#agenda.add(Math.max(deadline, this.clock.monotonic()), () => {
      if (this.#due[index] !== deadline) return;
      this.#due[index] = Number.NaN;
      this.agents[index].advance();
      this.#schedule(index);
    });
  }
}

export interface FleetReport {
  readonly size: number;
  readonly admitted: number;
  /** Most of each in one second. */
  readonly enrolmentPeak: number;
  readonly heartbeatPeak: number;
  readonly outageAttemptsPerSecond: number;
  readonly returnPeak: number;
  readonly loginPeak: number;
  /** ms from the server's return until all lamps were green. */
  readonly recovery: number;
  readonly restartPeak: number;
  readonly restartRecovery: number;
  readonly crashPeak: number;
  readonly crashRecovery: number;
}

const MINUTE = 60_000;

/** Enrol, live, an hour without the control plane, its return; then a planned restart and a crash. */
export function fleetStory(options: FleetOptions, say: (line: string) => void = () => {}): FleetReport {
  const fleet = new Fleet(options);
  const { server, clock } = fleet;
  const { size } = options;
  fleet.enrol(Math.max(MINUTE, (size / options.admitted) * 2_000));
  const enrolled = untilHealthy(fleet);
  say(
    `enrolled and green after ${seconds(enrolled)}, at most ${server.enrolments.peak(0)} enrolments a second`,
  );
  const living = clock.monotonic();
  fleet.run(3 * MINUTE);
  const heartbeatPeak = server.heartbeats.peak(living);
  say(`three minutes of life: at most ${heartbeatPeak} heartbeats a second, ${fleet.healthy} green`);

  const outage = clock.monotonic();
  server.stop(false);
  fleet.run(60 * MINUTE);
  const outageAttemptsPerSecond = server.attempts.total(outage) / 3600;
  say(`an hour without the control plane: ${outageAttemptsPerSecond.toFixed(1)} attempts a second`);
  const back = clock.monotonic();
  server.up = true;
  const recovery = untilHealthy(fleet);
  const returnPeak = server.attempts.peak(back);
  const loginPeak = server.logins.peak(back);
  say(
    `its return: at most ${returnPeak} connections and ${loginPeak} logins a second, green after ${seconds(recovery)}`,
  );

  const [restartPeak, restartRecovery] = restart(fleet, true);
  say(
    `a restart of 2 s: at most ${restartPeak} connections a second, green after ${seconds(restartRecovery)}`,
  );
  const [crashPeak, crashRecovery] = restart(fleet, false);
  say(`a crash of 2 s: at most ${crashPeak} connections a second, green after ${seconds(crashRecovery)}`);
  return {
    size,
    admitted: options.admitted,
    enrolmentPeak: server.enrolments.peak(0),
    heartbeatPeak,
    outageAttemptsPerSecond,
    returnPeak,
    loginPeak,
    recovery,
    restartPeak,
    restartRecovery,
    crashPeak,
    crashRecovery,
  };
}

function restart(fleet: Fleet, planned: boolean): [peak: number, recovery: number] {
  fleet.run(MINUTE);
  const at = fleet.clock.monotonic();
  fleet.server.stop(planned);
  fleet.run(2_000);
  fleet.server.up = true;
  const recovery = untilHealthy(fleet, true);
  return [fleet.server.attempts.peak(at), recovery];
}

/** ms until every gateway has a session (and, with an old lamp still green, only that). Throws after a day. */
function untilHealthy(fleet: Fleet, sessionsOnly = false): number {
  const start = fleet.clock.monotonic();
  const { size } = fleet.options;
  while (fleet.server.sessions < size || (!sessionsOnly && fleet.healthy < size)) {
    fleet.run(1_000);
    if (fleet.clock.monotonic() - start > 86_400_000) throw new Error('the fleet never recovered');
  }
  return fleet.clock.monotonic() - start;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
