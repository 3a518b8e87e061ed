/** The control plane as one process: HTTP for claims and logins, WebSocket for sessions, one database. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { WebSocketServer } from 'ws';
import { LARGEST_MESSAGE_BYTES } from '../../src/control/messages.js';
import type { Log } from '../../src/ports.js';
import { NodePrimitives } from '../gateway/crypto.js';
import type { Database } from './database.js';
import { GatewaySession } from './gateway-session.js';
import { findGateway } from './gateways.js';
import { Hub } from './hub.js';
import { LoginDesk } from './login.js';
import { CONTROL_OPTIONS, type ControlOptions } from './options.js';
import { RateLimit } from './rate-limit.js';
import { Refusal } from './refusal.js';
import { type ControlRoute, controlRoutes } from './routes.js';
import { Tokens } from './tokens.js';

export interface ServerOptions {
  readonly database: Database;
  readonly log: Log;
  /** Whoever has it may do everything. */
  readonly adminToken: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** As gateways reach us; the listening address when undefined. */
  readonly publicUrl?: string | undefined;
  /** PEM. Without it only loopback, or a proxy, should reach us. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly options?: Partial<ControlOptions>;
}

/** Bodies are claims and proofs: small. */
const MOST_BODY_BYTES = 16_384;
/** How often old keys are looked for, ms. */
const ROTATION_CHECK = 60_000;
/** Seconds over which those who are turned away are spread. */
const COME_BACK_WITHIN = 30;

export class ControlServer {
  readonly url: string;
  readonly port: number;
  readonly hub: Hub;
  readonly routes: readonly ControlRoute[];
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #log: Log;
  readonly #rotationCheck: NodeJS.Timeout;

