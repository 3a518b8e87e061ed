import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mqttTopics } from '../../src/control/mqtt-topics.js';
import { ControlEnd, System, until } from './system.js';

const TOKEN_LIFE = 10;

let system: System;
let broker: string;
beforeAll(async () => {
  system = await System.start(
    { heartbeat: 5, tokenLife: TOKEN_LIFE },
    { mqtt: { host: '127.0.0.1', port: 0 } },
  );
  broker = (await system.gateway('probe')).identity.enrolment!.endpoints.find(
    ({ kind }) => kind === 'mqtt',
  )!.url;
});
afterAll(() => system.stop());

async function overMqtt(tenant: string): Promise<ControlEnd> {
  const gateway = await system.gateway(tenant);
  gateway.endpoints = [{ kind: 'mqtt', url: broker }];
  return gateway;
}

const healthy = (...gateways: ControlEnd[]) =>
  until(() => gateways.every(({ agent }) => agent.session.healthy), 'acknowledged heartbeats');

describe.concurrent('a session over MQTT', () => {
  it('hears of the network, signals, rotates its key and outlives its token', async () => {
    const a = (await overMqtt('net')).start(5001);
    const b = (await system.gateway('net')).start(5002);
    await healthy(a, b);
    const { connections } = a.agent.session.counters;
    await until(() => a.agent.network.peers.get(b.id)?.endpoint === '127.0.0.1:5002', 'the endpoint of b');
    await until(() => b.agent.network.peers.get(a.id)?.endpoint === '127.0.0.1:5001', 'the endpoint of a');
    a.agent.session.send('sdp-offer', { sdp: 'v=0' }, b.id);
    await until(() => b.signals.length === 1, 'an offer');
    b.agent.session.send('sdp-answer', { sdp: 'v=0' }, a.id);
    await until(() => a.signals.length === 1, 'an answer');
    const before = a.agent.rotation.usingPublic;
    await system.request('POST', `/api/v1/tenants/net/gateways/${a.id}/rotate`);
    await until(() => a.agent.rotation.phase === 'confirmed', 'the new key is confirmed');
    expect(a.agent.rotation.usingPublic).not.toBe(before);
    const seen = await system.request('GET', `/api/v1/tenants/net/gateways/${a.id}`);
    expect(seen.body).toMatchObject({ link: 'mqtt', online: true });
    await new Promise((resolve) => setTimeout(resolve, TOKEN_LIFE * 1_200));
    expect(a.agent.session.healthy).toBe(true);
    expect(a.agent.session.counters.connections).toBe(connections);
  }, 60_000);

  it('is one of two that a copied image has', async () => {
    const a = (await overMqtt('clone')).start();
    await healthy(a);
    const twin = new ControlEnd(a.control, a.store);
    twin.endpoints = a.endpoints;
    system.gateways.push(twin.start());
    const path = `/api/v1/tenants/clone/gateways/${a.id}`;
    let state = '';
    await until(
      () => {
        void system.request('GET', path).then(({ body }) => {
          state = body.state;
        });
        return state === 'quarantined';
      },
      'a quarantine',
      40_000,
    );
    await until(
      () => a.agent.hold?.kind === 'quarantine' && twin.agent.hold !== undefined,
      'both know',
      40_000,
    );
  }, 90_000);

  it('ends when the gateway is withdrawn, and a new one is refused', async () => {
    const a = (await overMqtt('gone')).start();
    await healthy(a);
    await system.request('POST', `/api/v1/tenants/gone/gateways/${a.id}/revoke`);
    await until(() => a.agent.session.state !== 'live', 'the end');
    await until(() => /refused|withdrawn|403|revoked/.test(a.agent.session.reason), 'the reason');
  }, 40_000);
});

