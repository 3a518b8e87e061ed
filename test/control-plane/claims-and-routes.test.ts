import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyToBase64 } from '../../src/crypto/key-text.js';
import { generate } from '../../src/identity/keys.js';
import { nodePrimitives } from '../wireguard/virtual/world.js';
import { ADMIN, ControlEnd, System } from './system.js';

let system: System;
beforeAll(async () => {
  system = await System.start({ heartbeat: 5 });
});
afterAll(() => system.stop());

describe('claims', () => {
  it('gives one use to one of a hundred boards that race for it', async () => {
    const { token } = await system.claim({ tenant: 'race', uses: 3 });
    const boards = Array.from({ length: 100 }, () => new ControlEnd(system.server.url));
    const results = await Promise.all(boards.map((board) => board.redeem(token)));
    const won = results.flatMap((result) => (result.ok ? [result.enrolment] : []));
    expect(won.length).toBe(3);
    expect(new Set(won.map(({ gateway }) => gateway)).size).toBe(3);
    expect(new Set(won.flatMap(({ address }) => address)).size).toBe(3);
    for (const result of results) if (!result.ok) expect(result).toMatchObject({ final: true });
    expect((await system.request('GET', '/api/v1/tenants/race/gateways')).body.gateways.length).toBe(3);
  });

  it('answers the same request a hundred times with one use', async () => {
    const { token } = await system.claim({ tenant: 'again' });
    const primitives = nodePrimitives();
    const body = {
      token,
      request: '0123456789abcdef0123456789abcdef',
      identity_key: keyToBase64(generate(primitives).publicKey),
      public_key: keyToBase64(generate(primitives).publicKey),
      device_info: {},
    };
    const post = () => system.request('POST', '/api/v1/invites/redeem', body);
    const answers = await Promise.all(Array.from({ length: 100 }, post));
    expect(new Set(answers.map(({ status, body: { device_id } }) => `${status} ${device_id}`)).size).toBe(1);
    expect(answers[0].status).toBe(200);
    // The name of a request is no key to another device's answer.
    const other = { ...body, identity_key: keyToBase64(generate(primitives).publicKey) };
    expect((await system.request('POST', '/api/v1/invites/redeem', other)).status).toBe(409);
    // Nor does a public identity key open the gateway to another claim.
    const second = await system.claim({ tenant: 'again' });
    const takeover = { ...body, token: second.token, request: 'f'.repeat(32) };
    expect((await system.request('POST', '/api/v1/invites/redeem', takeover)).status).toBe(409);
  });

  it('refuses expired, unknown and malformed ones', async () => {
    const { token } = await system.claim({ expires: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    for (const bad of [token, 'x'.repeat(32)]) {
      expect(await new ControlEnd(system.server.url).redeem(bad)).toMatchObject({ ok: false, final: true });
    }
    for (const body of [{}, { token }, [], { token: 1 }, { token: 'x'.repeat(20_000) }]) {
      const { status } = await system.request('POST', '/api/v1/invites/redeem', body);
      expect([400, 413]).toContain(status);
    }
  });

  it('gives tenants blocks of their own, also when two ask for one', async () => {
    const made = await Promise.all(
      ['one', 'two'].map((tenant) =>
        system.claim({ tenant, prefix: '10.77.0.0/24' }).then(
          () => 'made',
          (error) => error.code,
        ),
      ),
    );
    expect(made.sort()).toEqual(['made', 'prefix_taken']);
  });

  it('gives every address once, and none beyond the block', async () => {
    const { token } = await system.claim({ tenant: 'small', prefix: '10.78.0.0/29', uses: 10 });
    const boards = Array.from({ length: 8 }, () => new ControlEnd(system.server.url));
    const results = await Promise.all(boards.map((board) => board.redeem(token)));
    const addresses = results.flatMap((result) => (result.ok ? result.enrolment.address : [])).sort();
    expect(addresses).toEqual([1, 2, 3, 4, 5, 6].map((n) => `10.78.0.${n}/32`));
  });
});

describe('routes', () => {
  it('are closed to all but the administrator, except those that say so', async () => {
    const open = system.server.routes.filter(({ access }) => access === 'open').map(({ path }) => path);
    expect(open.sort()).toEqual([
      '/.well-known/jwks.json',
      '/api/v1/invites/redeem',
      '/api/v1/invites/validate',
      '/api/v1/login',
      '/api/v1/login/challenge',
      '/health',
      '/ready',
    ]);
    for (const { method, path, access } of system.server.routes) {
      if (access === 'open') continue;
      const url = path.replace(':tenant', 'mesh').replace(':gateway', 'gw-1');
      for (const token of ['', 'x', ADMIN.toUpperCase(), `${ADMIN} `.repeat(2)]) {
        const { status } = await system.request(method, url, method === 'POST' ? {} : undefined, token);
        // Not even whether there is such a session is told.
        expect(status, `${method} ${path}`).toBe(access === 'session' ? 410 : 401);
      }
    }
  });

  it('show no gateway of another tenant', async () => {
    const gateway = await system.gateway('mine');
    for (const { method, path, access } of system.server.routes) {
      if (access === 'open' || !path.includes(':gateway')) continue;
      const url = path.replace(':tenant', 'other').replace(':gateway', gateway.id);
      const { status } = await system.request(method, url, method === 'POST' ? {} : undefined);
      expect(status, `${method} ${path}`).toBe(404);
    }
    expect((await system.request('GET', `/api/v1/tenants/mine/gateways/${gateway.id}`)).body.state).toBe(
      'active',
    );
  });
});
