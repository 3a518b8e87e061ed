import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlEnd, System, until } from './system.js';

/** Seconds: so short that every session below lives through several. */
const TOKEN_LIFE = 10;

let system: System;
beforeAll(async () => {
  system = await System.start({ heartbeat: 5, tokenLife: TOKEN_LIFE });
});
afterAll(() => system.stop());

const healthy = (...gateways: ControlEnd[]) =>
  until(() => gateways.every(({ agent }) => agent.session.healthy), 'acknowledged heartbeats');
const knows = (gateway: ControlEnd, ...others: ControlEnd[]) =>
  until(() => others.every(({ id }) => gateway.agent.network.peers.has(id)), 'the others are known');

// Each in a tenant of its own, so all at once.
describe.concurrent('sessions', () => {
  it('tells gateways of each other as they come, move and go', async () => {
    const a = (await system.gateway('mesh')).start(5001);
    const b = (await system.gateway('mesh')).start(5002);
    await healthy(a, b);
    await knows(a, b);
    await knows(b, a);
    await until(() => a.agent.network.peers.get(b.id)?.endpoint === '127.0.0.1:5002', 'the endpoint of b');
    const [atA, atB] = [a.agent.network.peers.get(b.id)!, b.agent.network.peers.get(a.id)!];
    expect(atA.presharedKey).toBeDefined();
    expect(atA.presharedKey).toBe(atB.presharedKey);
    expect(atA.allowedIps).toEqual(b.identity.enrolment!.address);
    expect(atA.publicKey).toBe(b.agent.rotation.usingPublic);
    b.agent.setEndpoints(['192.0.2.7:51820']);
    await until(() => a.agent.network.peers.get(b.id)?.endpoint === '192.0.2.7:51820', 'the move of b');
    await system.request('POST', `/api/v1/tenants/mesh/gateways/${b.id}/revoke`);
    await until(() => !a.agent.network.peers.has(b.id), 'a forgets b');
    await until(() => b.agent.session.state !== 'live', 'b is out');
    const c = (await system.gateway('mesh')).start();
    await knows(a, c);
    expect(a.agent.network.peers.get(c.id)?.presharedKey).not.toBe(atA.presharedKey);
  });

  it('resumes with deltas alone', async () => {
    const a = (await system.gateway('resume')).start();
    await healthy(a);
    const kinds: string[] = [];
    a.stop();
    const b = (await system.gateway('resume')).start();
    await healthy(b);
    const links = a.start().agent;
    const original = links.network.apply.bind(links.network);
    links.network.apply = (type, data) => {
      kinds.push(type);
      return original(type, data);
    };
    await knows(a, b);
    expect(kinds).not.toContain('snapshot');
    expect(kinds).toContain('peer-join');
  });

  it('forwards signaling under the true name, within the tenant, and nowhere else', async () => {
    const a = (await system.gateway('signal')).start();
    const b = (await system.gateway('signal')).start();
    const stranger = (await system.gateway('strangers')).start();
    await healthy(a, b, stranger);
    await until(() => a.agent.session.send('sdp-offer', { sdp: 'x' }, b.id, '1'), 'an offer is sent');
    await until(() => b.signals.length === 1, 'the offer');
    expect(b.signals[0]).toMatchObject({ type: 'sdp-offer', from: a.id, data: { sdp: 'x' } });
    await until(() => a.agent.session.send('sdp-offer', { sdp: 'x' }, stranger.id, '2'), 'an offer is sent');
    await until(() => a.agent.lastError !== undefined, 'the refusal');
    expect(a.agent.lastError).toContain('peer_offline');
    expect(stranger.signals).toEqual([]);
    expect([...stranger.agent.network.peers.keys()]).toEqual([]);
  });

  it('rotates a key with the peers knowing it before it is used', async () => {
    const a = (await system.gateway('keys')).start();
    const b = (await system.gateway('keys')).start();
    await healthy(a, b);
    await knows(b, a);
    const old = a.agent.rotation.usingPublic;
    const seen: string[] = [];
    const apply = b.agent.network.apply.bind(b.agent.network);
    b.agent.network.apply = (type, data) => {
      const outcome = apply(type, data);
      const peer = b.agent.network.peers.get(a.id)!;
      seen.push(
        `${peer.publicKey === old ? 'old' : 'new'} ${peer.nextPublicKey === undefined ? '-' : 'next'}`,
      );
      return outcome;
    };
    expect((await system.request('POST', `/api/v1/tenants/keys/gateways/${a.id}/rotate`)).status).toBe(200);
    await until(() => a.agent.rotation.phase === 'confirmed', 'the new key is confirmed');
    await until(() => b.agent.network.peers.get(a.id)?.publicKey === a.agent.rotation.usingPublic, 'b knows');
    expect(a.agent.rotation.usingPublic).not.toBe(old);
    expect(seen.filter((state, i) => state !== seen[i - 1])).toEqual(['old next', 'new -']);
    const { body } = await system.request('GET', `/api/v1/tenants/keys/gateways/${a.id}`);
    expect(body).toMatchObject({
      public_key: a.agent.rotation.usingPublic,
      next_public_key: null,
      rotation: null,
    });
  });

  it('changes settings under commit-confirm and reports what became of them', async () => {
    const a = (await system.gateway('settings')).start();
    await healthy(a);
    const path = `/api/v1/tenants/settings/gateways/${a.id}`;
    const state = async () => (await system.request('GET', path)).body.settings?.state;
    await system.request('POST', `${path}/configuration`, { settings: { mtu: 1300 } });
    await until(
      () => a.agent.configuration.settings.mtu === 1300 && !a.agent.configuration.onTrial,
      'confirmed',
    );
    let now = '';
    await until(() => {
      void state().then((value) => {
        now = value;
      });
      return now === 'confirmed';
    }, 'the server knows');
    const bad = await system.request('POST', `${path}/configuration`, { settings: { mtu: 1 } });
    expect(bad).toMatchObject({ status: 400, body: { code: 'bad_settings' } });
  });

  it('quarantines a copied image, withdraws it from its peers, and takes it back when told', async () => {
    const a = (await system.gateway('clones')).start();
    const b = (await system.gateway('clones')).start();
    await healthy(a, b);
    await knows(b, a);
    const copy = new ControlEnd(system.server.url, a.store).start();
    system.gateways.push(copy);
    await until(() => a.agent.hold?.kind === 'quarantine' && copy.agent.hold !== undefined, 'both are held');
    await until(() => !b.agent.network.peers.has(a.id), 'b forgets the identity');
    expect(system.log.has('gateway-quarantined')).toBe(true);
    copy.stop();
    const path = `/api/v1/tenants/clones/gateways/${a.id}`;
    expect((await system.request('GET', path)).body.reason).toContain('two devices');
    expect((await system.request('POST', `${path}/release`)).body).toEqual({ state: 'active' });
    await until(() => a.agent.hold === undefined && b.agent.network.peers.has(a.id), 'all is well again');
  });

  it('takes a restart of the gateway for what it is', async () => {
    const a = (await system.gateway('restart')).start();
    await healthy(a);
    for (let i = 0; i < 2; i++) {
      a.stop();
      a.start();
      await healthy(a);
    }
    expect((await system.request('GET', `/api/v1/tenants/restart/gateways/${a.id}`)).body.state).toBe(
      'active',
    );
  });

  it('keeps the session over the life of a token', async () => {
    const a = (await system.gateway('tokens')).start();
    await healthy(a);
    const { connections } = a.agent.session.counters;
    await new Promise((resolve) => setTimeout(resolve, TOKEN_LIFE * 1_200));
    expect(a.agent.session.healthy).toBe(true);
    expect(a.agent.session.counters.connections).toBe(connections);
  });
});

describe('sessions and a control plane that stops', () => {
  it('goes on with a rotation however often the control plane is stopped on its way', async () => {
    const a = (await system.gateway('cuts')).start();
    const b = (await system.gateway('cuts')).start();
    await healthy(a, b);
    const old = a.agent.rotation.usingPublic;
    await system.request('POST', `/api/v1/tenants/cuts/gateways/${a.id}/rotate`);
    for (let cut = 0; cut < 2; cut++) {
      const { port } = system.server;
      await system.server.stop('a cut');
      await system.serve(port);
      await until(() => [a, b].every(({ agent }) => agent.session.state === 'live'), 'both are back');
    }
    await until(() => a.agent.rotation.phase === 'confirmed', 'the new key is confirmed', 25_000);
    await until(() => b.agent.network.peers.get(a.id)?.publicKey === a.agent.rotation.usingPublic, 'b knows');
    expect(a.agent.rotation.usingPublic).not.toBe(old);
  }, 90_000);
});