describe('the broker', () => {
  interface Attempt {
    readonly error: string;
    readonly client: MqttClient;
  }

  /** What became of a CONNECT: empty when it was accepted. */
  async function connect(options: IClientOptions): Promise<Attempt> {
    const client = mqtt.connect(broker, {
      protocolVersion: 4,
      reconnectPeriod: 0,
      connectTimeout: 4_000,
      keepalive: 60,
      ...options,
    });
    const error = await new Promise<string>((resolve) => {
      client.once('connect', () => resolve(''));
      client.once('error', ({ message }) => resolve(message || 'error'));
      client.once('close', () => resolve('closed'));
    });
    client.on('error', () => {});
    if (error !== '') client.end(true);
    return { error, client };
  }

  async function member(tenant: string) {
    const gateway = await system.gateway(tenant);
    const login = gateway.login();
    await new Promise((done) => login.renew(done));
    const topics = mqttTopics(tenant, gateway.id);
    const good: IClientOptions = { clientId: gateway.id, username: gateway.id, password: login.token() };
    return { gateway, topics, good };
  }

  it('lets in nobody but a gateway with its own token, name and will', async () => {
    const { good, topics } = await member('door');
    const other = await member('door');
    const wrong: [string, IClientOptions][] = [
      ['no token', { ...good, password: undefined }],
      ['no real token', { ...good, password: 'a.b.c' }],
      ['the token of another', { ...good, password: other.good.password }],
      ['another name', { ...good, clientId: other.gateway.id, username: other.gateway.id }],
      ['two names', { ...good, clientId: 'x' }],
      ['no name', { ...good, clientId: '' }],
      ['a session that stays', { ...good, clean: false }],
      ['MQTT 5', { ...good, protocolVersion: 5 }],
      ['a will for another', { ...good, will: willAt(other.topics.presence, 'offline') }],
      ['a will at down', { ...good, will: willAt(topics.down, 'offline') }],
      ['a will of its own words', { ...good, will: willAt(topics.presence, 'anything') }],
      ['a token that is too large', { ...good, password: 'x'.repeat(10_000) }],
    ];
    for (const [what, options] of wrong) expect((await connect(options)).error, what).not.toBe('');
    const { error, client } = await connect({ ...good, will: willAt(topics.presence, 'offline') });
    expect(error).toBe('');
    client.end(true);
  }, 60_000);

  it('gives each its own three topics, without wildcards, shares and retained messages', async () => {
    const { good, topics } = await member('topics');
    const other = await member('topics');
    const forbidden = [
      '#',
      '+/+/+/+/+',
      `${topics.down}/#`,
      other.topics.down,
      other.topics.up,
      topics.up,
      '$SYS/#',
    ];
    forbidden.push(`$share/g/${topics.down}`, topics.presence, 'cloudbridge/v1/topics/+/down');
    const { client } = await connect(good);
    for (const topic of forbidden) {
      const granted = await client.subscribeAsync(topic).catch(() => [{ qos: 128 }]);
      expect(granted[0].qos, topic).toBe(128);
    }
    expect((await client.subscribeAsync(topics.down))[0].qos).toBe(0);
    client.end(true);
    const abuses: [string, string, { qos?: 0 | 1 | 2; retain?: boolean }][] = [
      [other.topics.up, '{}', {}],
      [other.topics.down, '{}', {}],
      [topics.down, '{}', {}],
      [other.topics.presence, 'online', { retain: true }],
      [topics.presence, 'anything', { retain: true }],
      [topics.presence, 'online', {}],
      [topics.up, '{}', { retain: true }],
      [topics.up, '{}', { qos: 1 }],
      [topics.up, 'x'.repeat(70_000), {}],
      ['$SYS/x', '{}', {}],
      ['elsewhere', '{}', {}],
    ];
    for (const [topic, text, options] of abuses) {
      const attempt = await connect(good);
      expect(attempt.error, 'accepted').toBe('');
      const closed = new Promise<void>((resolve) => attempt.client.once('close', () => resolve()));
      attempt.client.publish(topic, text, options);
      await closed;
      attempt.client.end(true);
    }
    expect(system.log.has('message-failed')).toBe(false);
  }, 60_000);

  it('cuts off who sends too much', async () => {
    const { good, topics } = await member('flood');
    const { client } = await connect(good);
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    for (let i = 0; i < 500; i++) client.publish(topics.up, '{}');
    await closed;
    client.end(true);
  }, 30_000);

  function willAt(topic: string, text: string) {
    return { topic, payload: Buffer.from(text), qos: 0 as const, retain: true };
  }
});
