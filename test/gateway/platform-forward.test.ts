import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../host/gateway/errors.js';
import { openSocketPort, SocketPort } from '../../host/gateway/platform/datagram-port.js';
import { DEFAULT_FORWARD_LIMITS, type ForwardLimits } from '../../host/gateway/platform/forward-limits.js';
import { exposeRules, type ForwardRule, forwardRule } from '../../host/gateway/platform/forward-rule.js';
import { openListener } from '../../host/gateway/platform/listener.js';
import { TcpForward } from '../../host/gateway/platform/tcp-forward.js';
import { UdpForward } from '../../host/gateway/platform/udp-forward.js';
import { parseExpose, parseForward } from '../../src/config/forwards.js';
import { sleep, until } from '../lab/wait.js';

const log = { write() {} };
const HOST = '127.0.0.1';
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

function rule(protocol: 'tcp' | 'udp', target: number): ForwardRule {
  return { protocol, listen: { host: HOST, port: 0 }, target: { host: HOST, port: target } };
}

describe('a TCP forward', () => {
  async function service(serve: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      closers.push(() => socket.destroy());
      serve(socket);
    });
    server.listen(0, HOST);
    await once(server, 'listening');
    closers.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  async function forward(
    target: number,
    limits: Partial<ForwardLimits> = {},
  ): Promise<{ forward: TcpForward; port: number }> {
    const forwarded = rule('tcp', target);
    const listener = await openListener(forwarded);
    const server = (listener as { server: Server }).server;
    const made = new TcpForward(server, forwarded, { ...DEFAULT_FORWARD_LIMITS, ...limits }, log);
    closers.push(() => made.close());
    return { forward: made, port: (server.address() as AddressInfo).port };
  }

  function client(port: number): Socket {
    const socket = connect({ host: HOST, port, allowHalfOpen: true });
    closers.push(() => socket.destroy());
    return socket;
  }

  /** Not by iterating, which destroys the socket at the end of its reading side. */
  function readAll(socket: Socket): Promise<string> {
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('end', () => resolve(text));
    });
  }

  it('passes on the end of one direction while the other still flows', async () => {
    const port = await service(async (socket) => {
      // Answers only when the request has ended.
      const asked = await readAll(socket);
      socket.write('you said ');
      await sleep(50);
      socket.end(asked);
    });
    const socket = client((await forward(port)).port);
    socket.end('this');
    expect(await readAll(socket)).toBe('you said this');
  });

  it('passes on the end from the other side first', async () => {
    let heard: Promise<string> | undefined;
    const port = await service((socket) => {
      socket.end('greeting');
      heard = readAll(socket);
    });
    const socket = client((await forward(port)).port);
    expect(await readAll(socket)).toBe('greeting');
    socket.end('late words');
    expect(await heard).toBe('late words');
  });

  it('reads no faster than the other side takes', async () => {
    let paused: Socket | undefined;
    const port = await service((socket) => {
      socket.pause();
      paused = socket;
    });
    const socket = client((await forward(port)).port);
    const total = 64 * 1024 * 1024;
    const block = Buffer.alloc(1024 * 1024, 1);
    let accepted = 0;
    const writing = (async () => {
      while (accepted < total) {
        if (!socket.write(block)) await once(socket, 'drain');
        accepted += block.length;
      }
      socket.end();
    })();
    await until('the writer is held up', 5_000, async () => {
      const before = accepted;
      await sleep(300);
      return accepted === before && accepted > 0;
    });
    expect(accepted).toBeLessThan(total / 2);
    let received = 0;
    paused!.on('data', (bytes) => {
      received += bytes.length;
    });
    paused!.resume();
    await writing;
    await once(paused!, 'end');
    expect(received).toBe(total);
  });

  it('passes a reset on in both directions', async () => {
    const port = await service((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const socket = client((await forward(port)).port);
    socket.write('go');
    const [error] = await once(socket, 'error');
    expect((error as NodeJS.ErrnoException).code).toBe('ECONNRESET');

    let broken: Promise<unknown[]> | undefined;
    const other = await service((served) => {
      served.removeAllListeners('error');
      broken = once(served, 'error');
      served.write('x');
    });
    const second = client((await forward(other)).port);
    await once(second, 'data');
    second.resetAndDestroy();
    expect(((await broken!)[0] as NodeJS.ErrnoException).code).toBe('ECONNRESET');
  });

  it('resets the client when the target refuses', async () => {
    const closed = await service(() => {});
    closers.pop()!();
    const socket = client((await forward(closed)).port);
    const [error] = await once(socket, 'error');
    expect((error as NodeJS.ErrnoException).code).toBe('ECONNRESET');
  });

  it('turns connections away beyond its limit, and takes new ones when old ones end', async () => {
    const port = await service((socket) => socket.pipe(socket));
    const { forward: made, port: at } = await forward(port, { maxConnections: 2 });
    const first = client(at);
    const second = client(at);
    for (const socket of [first, second]) {
      socket.write('x');
      await once(socket, 'data');
    }
    const third = client(at);
    await once(third, 'error');
    expect(made.refused).toBe(1);
    first.end();
    await once(first, 'close');
    await until('there is room again', 5_000, async () => {
      const socket = client(at);
      socket.on('error', () => {});
      socket.write('again');
      return Promise.race([
        once(socket, 'data').then(() => true),
        once(socket, 'close').then(() => false),
      ]).catch(() => false);
    });
  });

  it('ends connections that are silent for too long', async () => {
    let gone = false;
    const port = await service((socket) => {
      socket.resume();
      socket.on('close', () => {
        gone = true;
      });
    });
    const socket = client((await forward(port, { connectionIdle: 100 })).port);
    await once(socket, 'error');
    await until('the service’s side ends, too', 5_000, () => gone);
  });

  it('closes its connections with itself', async () => {
    const port = await service((socket) => socket.pipe(socket));
    const { forward: made, port: at } = await forward(port);
    const socket = client(at);
    socket.write('x');
    await once(socket, 'data');
    made.close();
    const [broken] = await once(socket, 'error');
    expect((broken as NodeJS.ErrnoException).code).toBe('ECONNRESET');
    const late = client(at);
    const [error] = await once(late, 'error');
    expect((error as NodeJS.ErrnoException).code).toBe('ECONNREFUSED');
  });

  it('names the rule when its port is taken', async () => {
    const port = await service(() => {});
    const taken: ForwardRule = { ...rule('tcp', 1), listen: { host: HOST, port } };
    await expect(openListener(taken)).rejects.toThrow(GatewayError);
    await expect(openListener(taken)).rejects.toThrow(`TCP ${HOST}:${port} is taken`);
    await expect(openListener({ ...taken, listen: { host: '192.0.2.77', port: 9 } })).rejects.toThrow(
      'is not an address of this machine',
    );
  });
});