  static async start(given: ServerOptions): Promise<ControlServer> {
    const { database, log, tls } = given;
    const options = { ...CONTROL_OPTIONS, ...given.options };
    const server = tls ? createTlsServer({ ...tls, minVersion: 'TLSv1.3' }) : createServer();
    server.headersTimeout = server.requestTimeout = 10_000;
    server.maxHeadersCount = 64;
    const port = await listen(server, given.host, given.port);
    const shownHost = given.host.includes(':') ? `[${given.host}]` : given.host;
    const publicUrl = given.publicUrl ?? `${tls ? 'https' : 'http'}://${shownHost}:${port}`;
    const tokens = await Tokens.open(database, publicUrl, options.tokenLife);
    const login = await LoginDesk.open(database, new NodePrimitives(), tokens, publicUrl);
    const hub = new Hub(database, tokens, options, log);
    const endpoints = [{ kind: 'websocket', url: `${publicUrl.replace(/^http/, 'ws')}/ws` }];
    const routes = controlRoutes({ database, tokens, login, hub, endpoints, publicUrl });
    const app = application(routes, given.adminToken, tokens, options, log);
    server.on('request', getRequestListener(app.fetch));
    const sockets = new WebSocketServer({
      noServer: true,
      maxPayload: LARGEST_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    const door = new Door(database, tokens, hub, sockets, options, log);
    server.on('upgrade', (request, socket, head) => {
      door.upgrade(request, socket, head).catch(() => socket.destroy());
    });
    return new ControlServer(publicUrl, port, hub, routes, server, sockets, log);
  }

  private constructor(
    url: string,
    port: number,
    hub: Hub,
    routes: readonly ControlRoute[],
    server: Server,
    sockets: WebSocketServer,
    log: Log,
  ) {
    this.#log = log;
    this.url = url;
    this.port = port;
    this.hub = hub;
    this.routes = routes;
    this.#server = server;
    this.#sockets = sockets;
    this.#rotationCheck = setInterval(() => void this.#rotate(), ROTATION_CHECK).unref();
  }

  async stop(reason = 'the control plane is stopping'): Promise<void> {
    clearInterval(this.#rotationCheck);
    this.hub.closeAll(reason);
    this.#sockets.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
      setTimeout(() => this.#server.closeAllConnections(), 500).unref();
      for (const client of this.#sockets.clients) setTimeout(() => client.terminate(), 500).unref();
    });
  }

  async #rotate(): Promise<void> {
    await this.hub.rotations.beginDue(Date.now()).catch((error) => {
      this.#log.write('error', 'rotation-failed', { reason: String(error) });
    });
  }
}

/** Lets gateways in: the token is checked before the upgrade, so that nobody else ever has a WebSocket. */
class Door {
  readonly #database: Database;
  readonly #tokens: Tokens;
  readonly #hub: Hub;
  readonly #sockets: WebSocketServer;
  readonly #options: ControlOptions;
  readonly #log: Log;
  readonly #pace: RateLimit;

  constructor(
    database: Database,
    tokens: Tokens,
    hub: Hub,
    sockets: WebSocketServer,
    options: ControlOptions,
    log: Log,
  ) {
    this.#database = database;
    this.#tokens = tokens;
    this.#hub = hub;
    this.#sockets = sockets;
    this.#options = options;
    this.#log = log;
    this.#pace = new RateLimit(options.acceptedPerSecond, options.acceptedPerSecond, 1);
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const target = new URL(request.url ?? '/', 'http://localhost');
    if (target.pathname !== '/ws') return turnAway(socket, '404 Not Found');
    if (!this.#pace.take('', Date.now())) {
      const seconds = 1 + Math.floor(Math.random() * COME_BACK_WITHIN);
      return turnAway(socket, '503 Service Unavailable', `Retry-After: ${seconds}\r\n`);
    }
    // The query only where a client cannot set headers: addresses end up in logs.
    const bearer = /^Bearer ([\w.-]+)$/.exec(request.headers.authorization ?? '')?.[1];
    const token = bearer ?? target.searchParams.get('token') ?? '';
    const claims = await this.#tokens.verify(token);
    const row = claims && (await findGateway(this.#database, claims.gateway).catch(() => undefined));
    if (!claims || !row || row.tenant !== claims.tenant) return turnAway(socket, '401 Unauthorized');
    if (row.state === 'revoked' || row.state === 'left') return turnAway(socket, '403 Forbidden');
    if (socket.destroyed) return;
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const remote = request.socket.remoteAddress ?? '';
      this.#hub.add(new GatewaySession(webSocket, claims, remote, this.#options, this.#hub, this.#log));
    });
  }
}

function turnAway(socket: Duplex, status: string, headers = ''): void {
  socket.end(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}

function application(
  routes: readonly ControlRoute[],
  adminToken: string,
  tokens: Tokens,
  options: ControlOptions,
  log: Log,
): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const pace = new RateLimit(options.requestsPerSecond, options.requestBurst);
  const isAdmin = adminCheck(adminToken);
  app.use(bodyLimit({ maxSize: MOST_BODY_BYTES, onError: (c) => answer(c, 413, 'too_large', 'too large') }));
  for (const route of routes) {
    app.on(route.method, route.path, async (context) => {
      const address = context.env.incoming.socket.remoteAddress ?? '';
      if (route.access === 'admin') {
        if (!isAdmin(context.req.header('authorization'))) {
          return answer(context, 401, 'unauthorized', 'the administrator’s token is missing or wrong');
        }
      } else if (route.method === 'POST' && !pace.take(address, Date.now())) {
        context.header('Retry-After', '5');
        return answer(context, 429, 'rate_limit_exceeded', 'too many requests from this address');
      }
      const bearer = /^Bearer ([\w.-]+)$/.exec(context.req.header('authorization') ?? '')?.[1];
      const gateway = route.access === 'gateway' ? await tokens.verify(bearer ?? '') : undefined;
      if (route.access === 'gateway' && !gateway) {
        return answer(context, 401, 'unauthorized', 'the gateway’s token is missing or wrong');
      }
      const body = route.method === 'POST' ? await readBody(context) : {};
      return context.json((await route.handle({ params: context.req.param(), body, gateway })) as object);
    });
  }
  app.notFound((context) => answer(context, 404, 'not_found', 'there is nothing here'));
  app.onError((error, context) => {
    if (error instanceof Refusal) return answer(context, error.status, error.code, error.message);
    log.write('error', 'request-failed', { path: context.req.path, reason: error.message });
    return answer(context, 500, 'internal', 'something went wrong here');
  });
  return app;
}

function answer(context: Context, status: number, code: string, message: string): Response {
  return context.json({ error: code, code, message }, status as 400);
}

async function readBody(context: Context): Promise<Record<string, unknown>> {
  const text = await context.req.text();
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {}
  throw new Refusal(400, 'bad_request', 'the body is not a JSON object');
}

/** In the same time whatever was given. */
function adminCheck(adminToken: string): (header: string | undefined) => boolean {
  const salt = randomBytes(16);
  const digest = (value: string): Buffer => createHash('sha256').update(salt).update(value).digest();
  const expected = digest(`Bearer ${adminToken}`);
  return (header) => timingSafeEqual(digest(header ?? ''), expected);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
