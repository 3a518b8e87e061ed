import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { labSuite } from '../lab/requirements.js';
import { COTURN, Coturn, OPENSSL } from './real/coturn.js';
import { eventually } from './real/eventually.js';
import { TurnEnd, type TurnEndOptions } from './real/turn-end.js';

labSuite('TURN against coturn', [COTURN, OPENSSL], () => {
  const server = new Coturn({ port: 35_478, settings: ['stale-nonce=600', 'user-quota=2'] });
  const ends: TurnEnd[] = [];

  beforeAll(() => server.start());
  afterAll(() => server.close());
  afterEach(() => {
    for (const end of ends.splice(0)) end.close();
  });

  async function end(
    transport: 'udp' | 'tcp' | 'tls',
    id: string,
    more: Partial<TurnEndOptions> = {},
  ): Promise<TurnEnd> {
    const one = new TurnEnd({
      transport,
      server: `127.0.0.1:${transport === 'tls' ? server.tlsPort : server.port}`,
      certificate: server.certificate,
      ...server.credentials(id),
      ...more,
    });
    ends.push(one);
    await one.start();
    return one;
  }

  it.each(['udp', 'tcp', 'tls'] as const)('relays over %s, by indications and by channels', async (way) => {
    const left = await end(way, `${way}-left`);
    const right = await end('udp', `${way}-right`);
    expect(left.story.at(-1)).toBe('allocated allocated');
    left.permit(right.relayed);
    right.permit(left.relayed);
    // Nothing is lost while the permission is asked for.
    expect(left.send(right.relayed, 'first')).toBe(true);
    await eventually(() => left.client.peers[0].permission === 'granted');
    await eventually(() => right.client.peers[0].permission === 'granted');
    left.send(right.relayed, 'by indication');
    await eventually(() => right.received.includes(`${left.relayed} by indication`));
    expect(left.sendFramed(right.relayed, 'too early')).toBe(false);

    left.bind(right.relayed);
    right.bind(left.relayed);
    await eventually(() => left.client.peers[0].bound && right.client.peers[0].bound);
    // Lengths of every remainder: over a stream they are padded.
    for (const text of ['by channel', 'by channel 1', 'by channel 22', 'by channel 333']) {
      expect(left.send(right.relayed, text)).toBe(true);
      expect(left.sendFramed(right.relayed, `framed ${text}`)).toBe(true);
      expect(right.sendFramed(left.relayed, `back ${text}`)).toBe(true);
      await eventually(() => right.received.includes(`${left.relayed} ${text}`));
      await eventually(() => right.received.includes(`${left.relayed} framed ${text}`));
      await eventually(() => left.received.includes(`${right.relayed} back ${text}`));
    }
  });

  it('refreshes an allocation', async () => {
    const one = await end('udp', 'refresh');
    const { expiresAt } = one.client;
    await sleep(20);
    one.do((now) => one.client.verify(now));
    await eventually(() => one.client.expiresAt > expiresAt);
    expect(one.client.state).toBe('allocated');
  });

  it('names wrong credentials, and starts again with right ones', async () => {
    const one = await end('udp', 'somebody', { password: 'a wrong one' });
    expect([one.client.state, one.client.reason]).toEqual(['failed', 'wrong-credentials']);
    expect(one.client.serverSaid).toMatch(/^401 /);
    const { username, password } = server.credentials('somebody');
    one.do((now) => one.client.setCredentials(username, password, now));
    await eventually(() => one.client.state === 'allocated');
  });

  it('names credentials whose time is over as wrong', async () => {
    const one = await end('udp', 'late', server.credentials('late', -60));
    expect(one.client.reason).toBe('wrong-credentials');
  });

  it('names a quota that is reached, and waits a minute', async () => {
    const { username, password } = server.credentials('greedy');
    const many = [];
    for (let i = 0; i < 3; i++) many.push(await end('udp', 'greedy', { username, password }));
    expect(many.map((one) => one.client.state)).toEqual(['allocated', 'allocated', 'failed']);
    expect(many[2].client.reason).toBe('quota-reached');
    expect(many[2].client.retryAt).toBeGreaterThan(performance.now() + 55_000);
  });

  it('names a connection that cannot be made', async () => {
    const refused = await end('tcp', 'nobody', { server: '127.0.0.1:1' });
    expect([refused.client.state, refused.client.reason]).toEqual(['failed', 'connection-failed']);
    // A certificate nobody vouches for.
    const distrusted = await end('tls', 'nobody', { certificate: undefined });
    expect([distrusted.client.state, distrusted.client.reason]).toEqual(['failed', 'connection-failed']);
  });

  it('relays to a permitted peer only', async () => {
    const left = await end('udp', 'strict-left');
    const right = await end('udp', 'strict-right');
    left.permit(right.relayed);
    await eventually(() => left.client.peers[0].permission === 'granted');
    left.send(right.relayed, 'uninvited');
    await sleep(200);
    expect(right.received).toEqual([]);
    // coturn denies multicast peers here: 403.
    left.permit('224.0.0.1:5000');
    await eventually(() => left.client.peers[1].permission === 'refused');
    expect(left.client.peers[1].refusedCode).toBe(403);
    expect(left.send('224.0.0.1:5000', 'x')).toBe(false);
  });
});

