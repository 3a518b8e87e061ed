import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions } from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mqttTopics } from '../../src/control/mqtt-topics.js';
import { labSuite } from '../lab/requirements.js';
import { ControlEnd, System, until } from './system.js';

const MOSQUITTO = { program: 'mosquitto', package: 'mosquitto' } as const;
const TOKEN_LIFE = 10;

/** Debian's Mosquitto with its dynamic security plugin; the control plane is its client by MQTT 5, gateways by 3.1.1. */
labSuite('a broker that is not ours', [MOSQUITTO], () => {
  const folder = mkdtempSync(join(tmpdir(), 'cb-mosq-'));
  let mosquitto: ChildProcess;
  let system: System;
  let gatewayUrl: string;

  const healthy = (...gateways: ControlEnd[]) =>
    until(() => gateways.every(({ agent }) => agent.session.healthy), 'acknowledged heartbeats');
  const overMqtt = async (tenant: string): Promise<ControlEnd> => {
    const gateway = await system.gateway(tenant);
    gateway.endpoints = gateway.identity.enrolment!.endpoints.filter(({ kind }) => kind === 'mqtt');
    return gateway;
  };

  const startBroker = () => spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' });

  beforeAll(async () => {
    const port = await freePort();
    const security = join(folder, 'security.json');
    execFileSync('mosquitto_ctrl', ['dynsec', 'init', security, 'control', 'secret/of:control']);
    const plugin = execFileSync('sh', ['-c', 'ls /usr/lib/*/mosquitto_dynamic_security.so'])
      .toString()
      .trim();
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous false', `plugin ${plugin}`];
    lines.push(`plugin_opt_config_file ${security}`, 'per_listener_settings false');
    // It gives up root, and must still read and write what is its own.
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'mosquitto', folder]);
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`, { mode: 0o644 });
    mosquitto = startBroker();
    gatewayUrl = `mqtt://127.0.0.1:${port}`;
    const url = `mqtt://control:${encodeURIComponent('secret/of:control')}@127.0.0.1:${port}`;
    let failure: unknown;
    for (let i = 0; i < 30 && !system; i++) {
      const options = { heartbeat: 5, tokenLife: TOKEN_LIFE };
      system = (await System.start(options, { externalMqtt: { url, gatewayUrl } }).catch((error) => {
        failure = error;
      })) as System;
      if (!system) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    if (!system) throw failure;
  }, 60_000);
  afterAll(async () => {
    await system?.stop();
    mosquitto.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('carries sessions: network, signaling, rotation, a token that is renewed', async () => {
    const a = (await overMqtt('net')).start(5001);
    const b = (await overMqtt('net')).start(5002);
    await healthy(a, b);
    const { connections } = a.agent.session.counters;
    await until(() => a.agent.network.peers.get(b.id)?.endpoint === '127.0.0.1:5002', 'the endpoint of b');
    await until(() => b.agent.network.peers.has(a.id), 'a is known');
    a.agent.session.send('sdp-offer', { sdp: 'v=0' }, b.id);
    await until(() => b.signals.length === 1, 'an offer');
    const before = a.agent.rotation.usingPublic;
    await system.request('POST', `/api/v1/tenants/net/gateways/${a.id}/rotate`);
    await until(() => a.agent.rotation.phase === 'confirmed', 'the new key is confirmed');
    expect(a.agent.rotation.usingPublic).not.toBe(before);
    await new Promise((resolve) => setTimeout(resolve, TOKEN_LIFE * 1_200));
    expect(a.agent.session.healthy).toBe(true);
    expect(a.agent.session.counters.connections).toBe(connections);
    await system.request('POST', `/api/v1/tenants/net/gateways/${b.id}/revoke`);
    await until(() => b.agent.session.state !== 'live', 'b is out');
    await until(() => !a.agent.network.peers.has(b.id), 'a forgets b');
  }, 90_000);

  it('shows a copied image as what it is', async () => {
    const a = (await overMqtt('clone')).start();
    await healthy(a);
    const twin = new ControlEnd(a.control, a.store);
    twin.endpoints = a.endpoints;
    system.gateways.push(twin.start());
    const held = () => a.agent.hold?.kind === 'quarantine' && twin.agent.hold !== undefined;
    await until(held, 'both are held', 60_000);
  }, 90_000);

  it('comes back after a restart of the broker, and of the control plane', async () => {
    const a = (await overMqtt('restart')).start();
    await healthy(a);
    mosquitto.kill();
    await until(() => !a.agent.session.healthy || a.agent.session.state !== 'live', 'the loss is seen');
    mosquitto = startBroker();
    await until(() => a.agent.session.state === 'live', 'back after the broker', 40_000);
    const { connections } = a.agent.session.counters;
    const { port } = system.server;
    await system.server.stop('a restart');
    await system.serve(port);
    const back = () => a.agent.session.state === 'live' && a.agent.session.counters.connections > connections;
    await until(back, 'back after the control plane', 40_000);
    await healthy(a);
  }, 90_000);

  it('lets each gateway at its own three topics only', async () => {
    const [one, two] = [await system.gateway('topics'), await system.gateway('topics')];
    const login = one.login();
    await new Promise((done) => login.renew(done));
    const good: IClientOptions = {
      protocolVersion: 4,
      reconnectPeriod: 0,
      clientId: one.id,
      username: one.id,
      password: login.token(),
    };
    for (const wrong of [{ password: 'x' }, { clientId: 'other' }, { username: two.id, clientId: two.id }]) {
      await expect(mqtt.connectAsync(gatewayUrl, { ...good, ...wrong })).rejects.toThrow();
    }
    const client = await mqtt.connectAsync(gatewayUrl, good);
    const [own, theirs] = [mqttTopics('topics', one.id), mqttTopics('topics', two.id)];
    for (const topic of [
      '#',
      'cloudbridge/v1/+/+/up',
      theirs.down,
      theirs.up,
      own.up,
      `$share/g/${own.down}`,
      '$CONTROL/#',
    ]) {
      const granted = await client.subscribeAsync(topic).catch(() => [{ qos: 128 }]);
      expect(granted[0]?.qos ?? 128, topic).toBe(128);
    }
    expect((await client.subscribeAsync(own.down))[0].qos).toBe(0);
    // What it says for another arrives nowhere: that one's session would be told that hello comes first.
    const heard: string[] = [];
    client.on('message', (_, payload) => heard.push(payload.toString()));
    client.publish(theirs.up, JSON.stringify({ type: 'hello', data: {} }));
    client.publish(own.up, JSON.stringify({ type: 'heartbeat', data: {} }));
    await until(() => heard.some((text) => text.includes('say hello first')), 'an answer');
    expect(heard.length).toBe(1);
    client.end(true);
  }, 60_000);
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
