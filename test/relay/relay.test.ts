import { createServer, type Server, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { MasqueTransport } from '../../src/transport/masque-transport.js';
import { meetingTarget } from '../../src/transport/relay-access.js';
import { until } from '../lab/wait.js';
import { Client, Issuer, makeCertificate, RelayWorld } from './relay-world.js';

let world: RelayWorld;
const clients: Client[] = [];
const worlds: RelayWorld[] = [];

async function pair(
  a: 'masque' | 'websocket',
  b: 'masque' | 'websocket',
  at = world,
): Promise<[Client, Client]> {
  const both = [await at.client(a, 'one', 'two'), await at.client(b, 'two', 'one')] as [Client, Client];
  clients.push(...both);
  await Promise.all(both.map((one) => one.is('open')));
  return both;
}

async function another(...options: Parameters<typeof RelayWorld.start>): Promise<RelayWorld> {
  const made = await RelayWorld.start(...options);
  worlds.push(made);
  return made;
}

beforeAll(async () => {
  world = await RelayWorld.start();
});
afterEach(async () => {
  for (const { transport } of clients.splice(0)) transport.close();
  for (const one of worlds.splice(0)) await one.relay.stop();
  await until('all tunnels ended', 5_000, () => world.relay.tunnels === 0);
});
afterAll(() => world.relay.stop());

describe('gateways of one tenant', () => {
  it.each([
    ['masque', 'masque'],
    ['websocket', 'websocket'],
    ['masque', 'websocket'],
  ] as const)('meet, %s and %s, and get what the other sent, whole', async (a, b) => {
    const [one, two] = await pair(a, b);
    // Every length at which a header grows, and the largest datagram of UDP over IPv4.
    const lengths = [1, 32, 62, 63, 64, 125, 126, 127, 148, 1452, 16_382, 16_383, 65_507];
    const sent = lengths.map((length, i) => Buffer.alloc(length, i + 1));
    for (const datagram of sent) expect(one.send(datagram)).toBe(true);
    await two.has(sent.length);
    expect(two.received.map(({ length }) => length)).toEqual(lengths);
    expect(Buffer.concat(two.received).equals(Buffer.concat(sent))).toBe(true);
    two.send(Buffer.from('back'));
    await one.has(1);
    expect(one.received[0].toString()).toBe('back');
  });

  it('get nothing of another tenant, and nothing of who did not ask for them', async () => {
    const [one] = await pair('masque', 'websocket');
    const stranger = await world.client('masque', 'two', 'one', 'umbrella');
    const third = await world.client('websocket', 'three', 'one');
    clients.push(stranger, third);
    await Promise.all([stranger.is('open'), third.is('open')]);
    const absent = world.relay.counters.droppedAbsent;
    stranger.send(Buffer.from('hello'));
    third.send(Buffer.from('hello'));
    await until('both dropped', 5_000, () => world.relay.counters.droppedAbsent === absent + 2);
    expect(one.received).toEqual([]);
  });

  it('take the place of their own older tunnel', async () => {
    const [one, two] = await pair('masque', 'masque');
    const again = await world.client('masque', 'two', 'one');
    clients.push(again);
    await again.is('open');
    await two.is('failed');
    expect(two.transport.reason).toBe('closed-by-peer');
    one.send(Buffer.from('to whom?'));
    await again.has(1);
  });
});

describe('the door', () => {
  it.each([
    ['no token', async () => undefined, 'no-token'],
    ['another key’s', async () => (await Issuer.make()).sign('one', 'acme'), 'unauthorized'],
    ['an expired one', () => world.issuer.sign('one', 'acme', -60), 'unauthorized'],
    ['one for something else', () => world.issuer.sign('one', 'acme', 3600, 'admin'), 'unauthorized'],
    ['one without a signature', async () => 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJvbmUifQ.', 'unauthorized'],
  ])('stays shut for %s', async (_, token, reason) => {
    const before = world.relay.counters.tunnelsOpened;
    const client = new Client(new MasqueTransport(world.access(await token()), () => meetingTarget('two')));
    await client.is('failed');
    expect(client.transport.reason).toBe(reason);
    expect(world.relay.counters.tunnelsOpened).toBe(before);
  });

  it('a token that expires ends its tunnel', async () => {
    const token = await world.issuer.sign('one', 'acme', 2);
    const client = new Client(new MasqueTransport(world.access(token), () => meetingTarget('two')));
    clients.push(client);
    await client.is('failed');
    expect(client.states).toContain('ready');
    expect(client.transport.reason).toBe('closed-by-peer');
  });

  it('a server with another certificate gets no token', async () => {
    const other = makeCertificate('DNS:localhost').cert;
    const token = await world.issuer.sign('one', 'acme');
    const before = world.relay.counters.refusedToken + world.relay.counters.tunnelsOpened;
    const client = new Client(
      new MasqueTransport(world.access(token, undefined, other), () => meetingTarget('two')),
    );
    await client.is('failed');
    expect(client.transport.reason).toBe('certificate');
    expect(world.relay.counters.refusedToken + world.relay.counters.tunnelsOpened).toBe(before);
  });
});

describe('limits', () => {
  it('no more tunnels than a gateway has', async () => {
    const small = await another({ tunnelsPerGateway: 1 });
    const first = await small.client('masque', 'one', 'two');
    await first.is('open');
    const second = await small.client('masque', 'one', 'three');
    await second.is('failed');
    expect(second.transport.reason).toBe('rate-limited');
    expect(second.transport.retryAfter).toBe(5_000);
    first.transport.close();
    await until('room again', 5_000, () => small.relay.tunnels === 0);
    const third = await small.client('masque', 'one', 'three');
    await third.is('open');
    third.transport.close();
  });

  it('no more requests than a source may make', async () => {
    const small = await another({ requestsPerSecond: 1, requestBurst: 2 });
    const all = await Promise.all([1, 2, 3].map((i) => small.client('websocket', `g${i}`, 'x')));
    await until('all answered', 5_000, () =>
      all.every(({ transport }) => !/opening|idle/.test(transport.state)),
    );
    expect(all.map(({ transport }) => transport.reason).sort()).toEqual(['rate-limited', 'ready', 'ready']);
    for (const { transport } of all) transport.close();
  });

  it('no more bytes than a tunnel and a gateway have', async () => {
    const small = await another({ bandwidth: 1000, dailyBytes: 50_000 });
    const [one, two] = await pair('masque', 'masque', small);
    for (let i = 0; i < 100; i++) one.send(Buffer.alloc(1000));
    await until('some were dropped', 5_000, () => {
      const { droppedBandwidth, droppedQuota, datagrams } = small.relay.counters;
      return droppedBandwidth + droppedQuota > 0 && datagrams + droppedBandwidth + droppedQuota >= 100;
    });
    expect(two.received.length).toBeLessThan(60);
    expect(small.relay.counters.droppedQuota).toBeGreaterThan(0);
  });

  it('a gateway that does not read loses datagrams, and nobody waits for it', async () => {
    const small = await another({ backlog: 20_000, bandwidth: 1e9 });
    const [one, two] = await pair('masque', 'masque', small);
    for (let i = 0; i < 40; i++) one.send(Buffer.alloc(1000, i));
    await until('all are through or dropped', 5_000, () => {
      return two.received.length + small.relay.counters.droppedBacklog >= 40;
    });
    expect(small.relay.counters.droppedBacklog).toBeGreaterThan(0);
  });

  it('are counted where a monitor looks', async () => {
    const [one, two] = await pair('masque', 'websocket');
    one.send(Buffer.from('x'));
    await two.has(1);
    const text = await (await fetch(`http://127.0.0.1:${world.relay.metricsPort}/metrics`)).text();
    expect(text).toMatch(/^cloudbridge_relay_datagrams_total [1-9]/m);
    expect(text).toMatch(/^cloudbridge_relay_tunnels\{protocol="masque-h1"\} 1$/m);
    expect(text).toMatch(/^cloudbridge_relay_tunnels\{protocol="websocket"\} 1$/m);
    expect(text).not.toMatch(/one|two|acme/);
  });
});

describe('others than our own transports', () => {
  it('ws as a client', async () => {
    const [one] = await pair('masque', 'masque');
    const url = `wss://localhost:${world.relay.port}/.well-known/masque/udp/one.gateway.invalid/1/`;
    const authorization = `Bearer ${await world.issuer.sign('three', 'acme')}`;
    const socket = new WebSocket(url, { ca: world.certificate.cert, headers: { authorization } });
    const toThree = await world.client('masque', 'one', 'three');
    clients.push(toThree);
    await toThree.is('open');
    await until('open', 5_000, () => socket.readyState === WebSocket.OPEN);
    socket.send(Buffer.from('from ws'));
    await toThree.has(1);
    expect(toThree.received[0].toString()).toBe('from ws');
    const answer = new Promise<Buffer>((resolve) =>
      socket.once('message', (data) => resolve(data as Buffer)),
    );
    toThree.send(Buffer.from('to ws'));
    expect((await answer).toString()).toBe('to ws');
    expect(one.received).toEqual([]);
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.send('text is no datagram');
    expect(await closed).toBe(1003);
  });

  it('bare bytes over TLS, in single bytes', async () => {
    const { relay, certificate, issuer } = world;
    const token = await issuer.sign('four', 'acme');
    const toFour = await world.client('masque', 'one', 'four');
    clients.push(toFour);
    await toFour.is('open');
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: relay.port,
      servername: 'localhost',
      ca: certificate.cert,
    });
    let got = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
    });
    const request = [
      'GET /.well-known/masque/udp/one%2Egateway.invalid/1/ HTTP/1.1',
      'Host: localhost',
      'Connection: upgrade',
      'Upgrade: connect-udp',
      'Capsule-Protocol: ?1',
      `Authorization: Bearer ${token}`,
    ];
    socket.write(`${request.join('\r\n')}\r\n\r\n`);
    await until('switched', 5_000, () => got.includes('\r\n\r\n'));
    expect(got.toString()).toMatch(/^HTTP\/1\.1 101 /);
    expect(got.toString()).toMatch(/\r\ncapsule-protocol: \?1\r\n/i);
    // An unknown capsule first, which is passed over (RFC 9297 section 3.2); lengths in their longest form.
    const bytes = Buffer.from('40ff03aabbcc 00c000000000000003 00 6869'.replaceAll(' ', ''), 'hex');
    for (const byte of bytes) socket.write(Buffer.of(byte));
    await toFour.has(1);
    expect(toFour.received[0].toString()).toBe('hi');
    got = Buffer.alloc(0);
    toFour.send(Buffer.from('yo'));
    await until('an answer', 5_000, () => got.length >= 5);
    expect(got.toString('hex')).toBe('000300796f');
    socket.destroy();
  });
});

