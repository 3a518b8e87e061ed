import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { NodeHttpClient } from '../../host/gateway/control/http-client.js';
import { NodeLinks } from '../../host/gateway/control/links.js';
import { parsePin, pinOf } from '../../host/gateway/control/tls.js';
import type { Route } from '../../src/control/link.js';
import { routeKind, routesOf } from '../../src/control/routes.js';
import { readRetryAfter } from '../../src/control/stream/http-response.js';
import type { HttpAnswer } from '../../src/ports.js';

const folder = mkdtempSync(join(tmpdir(), 'cb-tls-'));
let cert: string;
let key: string;
/** What reached a server, by its headers: a refused one must have seen nothing. */
const authorizations: (string | undefined)[] = [];
const servers: Server[] = [];

async function serve(options: object): Promise<number> {
  const server = createServer({ cert, key, ...options }, (request, response) => {
    authorizations.push(request.headers.authorization);
    response.end('{}');
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    authorizations.push(request.headers.authorization);
    socket.send('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

const IDENTITY = { tenant: 'acme', gateway: 'gw-1' };
/** Every kind of link but the WebSocket, to a port. */
const OTHERS: ((host: string) => Route)[] = [
  (host) => ({ kind: 'mqtt', url: `mqtts://${host}` }),
  (host) => ({ kind: 'event-stream', url: `https://${host}/events` }),
  (host) => ({ kind: 'polling', url: `https://${host}/polling` }),
];

/** `hello`, or the reason why not. */
function link(url: string, pins: string[] = []): Promise<string> {
  return over({ kind: 'websocket', url }, pins);
}

function over(route: Route, pins: string[] = []): Promise<string> {
  return new Promise((resolve) => {
    const opened = new NodeLinks(IDENTITY, pins, cert).open(route, 'secret', {
      opened: () => {},
      received: (text) => {
        opened.close();
        resolve(text);
      },
      closed: resolve,
      unauthorized: resolve,
    });
  });
}

function post(url: string, pins: string[] = []): Promise<HttpAnswer> {
  return new Promise((resolve) => new NodeHttpClient(pins, cert).post(url, '{}', 'secret', resolve));
}

beforeAll(() => {
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const made = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...curve, ...names, ...made], {
    stdio: 'ignore',
  });
  cert = readFileSync(join(folder, 'cert.pem'), 'utf8');
  key = readFileSync(join(folder, 'key.pem'), 'utf8');
});
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(folder, { recursive: true, force: true });
});

describe('TLS towards the control plane', () => {
  const der = (): Buffer => Buffer.from(cert.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const spare = 'A'.repeat(43).concat('=');

  it('takes version 1.3 with a verified name, and a pinned key where pins are set', async () => {
    const port = await serve({ minVersion: 'TLSv1.3' });
    const pin = pinOf(der());
    expect(parsePin(`sha256/${pin}`)).toBe(pin);
    for (const pins of [[], [pin], [spare, pin]]) {
      expect(await link(`wss://localhost:${port}/ws`, pins)).toBe('hello');
      expect((await post(`https://localhost:${port}/`, pins)).status).toBe(200);
    }
    authorizations.length = 0;
    expect(await link(`wss://localhost:${port}/ws`, [spare])).toContain('pinned');
    expect((await post(`https://localhost:${port}/`, [spare])).error).toContain('pinned');
    // The name in the certificate is localhost.
    expect(await link(`wss://127.0.0.1:${port}/ws`)).toMatch(/altname|IP/i);
    expect((await post(`https://127.0.0.1:${port}/`)).error).toMatch(/altname|IP/i);
    for (const route of OTHERS) {
      expect(await over(route(`localhost:${port}`), [spare])).toContain('pinned');
      expect(await over(route(`127.0.0.1:${port}`))).toMatch(/altname|IP/i);
    }
    expect(authorizations).toEqual([]);
  });

  it('refuses version 1.2', async () => {
    const port = await serve({ maxVersion: 'TLSv1.2' });
    authorizations.length = 0;
    expect(await link(`wss://localhost:${port}/ws`)).toMatch(/version|alert/i);
    expect((await post(`https://localhost:${port}/`)).error).toMatch(/version|alert/i);
    for (const route of OTHERS) expect(await over(route(`localhost:${port}`))).toMatch(/version|alert/i);
    expect(authorizations).toEqual([]);
  });

  it('speaks openly to this very machine by number, and to nobody else', async () => {
    for (const url of [
      'ws://localhost:1/',
      'ws://192.0.2.1/',
      'ws://127.0.0.1.example/',
      'ws://127.0.0.1@evil/',
    ]) {
      expect(await link(url), url).toContain('no safe address');
      expect(routeKind(url), url).toBeUndefined();
      expect((await post(url.replace('ws', 'http'))).error, url).toContain('https');
    }
    for (const route of OTHERS) {
      const { kind, url } = route('192.0.2.1');
      const open = url.replace('s://', '://');
      expect(await over({ kind, url: open }), open).toContain('no safe address');
      expect(routeKind(open), open).toBeUndefined();
    }
    expect(routeKind('ws://127.0.0.1:80/ws')).toBe('websocket');
    expect(routeKind('ws://[::1]:80/ws')).toBe('websocket');
    expect(routeKind('wss://anything/ws')).toBe('websocket');
    expect(routeKind('constructor://x')).toBeUndefined();
  });

  it('keeps the enrolled endpoints as a way back behind those set from afar', () => {
    const enrolled = [
      { kind: 'polling', url: 'https://c/poll' },
      { kind: 'event-stream', url: 'https://c/events' },
      { kind: 'websocket', url: 'wss://c/ws' },
    ] as const;
    expect(routesOf(enrolled, ['wss://new/ws', 'ws://open/ws', 'wss://c/ws']).map(({ url }) => url)).toEqual([
      'wss://new/ws',
      'wss://c/ws',
      'https://c/events',
      'https://c/poll',
    ]);
  });

  it('reads how long to wait, within reason', () => {
    expect([undefined, '5', '0', 'soon', '-1', '999999'].map(readRetryAfter)).toEqual([
      0, 5_000, 0, 0, 0, 3_600_000,
    ]);
  });
});
