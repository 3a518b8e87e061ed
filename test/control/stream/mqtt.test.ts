/** Our MQTT client against a broker of Node's, whole and byte by byte, and against servers that do wrong. */

import { createServer, type Socket } from 'node:net';
import { Aedes, type AuthenticateError } from 'aedes';
import { afterEach, expect, it } from 'vitest';
import type { Link } from '../../../src/control/link.js';
import { MqttLinks } from '../../../src/control/mqtt-link.js';
import { mqttTopics, PRESENCE } from '../../../src/control/mqtt-topics.js';
import { isLoopback } from '../../../src/control/routes.js';
import { streamMqtt } from '../../../src/control/stream/stream-mqtt-client.js';
import { NodeTimer, nodeStreams } from './node-streams.js';

const IDENTITY = { tenant: 'acme', gateway: 'gw-1' };
const TOPICS = mqttTopics(IDENTITY.tenant, IDENTITY.gateway);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Seen {
  readonly link: Link;
  readonly texts: string[];
  readonly opened: Promise<void>;
  readonly ended: Promise<{ reason: string; unauthorized?: boolean }>;
}

function open(url: string, token = 'a-token', piece?: number, mostBytes?: number): Seen {
  const clients = streamMqtt({
    connector: nodeStreams(piece),
    timer: () => new NodeTimer(),
    allowsOpen: isLoopback,
  });
  const texts: string[] = [];
  let link!: Link;
  let opened!: () => void;
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const ended = new Promise<{ reason: string; unauthorized?: boolean }>((resolve) => {
    link = new MqttLinks(clients, IDENTITY, mostBytes).open({ kind: 'mqtt', url }, token, {
      opened: () => opened(),
      received: (text) => texts.push(text),
      closed: (reason) => resolve({ reason }),
      unauthorized: (reason) => resolve({ reason, unauthorized: true }),
    });
  });
  closers.push(() => link.close());
  return { link, texts, opened: isOpen, ended };
}

async function listen(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer(serve);
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function broker(): Promise<{ aedes: Aedes; url: string }> {
  const aedes = await Aedes.createBroker();
  closers.push(() => aedes.close());
  aedes.authenticate = (client, user, password, done) => {
    const good = client.id === 'gw-1' && user === 'gw-1' && password?.toString() === 'a-token';
    if (good) done(null, true);
    else done(Object.assign(new Error('no'), { returnCode: 5 }) as AuthenticateError, false);
  };
  return { aedes, url: await listen((socket) => void aedes.handle(socket)) };
}

it.each([65_536, 300])('carries messages of all lengths both ways, %d bytes at a time', async (piece) => {
  const { aedes, url } = await broker();
  // What comes up goes down again.
  aedes.on('publish', (packet) => {
    if (packet.topic !== TOPICS.up) return;
    aedes.publish(
      { ...packet, cmd: 'publish', qos: 0, retain: false, dup: false, topic: TOPICS.down },
      () => {},
    );
  });
  const presence: string[] = [];
  await new Promise<void>((resolve) => {
    aedes.subscribe(
      TOPICS.presence,
      (packet, done) => {
        presence.push(packet.payload.toString());
        done();
      },
      resolve,
    );
  });
  const { link, texts, opened } = open(url, 'a-token', piece);
  await opened;
  const sent = [1, 100, 127, 128, 16_383, 16_384, 65_000].map((length) => 'x'.repeat(length));
  sent.push('{"é":"😀"}');
  for (const text of sent) {
    expect(link.send(text)).toBe(true);
    await until(() => texts.length > sent.indexOf(text));
  }
  expect(texts).toEqual(sent);
  link.close();
  await until(() => presence.length === 2);
  expect(presence).toEqual([PRESENCE.online, PRESENCE.offline]);
});

it('tells a refused token from a broken line', async () => {
  const { url } = await broker();
  expect(await open(url, 'another').ended).toMatchObject({ unauthorized: true });
  expect(await open('mqtt://127.0.0.1:1').ended).toEqual({ reason: expect.stringContaining('ECONNREFUSED') });
  expect(await open('mqtt://192.0.2.1').ended).toEqual({ reason: expect.stringContaining('no mqtts://') });
});

it('leaves a will behind when it is cut off', async () => {
  const { aedes, url } = await broker();
  const presence: string[] = [];
  aedes.on('publish', ({ topic, payload }) => {
    if (topic === TOPICS.presence) presence.push(payload.toString());
  });
  const { opened } = open(url);
  await opened;
  await until(() => presence.length === 1);
  for (const client of Object.values(
    (aedes as unknown as { clients: Record<string, { conn: Socket }> }).clients,
  )) {
    client.conn.destroy();
  }
  await until(() => presence.length === 2);
  expect(presence).toEqual([PRESENCE.online, PRESENCE.offline]);
});

const CONNACK = [0x20, 2, 0, 0];
const topic = new TextEncoder().encode(TOPICS.down);
const publish = (first: number, extra: number): number[] => {
  const length = 2 + topic.length + extra;
  return [first, (length & 0x7f) | 0x80, length >>> 7, 0, topic.length, ...topic, ...new Uint8Array(extra)];
};

it.each<[string, number[], string]>([
  ['is no broker', [...new TextEncoder().encode('HTTP/1.1 400 Bad')], 'no MQTT'],
  ['is busy', [0x20, 2, 0, 3], 'refused the connection (3)'],
  ['sends a packet of no kind', [...CONNACK, 0xf0, 0], 'nobody asked'],
  ['sends an endless length', [...CONNACK, 0x30, 0xff, 0xff, 0xff, 0xff], 'malformed length'],
  ['sends a large packet', [...CONNACK, 0x90, 0xff, 0x7f], 'too large'],
  ['sends at another quality', [...CONNACK, ...publish(0x32, 130)], 'QoS'],
  ['sends an empty topic', [...CONNACK, 0x30, 2, 0, 0], 'malformed topic'],
  ['sends a topic beyond its packet', [...CONNACK, 0x30, 4, 0, 9, 65, 65], 'malformed topic'],
  ['refuses the subscription', [...CONNACK, 0x90, 3, 0, 1, 0x80], 'refuses'],
  ['sends more than is taken', [...CONNACK, 0x90, 3, 0, 1, 0, ...publish(0x30, 2000)], 'more than 1024'],
])('a server that %s is left, with the reason', async (_, bytes, reason) => {
  for (const piece of [65_536, 1]) {
    const url = await listen((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write(new Uint8Array(bytes)));
      closers.push(() => socket.destroy());
    });
    expect((await open(url, 'a-token', piece, 1024).ended).reason).toContain(reason);
  }
});

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); ) {
    if (Date.now() > end) throw new Error('never happened');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
