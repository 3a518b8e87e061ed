/** What an operator does to members of a tenant: moves them, stops and resumes their traffic, lets stock clients in. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlEnd, System, until } from './system.js';

let system: System;
beforeAll(async () => {
  system = await System.start({ heartbeat: 1, addressOverlap: 1 });
});
afterAll(() => system.stop());

const keyOf = (name: string): string => createHash('sha256').update(name).digest('base64');
const healthy = (...gateways: ControlEnd[]) =>
  until(() => gateways.every(({ agent }) => agent.session.healthy), 'acknowledged heartbeats');
const path = (tenant: string, { id }: ControlEnd) => `/api/v1/tenants/${tenant}/gateways/${id}`;

describe.concurrent('an operator', () => {
  it('moves a gateway: both addresses everywhere first, the old one nowhere last', async () => {
    const a = (await system.gateway('move')).start();
    const b = (await system.gateway('move')).start();
    await healthy(a, b);
    await until(() => b.agent.network.peers.has(a.id), 'b knows a');
    const old = a.identity.enrolment!.address[0];
    const seen: string[] = [];
    const apply = a.agent.network.apply.bind(a.agent.network);
    a.agent.network.apply = (type, data) => {
      const outcome = apply(type, data);
      const text = a.agent.network.address.map((one) => (one === old ? 'old' : 'new')).join();
      if (seen.at(-1) !== text) seen.push(text);
      return outcome;
    };
    const { body } = await system.request('POST', `${path('move', a)}/address`, {});
    const fresh = `${body.address}/32`;
    expect(fresh).not.toBe(old);
    const twice = await system.request('POST', `${path('move', a)}/address`, {});
    expect(twice).toMatchObject({ status: 409, body: { code: 'address_moving' } });
    const known = () => [...(b.agent.network.peers.get(a.id)?.allowedIps ?? [])].join();
    await until(() => known() === `${fresh},${old}`, 'b knows both');
    await until(() => known() === fresh, 'b knows the new one alone');
    await until(() => a.agent.network.address.join() === fresh, 'a has the new one alone');
    // It sends from the first.
    expect(seen.slice(-3)).toEqual(['old,new', 'new,old', 'new']);
    // Who was away meanwhile learns it, too.
    const late = await system.gateway('move');
    late.start();
    await until(() => late.agent.network.peers.get(a.id)?.allowedIps.join() === fresh, 'the late one knows');
    const taken = await system.request('POST', `${path('move', b)}/address`, { address: body.address });
    expect(taken).toMatchObject({ status: 409, body: { code: 'address_taken' } });
    for (const address of ['192.0.2.1', '10.1.2.', '0.0.0.0', fresh.replace(/\d+\/32/, '255'), 'x']) {
      const { status } = await system.request('POST', `${path('move', b)}/address`, { address });
      expect([400, 409], address).toContain(status);
    }
  });

  it('stops a gateway’s site traffic, over reconnects, and lets it flow again', async () => {
    const a = (await system.gateway('stop')).start();
    await healthy(a);
    await system.request('POST', `${path('stop', a)}/shutdown`, { reason: 'the site burns' });
    const hold = { kind: 'shutdown', reason: 'the site burns' };
    await until(() => a.agent.hold?.reason === hold.reason, 'the hold');
    expect(a.agent.hold).toEqual(hold);
    expect(a.agent.tunnelPeers).toEqual([]);
    a.stop();
    a.start();
    await healthy(a);
    expect(a.agent.hold).toEqual(hold);
    expect((await system.request('GET', path('stop', a))).body.shutdown).toBe(hold.reason);
    await system.request('POST', `${path('stop', a)}/resume`, {});
    await until(() => a.agent.hold === undefined, 'the end of the hold');
  });

  it('lets a stock client in, known to every gateway under a key that only the pair has', async () => {
    const a = (await system.gateway('guests')).start();
    const b = (await system.gateway('guests')).start();
    await healthy(a, b);
    const clients = '/api/v1/tenants/guests/clients';
    const { body } = await system.request('POST', clients, { name: 'phone', public_key: keyOf('phone') });
    await until(
      () => a.agent.network.peers.has(body.id) && b.agent.network.peers.has(body.id),
      'both know it',
    );
    const [atA, atB] = [a, b].map(({ agent }) => agent.network.peers.get(body.id)!);
    expect(atA).toMatchObject({ publicKey: keyOf('phone'), allowedIps: [`${body.address}/32`] });
    const told = (id: string) => body.peers.find((peer: { id: string }) => peer.id === id);
    expect(told(a.id).preshared_key).toBe(atA.presharedKey);
    expect(told(b.id).preshared_key).toBe(atB.presharedKey);
    expect(atA.presharedKey).not.toBe(atB.presharedKey);
    expect(told(a.id)).toMatchObject({ public_key: a.agent.rotation.usingPublic });
    const again = await system.request('POST', clients, { name: 'x', public_key: keyOf('phone') });
    expect(again).toMatchObject({ status: 409, body: { code: 'key_taken' } });
    const nowhere = await system.request('POST', '/api/v1/tenants/nobody/clients', {
      ...{ name: 'x', public_key: keyOf('other') },
    });
    expect(nowhere.status).toBe(404);
    await system.request('POST', `/api/v1/tenants/guests/gateways/${body.id}/revoke`);
    await until(() => !a.agent.network.peers.has(body.id), 'it is forgotten');
  });
});
