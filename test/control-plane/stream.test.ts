import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labSuite } from '../lab/requirements.js';
import { ADMIN, ControlEnd, System, until } from './system.js';

const NGINX = { program: 'nginx', package: 'nginx-light' } as const;
const TOKEN_LIFE = 10;

let system: System;
beforeAll(async () => {
  system = await System.start({ heartbeat: 5, tokenLife: TOKEN_LIFE });
});
afterAll(() => system.stop());

const KINDS = [
  ['event-stream', '/api/v1/control/events'],
  ['polling', '/api/v1/control/polling'],
] as const;

async function over(kind: (typeof KINDS)[number][0], tenant: string): Promise<ControlEnd> {
  const gateway = await system.gateway(tenant);
  const path = KINDS.find(([name]) => name === kind)![1];
  gateway.endpoints = [{ kind, url: `${system.server.url}${path}` }];
  return gateway;
}

const healthy = (...gateways: ControlEnd[]) =>
  until(() => gateways.every(({ agent }) => agent.session.healthy), 'acknowledged heartbeats');

describe.concurrent.each(KINDS)('a session over %s', (kind) => {
  it('hears of the network, signals, rotates its key and outlives its token', async () => {
    const tenant = `net-${kind}`;
    const a = (await over(kind, tenant)).start(5001);
    const b = (await system.gateway(tenant)).start(5002);
    await healthy(a, b);
    const { connections } = a.agent.session.counters;
    await until(() => a.agent.network.peers.get(b.id)?.endpoint === '127.0.0.1:5002', 'the endpoint of b');
    await until(() => b.agent.network.peers.get(a.id)?.endpoint === '127.0.0.1:5001', 'the endpoint of a');
    a.agent.session.send('sdp-offer', { sdp: 'v=0' }, b.id);
    await until(() => b.signals.length === 1, 'an offer');
    b.agent.session.send('sdp-answer', { sdp: 'v=0' }, a.id);
    await until(() => a.signals.length === 1, 'an answer');
    expect(a.signals[0]).toMatchObject({ type: 'sdp-answer', from: b.id });
    const before = a.agent.rotation.usingPublic;
    await system.request('POST', `/api/v1/tenants/${tenant}/gateways/${a.id}/rotate`);
    await until(() => a.agent.rotation.phase === 'confirmed', 'the new key is confirmed');
    expect(a.agent.rotation.usingPublic).not.toBe(before);
    const seen = await system.request('GET', `/api/v1/tenants/${tenant}/gateways/${a.id}`);
    expect(seen.body).toMatchObject({ link: kind, online: true });
    await new Promise((resolve) => setTimeout(resolve, TOKEN_LIFE * 1_200));
    expect(a.agent.session.healthy).toBe(true);
    expect(a.agent.session.counters.connections).toBe(connections);
  }, 60_000);

  it('is one of two that a copied image has', async () => {
    const a = (await over(kind, `clone-${kind}`)).start();
    await healthy(a);
    const twin = new ControlEnd(a.control, a.store);
    twin.endpoints = a.endpoints;
    system.gateways.push(twin.start());
    await until(() => a.agent.hold?.kind === 'quarantine' && twin.agent.hold !== undefined, 'both are held');
  }, 60_000);
});