describe('a UDP forward', () => {
  async function bound(): Promise<UdpSocket> {
    const socket = createSocket('udp4');
    socket.bind(0, HOST);
    await once(socket, 'listening');
    closers.push(() => socket.close());
    return socket;
  }

  async function forward(
    target: number,
    limits: Partial<ForwardLimits> = {},
  ): Promise<{ forward: UdpForward; port: number }> {
    const forwarded = rule('udp', target);
    const listener = await openListener(forwarded);
    const socket = (listener as { socket: UdpSocket }).socket;
    const all = { ...DEFAULT_FORWARD_LIMITS, ...limits };
    const made = new UdpForward(new SocketPort(socket), forwarded, all, log, openSocketPort);
    closers.push(() => made.close());
    return { forward: made, port: socket.address().port };
  }

  async function ask(socket: UdpSocket, port: number, word: string): Promise<string> {
    const answer = once(socket, 'message');
    socket.send(word, port, HOST);
    return String((await answer)[0]);
  }

  async function echo(): Promise<{ socket: UdpSocket; sources: Set<number> }> {
    const socket = await bound();
    const sources = new Set<number>();
    socket.on('message', (bytes, from) => {
      sources.add(from.port);
      socket.send(`<${bytes}>`, from.port, from.address);
    });
    return { socket, sources };
  }

  it('gives every source a port of its own and keeps it', async () => {
    const { socket, sources } = await echo();
    const { forward: made, port } = await forward(socket.address().port);
    const [a, b] = [await bound(), await bound()];
    expect(await ask(a, port, 'a1')).toBe('<a1>');
    expect(await ask(b, port, 'b1')).toBe('<b1>');
    expect(await ask(a, port, 'a2')).toBe('<a2>');
    expect(sources.size).toBe(2);
    expect(made.flowCount).toBe(2);
  });

  it('keeps the order of datagrams that come before the flow’s port is open', async () => {
    const seen: string[] = [];
    const socket = await bound();
    socket.on('message', (bytes) => seen.push(String(bytes)));
    const { port } = await forward(socket.address().port);
    const source = await bound();
    const words = ['1', '2', '3', '4'];
    for (const word of words) source.send(word, port, HOST);
    await until('all are there', 5_000, () => seen.length === words.length);
    expect(seen).toEqual(words);
  });

  it('lets nobody but the target answer', async () => {
    const { socket, sources } = await echo();
    const { port } = await forward(socket.address().port);
    const source = await bound();
    const heard: string[] = [];
    source.on('message', (bytes) => heard.push(String(bytes)));
    await ask(source, port, 'mine');
    const stranger = await bound();
    for (const flow of sources) stranger.send('forged', flow, HOST);
    await ask(source, port, 'again');
    expect(heard).toEqual(['<mine>', '<again>']);
  });

  it('forgets the flow idle longest when there are too many', async () => {
    const { socket, sources } = await echo();
    const { forward: made, port } = await forward(socket.address().port, { maxFlows: 2 });
    const [a, b, c] = [await bound(), await bound(), await bound()];
    await ask(a, port, 'a');
    await ask(b, port, 'b');
    await ask(a, port, 'a');
    await ask(c, port, 'c');
    expect(made.flowCount).toBe(2);
    // b gave way, so a still has its port and b gets a new one.
    await ask(a, port, 'a');
    expect(sources.size).toBe(3);
    await ask(b, port, 'b');
    expect(sources.size).toBe(4);
    expect(made.flowCount).toBe(2);
  });

  it('forgets silent flows', async () => {
    const { socket } = await echo();
    const { forward: made, port } = await forward(socket.address().port, { flowIdle: 80 });
    await ask(await bound(), port, 'x');
    expect(made.flowCount).toBe(1);
    await until('the flow is forgotten', 5_000, () => made.flowCount === 0);
  });
});

describe('the rules', () => {
  it('take the command line’s addresses', () => {
    const parsed = parseForward('udp:[::1]:53=10.0.0.1:5353', [])!;
    expect(forwardRule(parsed)).toEqual({
      protocol: 'udp',
      listen: { host: '::1', port: 53 },
      target: { host: '10.0.0.1', port: 5353 },
    });
  });

  it('expose at the tunnel’s addresses only', () => {
    const parsed = parseExpose('80=127.0.0.1:8080', [])!;
    expect(exposeRules(parsed, ['10.0.0.1', 'fd00::1']).map((one) => one.listen)).toEqual([
      { host: '10.0.0.1', port: 80 },
      { host: 'fd00::1', port: 80 },
    ]);
  });
});