labSuite('TURN against a coturn that forgets', [COTURN, OPENSSL], () => {
  const server = new Coturn({ port: 35_778, settings: ['stale-nonce=1'], addresses: ['127.0.0.1', '::1'] });
  const ends: TurnEnd[] = [];

  beforeAll(() => server.start());
  afterAll(() => server.close());
  afterEach(() => {
    for (const end of ends.splice(0)) end.close();
  });

  async function end(id: string, more: Partial<TurnEndOptions> = {}): Promise<TurnEnd> {
    const options = { server: `127.0.0.1:${server.port}`, ...server.credentials(id), ...more };
    const one = new TurnEnd({ transport: 'udp', certificate: server.certificate, ...options });
    ends.push(one);
    await one.start();
    return one;
  }

  it('goes on with a fresh nonce when the old one has expired', async () => {
    const one = await end('stale');
    await sleep(2_100);
    const { expiresAt } = one.client;
    one.do((now) => one.client.verify(now));
    await eventually(() => one.client.expiresAt > expiresAt);
    await sleep(2_100);
    one.permit('127.0.0.1:9');
    await eventually(() => one.client.peers[0].permission === 'granted');
    expect(one.client.challenges).toBeGreaterThanOrEqual(3);
    expect(one.story).toEqual(['allocating asked-server', 'allocated allocated']);
  });

  it('relays for IPv6, reached over IPv4 and over IPv6', async () => {
    const left = await end('six-left', { family: 6 });
    const right = await end('six-right', { family: 6, server: `[::1]:${server.port}` });
    expect(left.relayed).toMatch(/^\[::1\]:/);
    left.bind(right.relayed);
    right.bind(left.relayed);
    await eventually(() => left.client.peers[0].bound && right.client.peers[0].bound);
    left.sendFramed(right.relayed, 'over six');
    await eventually(() => right.received.includes(`${left.relayed} over six`));
  });

  it.each(['udp', 'tcp'] as const)(
    'allocates anew after the server was started anew, over %s',
    async (way) => {
      const limits = { retryFirst: 100 };
      const left = await end(`left-${way}`, { transport: way, limits });
      const right = await end(`right-${way}`, { transport: way, limits });
      left.bind(right.relayed);
      await eventually(() => left.client.peers[0].bound);
      const before = left.story.length;
      await server.kill();
      await server.start();
      // Somebody above notices the silence; over TCP the connection itself tells.
      for (const one of [left, right]) one.do((now) => one.client.verify(now));
      await eventually(() => left.story.length > before && left.client.state === 'allocated');
      await eventually(() => right.client.state === 'allocated');
      expect(left.story.slice(before).join()).toContain(
        way === 'udp' ? 'allocating allocation-mismatch' : 'connection-lost',
      );
      left.bind(right.relayed);
      right.bind(left.relayed);
      await eventually(() => {
        left.sendFramed(right.relayed, 'again');
        return right.received.some((text) => text.endsWith(' again'));
      });
    },
  );
});
