import { createSocket, type Socket } from 'node:dgram';
import { createServer, get, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const LOOPBACK = '127.0.0.1';

/** What stands behind gateway 1: a web page and a UDP echo on loopback, which it exposes inside the tunnel. */
export interface Services {
  readonly httpPort: number;
  readonly echoPort: number;
  /** Web requests answered so far. */
  readonly served: () => number;
  close(): void;
}

export async function startServices(): Promise<Services> {
  let served = 0;
  const http = createServer((request, response) => {
    served++;
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(`Hello through the tunnel. You asked for ${request.url}; this is answer ${served}.\n`);
  });
  const echo = createSocket('udp4');
  echo.on('message', (message, from) => echo.send(message, from.port, from.address));
  await listen(http);
  await bind(echo);
  return {
    httpPort: (http.address() as AddressInfo).port,
    echoPort: echo.address().port,
    served: () => served,
    close() {
      http.close();
      http.closeAllConnections();
      echo.close();
    },
  };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, LOOPBACK, resolve);
  });
}

function bind(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject).bind(0, LOOPBACK, () => resolve());
  });
}

/** `count` ports that are free on this machine's loopback now, all different. */
export async function freePorts(protocol: 'tcp' | 'udp', count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () =>
    protocol === 'udp' ? createSocket('udp4') : createServer(),
  );
  try {
    await Promise.all(holders.map((holder) => (holder instanceof Server ? listen(holder) : bind(holder))));
    return holders.map((holder) => (holder.address() as AddressInfo).port);
  } finally {
    for (const holder of holders) holder.close();
  }
}

/** How one request through the tunnel went. */
export interface RequestResult {
  readonly ok: boolean;
  /** Status line of the answer, or why there was none. */
  readonly detail: string;
  /** Bytes of the answer's body. */
  readonly bytes: number;
  readonly milliseconds: number;
}

/** GET of the page behind gateway 1, over a forward's loopback port of another gateway. */
export function requestPage(port: number, path: string, timeout: number): Promise<RequestResult> {
  const start = performance.now();
  return new Promise((resolve) => {
    const finish = (ok: boolean, detail: string, bytes: number) => {
      resolve({ ok, detail, bytes, milliseconds: performance.now() - start });
    };
    // No agent: each request makes a connection of its own through the tunnel.
    const request = get({ host: LOOPBACK, port, path, agent: false, timeout }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('error', (error) => finish(false, error.message, body.length));
      response.on('end', () => {
        const ours = response.statusCode === 200 && body.includes(path);
        finish(ours, `HTTP ${response.statusCode}`, Buffer.byteLength(body));
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeout} ms`)));
    request.on('error', (error) => finish(false, error.message, 0));
  });
}

/** One datagram to the echo behind gateway 1, over a forward's loopback port of another gateway. */
export function requestEcho(port: number, text: string, timeout: number): Promise<RequestResult> {
  const start = performance.now();
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    const finish = (ok: boolean, detail: string, bytes: number) => {
      clearTimeout(timer);
      socket.close();
      resolve({ ok, detail, bytes, milliseconds: performance.now() - start });
    };
    const timer = setTimeout(() => finish(false, `no answer within ${timeout} ms`, 0), timeout);
    socket.once('error', (error) => finish(false, error.message, 0));
    socket.once('message', (answer) => {
      const same = answer.toString() === text;
      finish(same, same ? 'UDP echo' : 'UDP echo with other contents', answer.length);
    });
    socket.send(text, port, LOOPBACK);
  });
}