describe('what is not of a session', () => {
  const post = async (path: string, body: unknown, token = ADMIN) => {
    const response = await fetch(system.server.url + path, {
      method: 'POST',
      // A body that is refused unread ends its connection.
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        connection: 'close',
      },
      body: JSON.stringify(body),
    });
    return response.status;
  };

  it('is refused, each with its status', async () => {
    for (const [, path] of KINDS) {
      const method = path.endsWith('events') ? 'GET' : 'POST';
      expect((await system.request(method, path, undefined, 'no.real.token')).status, path).toBe(401);
    }
    const session = 'f'.repeat(32);
    expect(await post('/api/v1/control/poll', { session, after: 0, wait: 0 })).toBe(410);
    expect(await post('/api/v1/control/messages', { session, first: 1, messages: [] })).toBe(410);
    const { token } = await loginOf('http-abuse');
    const { body } = await system.request('POST', '/api/v1/control/polling', {}, token);
    const opened = body.session as string;
    expect(await post('/api/v1/control/messages', { session: opened, first: 1, messages: 'x' })).toBe(400);
    const tooMany = Array.from({ length: 17 }, () => '{}');
    expect(await post('/api/v1/control/messages', { session: opened, first: 1, messages: tooMany })).toBe(
      400,
    );
    const large = ['x'.repeat(300_000)];
    expect(await post('/api/v1/control/messages', { session: opened, first: 1, messages: large })).toBe(413);
    expect(await post('/api/v1/control/poll', { session: opened, after: -1, wait: 0 })).toBe(400);
  });

  it('takes a message that is sent twice for one', async () => {
    const { token } = await loginOf('http-twice');
    const { body } = await system.request('POST', '/api/v1/control/polling', {}, token);
    const { session } = body as { session: string };
    const hello = { type: 'hello', data: { firmware: 'test', boot: 'b', most_bytes: 4096 } };
    const messages = [JSON.stringify(hello)];
    for (let i = 0; i < 2; i++) {
      const answer = await system.request('POST', '/api/v1/control/messages', {
        session,
        first: 1,
        messages,
      });
      expect(answer.body).toEqual({ taken: 1 });
    }
    const poll = { session, after: 0, wait: 5 };
    const first = (await system.request('POST', '/api/v1/control/poll', poll)).body;
    const types = (first.messages as string[]).map((text) => JSON.parse(text).type);
    expect(types).toContain('welcome');
    expect(types).not.toContain('error');
    // Not acknowledged yet, so they come again.
    const again = (await system.request('POST', '/api/v1/control/poll', poll)).body;
    expect(again.messages.slice(0, first.messages.length)).toEqual(first.messages);
    const rest = (
      await system.request('POST', '/api/v1/control/poll', { session, after: again.last, wait: 0 })
    ).body;
    expect(rest).toEqual({ messages: [], last: again.last });
  });

  async function loginOf(tenant: string): Promise<{ token: string }> {
    const gateway = await system.gateway(tenant);
    const login = gateway.login();
    const error = await new Promise<string | undefined>((done) => login.renew(done));
    expect(error).toBeUndefined();
    return { token: login.token()! };
  }
});

/** Debian's nginx as it comes: a reverse proxy that passes no upgrade on; and one that collects every answer first. */
labSuite('a proxy in between', [NGINX], () => {
  const folder = mkdtempSync(join(tmpdir(), 'cb-nginx-'));
  let nginx: ChildProcess;
  let ports: number[];

  beforeAll(async () => {
    ports = [await freePort(), await freePort()];
    const common = `proxy_pass ${system.server.url};`;
    writeFileSync(
      join(folder, 'nginx.conf'),
      `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
      events {} http { access_log off;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/${one};`).join(' ')}
      server { listen 127.0.0.1:${ports[0]}; location / { ${common} } }
      server { listen 127.0.0.1:${ports[1]}; location / { ${common} proxy_ignore_headers X-Accel-Buffering; } } }`,
    );
    nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
    await until(() => nginx.exitCode === null, 'nginx');
  });
  afterAll(() => {
    nginx.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    [0, 'event-stream', /^not websocket: /],
    [1, 'polling', /^not websocket: .*; not event-stream: /],
  ] as const)(
    'number %i leaves %s, and the status says why',
    async (which, kind, why) => {
      const gateway = await system.gateway(`proxy-${which}`);
      const origin = `http://127.0.0.1:${ports[which]}`;
      gateway.endpoints = [
        { kind: 'websocket', url: `${origin.replace('http', 'ws')}/ws` },
        ...KINDS.map(([name, path]) => ({ kind: name, url: `${origin}${path}` })),
      ];
      gateway.timing = { ...gateway.timing, handshakeTimeout: 3_000 };
      gateway.start();
      await healthy(gateway);
      expect(gateway.agent.session.route?.kind).toBe(kind);
      expect(gateway.agent.session.routeReason).toMatch(why);
    },
    60_000,
  );
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
