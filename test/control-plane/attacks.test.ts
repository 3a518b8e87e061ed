import { createHmac, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import { generate } from '../../src/identity/keys.js';
import { audienceOf } from '../../src/identity/login.js';
import { prove } from '../../src/identity/proof.js';
import { type ControlEnd, System, until } from './system.js';

let system: System;
let gateway: ControlEnd;
let token: string;
const primitives = new NodePrimitives();

beforeAll(async () => {
  system = await System.start({ greetingTimeout: 1_000 });
  gateway = await system.gateway();
  token = (await login(gateway)).body.token;
});
afterAll(() => system.stop());

interface Changes {
  readonly ticket?: string;
  readonly gateway?: string;
  readonly audience?: string;
  readonly privateKey?: Uint8Array;
}

async function login(end: ControlEnd, changes: Changes = {}) {
  const { id } = end;
  const { body } = await system.request('POST', '/api/v1/login/challenge', { gateway: id });
  const proof = prove(
    primitives,
    changes.privateKey ?? end.identity.keys.identity.privateKey,
    keyFromBase64(body.server_key)!,
    {
      challenge: keyFromBase64(body.challenge)!,
      serverKey: keyFromBase64(body.server_key)!,
      identityKey: end.identity.keys.identity.publicKey,
      audience: changes.audience ?? audienceOf(system.server.url),
      gateway: id,
    },
  )!;
  const request = {
    gateway: changes.gateway ?? id,
    ticket: changes.ticket ?? body.ticket,
    proof: keyToBase64(proof),
  };
  return { ...(await system.request('POST', '/api/v1/login', request)), request };
}

/** 101, or the status that the upgrade was refused with. */
function upgrade(bearer: string | undefined, query = ''): Promise<{ status: number; socket: WebSocket }> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const socket = new WebSocket(`${system.server.url.replace('http', 'ws')}/ws${query}`, { headers });
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('open', () => resolve({ status: 101, socket }));
    socket.on('unexpected-response', (_, response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, socket });
    });
  });
}

const closeCode = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => socket.on('close', resolve));

describe('login', () => {
  it('takes a proof once', async () => {
    const { status, request } = await login(gateway);
    expect(status).toBe(200);
    expect((await system.request('POST', '/api/v1/login', request)).status).toBe(401);
  });

  it('takes no proof by another key, for another name, or with a ticket of another', async () => {
    const other = await system.gateway('other');
    const { body: theirs } = await system.request('POST', '/api/v1/login/challenge', { gateway: other.id });
    const cases: Changes[] = [
      { privateKey: generate(primitives).privateKey },
      { gateway: other.id },
      { audience: 'elsewhere.example' },
      { ticket: theirs.ticket },
      { ticket: `${theirs.ticket.slice(0, -2)}xx` },
      { ticket: token },
    ];
    for (const changes of cases) expect((await login(gateway, changes)).status).toBe(401);
  });

  it('tells nobody which names exist', async () => {
    const [known, unknown] = await Promise.all(
      [gateway.id, 'gw-0000000000000000'].map((name) =>
        system.request('POST', '/api/v1/login/challenge', { gateway: name }),
      ),
    );
    expect(unknown.status).toBe(known.status);
    expect(Object.keys(unknown.body)).toEqual(Object.keys(known.body));
    expect(Math.abs(unknown.body.ticket.length - known.body.ticket.length)).toBeLessThan(4);
  });

  it('is closed to a revoked gateway, and so is its token', async () => {
    const lost = await system.gateway('lost');
    const { body } = await login(lost);
    expect((await upgrade(body.token)).status).toBe(101);
    await system.request('POST', `/api/v1/tenants/lost/gateways/${lost.id}/revoke`);
    expect((await login(lost)).status).toBe(403);
    expect((await upgrade(body.token)).status).toBe(403);
  });
});

