import { describe, expect, it } from 'vitest';
import { readEnvelope } from '../../src/control/envelope.js';
import type { Credentials, Link, LinkEvents, LinkFactory, Route } from '../../src/control/link.js';
import { ControlSession } from '../../src/control/session.js';
import type { RecordValue } from '../../src/control/shape.js';
import { Seed, VirtualClock } from '../wireguard/virtual/world.js';

/** A server on the virtual clock: it answers what it is told to answer. */
class FakeServer implements LinkFactory {
  readonly opened: Route[] = [];
  readonly heard: { type: string; id?: string; data: RecordValue }[] = [];
  refusing = false;
  silent = false;
  events: LinkEvents | undefined;
  readonly #later: (() => void)[] = [];

  readonly clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  open(route: Route, _token: string, events: LinkEvents): Link {
    this.opened.push(route);
    this.events = events;
    this.#later.push(() => (this.refusing ? events.closed('refused') : events.opened()));
    return {
      send: (text) => {
        const read = readEnvelope(text, 'up');
        if (!read.ok) throw new Error(read.detail);
        this.heard.push(read.envelope);
        if (!this.silent) this.#later.push(() => this.#answer(read.envelope, events));
        return true;
      },
      close: () => {},
    };
  }

  say(type: string, data: RecordValue): void {
    this.events?.received(JSON.stringify({ type, data }));
  }

  settle(): void {
    for (let next = this.#later.shift(); next; next = this.#later.shift()) next();
  }

  #answer(envelope: { type: string; id?: string }, events: LinkEvents): void {
    const time = this.clock.wall();
    const reply = (type: string, data: RecordValue): void => events.received(JSON.stringify({ type, data }));
    if (envelope.type === 'hello') reply('welcome', { session: 's', epoch: 'e', version: 0, time });
    if (envelope.type === 'heartbeat') reply('ack', { of: envelope.id!, time });
  }
}

function setUp(seed = 1, routes = 1) {
  const clock = new VirtualClock();
  const random = new Seed(seed);
  const server = new FakeServer(clock);
  let token: string | undefined;
  const credentials: Credentials = {
    token: () => token,
    refreshAt: () => Number.POSITIVE_INFINITY,
    renew: (done) => {
      token = 'token';
      done(undefined);
    },
    accept: () => {},
    reject: () => {
      token = undefined;
    },
  };
  const session = new ControlSession({
    clock,
    random: () => random.next(),
    routes: Array.from(
      { length: routes },
      (_, i) => ({ kind: 'websocket', url: `wss://server${i}/ws` }) as const,
    ),
    links: server,
    credentials,
    handlers: {
      hello: () => ({ firmware: 'test', boot: 'b' }),
      heartbeat: () => ({ uptime: 1, firmware: 'test', version: 0, peers: [] }),
      message: () => {},
    },
  });
  const run = (ms: number): void => {
    const end = clock.monotonic() + ms;
    for (;;) {
      server.settle();
      const next = session.nextDeadline();
      if (next > end) break;
      clock.set(Math.max(next, clock.monotonic()));
      session.advance();
    }
    clock.set(end);
  };
  return { clock, server, session, run };
}

describe('the control session', () => {
  it('logs in, greets, and beats every 30 s within its jitter', () => {
    const { server, session, run } = setUp();
    session.start();
    run(600_000);
    expect(session.state).toBe('live');
    expect(session.healthy).toBe(true);
    expect(server.opened.length).toBe(1);
    const beats = server.heard.filter((message) => message.type === 'heartbeat').length;
    expect(beats).toBeGreaterThanOrEqual(Math.floor(600 / 34.5));
    expect(beats).toBeLessThanOrEqual(Math.ceil(600 / 25.5) + 1);
  });

  it('calls a connection dead whose heartbeats nobody acknowledges, though the socket is open', () => {
    const { server, session, run } = setUp();
    session.start();
    run(60_000);
    server.silent = true;
    run(60_000);
    expect(server.opened.length).toBeGreaterThan(1);
    run(60_000);
    expect(session.healthy).toBe(false);
    server.silent = false;
    run(600_000);
    expect(session.healthy).toBe(true);
  });

  it('tries every route at once, then waits longer and longer, and never gives up', () => {
    const { server, session, run } = setUp(7, 3);
    server.refusing = true;
    session.start();
    run(5_000);
    expect(new Set(server.opened.map((route) => route.url)).size).toBe(3);
    run(86_400_000);
    const attempts = server.opened.length;
    expect(attempts).toBeGreaterThan(500);
    expect(attempts).toBeLessThan(3_000);
    server.refusing = false;
    run(600_000);
    expect(session.state).toBe('live');
  });

  it('ignores and counts what it does not know, and refuses what does not fit', () => {
    const { server, session, run } = setUp();
    session.start();
    run(5_000);
    server.say('from-the-future', { a: 1 });
    server.say('key-switch', { rotation: 'r', confirm_within: -1 });
    server.events?.received('{');
    server.events?.received(`{"type":"ping","data":{"x":"${'x'.repeat(5000)}"}}`);
    expect(session.counters.unknownTypes).toBe(1);
    expect(session.counters.refused).toBe(3);
    expect(session.state).toBe('live');
    expect(session.lastRefusal).toContain('too-large');
  });
});