describe('behind an HTTP proxy', () => {
  /** Lets `user:secret` through to anywhere. */
  async function proxy(): Promise<{ server: Server; port: number; asked: string[] }> {
    const asked: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (data: Buffer) => {
        const text = data.toString('latin1');
        asked.push(text);
        const target = /^CONNECT ([^ :]+):([0-9]+) HTTP\/1\.1\r\n/.exec(text);
        if (!target || !text.includes(`\r\nProxy-Authorization: Basic ${btoa('user:secret')}\r\n`)) {
          socket.end('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
          return;
        }
        const onward = tcpConnect(Number(target[2]), target[1], () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
          socket.pipe(onward).pipe(socket);
        });
        onward.on('error', () => socket.destroy());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, port: (server.address() as { port: number }).port, asked };
  }

  it('asks it with credentials, and verifies the relay through it', async () => {
    const { server, port, asked } = await proxy();
    const credentials = () => ({ user: 'user', password: 'secret' });
    const one = await world.client('masque', 'one', 'two', 'acme', { host: '127.0.0.1', port, credentials });
    const two = await world.client('websocket', 'two', 'one', 'acme', {
      host: '127.0.0.1',
      port,
      credentials,
    });
    clients.push(one, two);
    await Promise.all([one.is('open'), two.is('open')]);
    expect(one.states).toEqual(['connecting', 'asking-proxy', 'securing', 'negotiating', 'ready']);
    one.send(Buffer.from('through'));
    await two.has(1);
    // The proxy never sees the token.
    expect(asked.join()).not.toContain('Bearer');
    server.close();
  });

  it('says what the proxy wants where there are none', async () => {
    const { server, port } = await proxy();
    const client = await world.client('masque', 'one', 'two', 'acme', { host: '127.0.0.1', port });
    await client.is('failed');
    expect(client.transport.reason).toBe('proxy-authentication');
    expect(client.transport.detail).toContain('Basic realm');
    server.close();
  });
});

describe('the end', () => {
  it('tells the gateways, and leaves nothing open', async () => {
    const short = await another();
    const [one, two] = await pair('masque', 'websocket', short);
    await short.relay.stop();
    await Promise.all([one.is('failed'), two.is('failed')]);
    expect(one.transport.reason).toBe('closed-by-peer');
    expect(short.relay.tunnels).toBe(0);
    worlds.pop();
  });
});