describe('tokens', () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  it('are checked before the upgrade, in the header or as a fallback in the query', async () => {
    for (const [bearer, query] of [
      [token, ''],
      [undefined, `?token=${token}`],
    ] as const) {
      const { status, socket } = await upgrade(bearer, query);
      expect(status).toBe(101);
      socket.terminate();
    }
    for (const bad of [undefined, '', 'x', `${token}x`, token.split('.').slice(0, 2).join('.')]) {
      expect((await upgrade(bad)).status).toBe(401);
    }
  });

  it('cannot be made by choosing another algorithm', async () => {
    const [, payload, signature] = token.split('.');
    const { body } = await system.request('GET', '/.well-known/jwks.json');
    const [jwk] = body.keys;
    expect(jwk.d).toBeUndefined();
    const pem = createPublicKey({ key: jwk, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
    const forged = [part({ alg: 'none' }), part({ alg: 'None', typ: 'JWT' })].map(
      (header) => `${header}.${payload}.`,
    );
    for (const secret of [pem, pem.trim(), ` ${pem}`, jwk.x, Buffer.from(jwk.x, 'base64url')]) {
      for (const alg of ['HS256', 'EdDSA']) {
        const text = `${part({ alg, kid: jwk.kid })}.${payload}`;
        forged.push(`${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`);
      }
    }
    forged.push(`${part({ alg: 'EdDSA', jwk })}.${payload}.${signature}`);
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    forged.push(`${token.split('.')[0]}.${part({ ...claims, tenant_id: 'other' })}.${signature}`);
    for (const one of forged) expect((await upgrade(one)).status, one).toBe(401);
  });

  it('open no route of the administrator', async () => {
    for (const { method, path, access } of system.server.routes) {
      if (access !== 'admin') continue;
      const url = path.replace(':tenant', 'acme').replace(':gateway', gateway.id);
      expect((await system.request(method, url, method === 'POST' ? {} : undefined, token)).status).toBe(401);
    }
  });
});

describe('a session', () => {
  const hello = JSON.stringify({ type: 'hello', data: { firmware: 'x', boot: 'attack', most_bytes: 4096 } });

  it('ends without a greeting, with binary, with a flood, and with a message too large', async () => {
    const quiet = await upgrade(token);
    expect(await closeCode(quiet.socket)).toBe(1008);
    const binary = await upgrade(token);
    binary.socket.send(Buffer.from(hello));
    expect(await closeCode(binary.socket)).toBe(1003);
    const flood = await upgrade(token);
    flood.socket.send(hello);
    for (let i = 0; i < 300; i++) flood.socket.send('{"type":"bye"}x');
    expect(await closeCode(flood.socket)).toBe(1008);
    const large = await upgrade(token);
    large.socket.send('x'.repeat(65_537));
    expect(await closeCode(large.socket)).toBe(1009);
  });

  it('takes nothing before the greeting, no second greeting, and no name but the token’s', async () => {
    const { socket } = await upgrade(token);
    const heard: { type: string; data: Record<string, unknown> }[] = [];
    socket.on('message', (data) => heard.push(JSON.parse(data.toString())));
    const offer = { type: 'key-offer', data: { rotation: 'r', public_key: 'x'.repeat(44) } };
    socket.send(JSON.stringify(offer));
    socket.send(hello);
    socket.send(hello);
    socket.send(JSON.stringify({ type: 'welcome', data: {} }));
    socket.send(JSON.stringify({ type: 'ack', from: 'the server', data: {} }));
    await until(() => heard.filter(({ type }) => type === 'error').length === 4, 'four refusals');
    const codes = heard.filter(({ type }) => type === 'error').map(({ data }) => data.code);
    expect(codes).toEqual(['out_of_order', 'out_of_order', 'wrong_direction', 'wrong_direction']);
    expect(heard.some(({ type }) => type === 'welcome')).toBe(true);
    socket.terminate();
  });

  it('survives mutations of what gateways say', async () => {
    const { socket } = await upgrade(token);
    let answers = 0;
    socket.on('message', () => {
      answers++;
    });
    socket.send(hello);
    const texts = [
      { type: 'heartbeat', id: 'h', data: { seq: 1, uptime: 1, firmware: 'x', version: 0, peers: [] } },
      { type: 'endpoints', data: { endpoints: ['0.0.0.0:1'] } },
      { type: 'sdp-offer', to: 'gw-1', data: { sdp: 'x' } },
      { type: 'key-result', data: { rotation: 'r', result: 'switched' } },
    ].map((message) => JSON.stringify(message));
    let state = 7;
    const below = (n: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % n;
    };
    for (let i = 0; i < 250; i++) {
      const text = texts[below(texts.length)];
      const at = below(text.length);
      socket.send(text.slice(0, at) + '{}[]",:0e-x\u0000'[below(12)] + text.slice(at + below(3)));
      // Below the limit of a hundred a second.
      if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 520));
    }
    await until(() => answers > 50, 'refusals');
    expect(socket.readyState).toBe(WebSocket.OPEN);
    expect((await fetch(`${system.server.url}/ready`)).status).toBe(200);
    socket.terminate();
  });
});
