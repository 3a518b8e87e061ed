/**
 * The relay on one TLS port: CONNECT-UDP over HTTP/1.1 upgrade and HTTP/2 extended CONNECT (RFC 9298), and WebSocket.
 * Nothing is opened for a request before its token is verified and its target judged.
 */

import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from 'node:http';
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { formatAddress, parseAddress } from '../../src/packet/address.js';
import type { Log } from '../../src/ports.js';
import { RateLimit } from '../control-plane/rate-limit.js';
import { carryCapsules } from './capsule-carrier.js';
import { metricsText, RelayCounters } from './counters.js';
import { Meetings } from './meetings.js';
import { RELAY_OPTIONS, type RelayOptions } from './options.js';
import { Quotas } from './quotas.js';
import { type Target, type TargetRule, Targets } from './targets.js';
import type { Identity, TokenGate } from './token-gate.js';
import { type Carrier, type Outlet, Tunnel } from './tunnel.js';
import { openUdpOutlet } from './udp-outlet.js';
import { carryMessages } from './websocket-carrier.js';

export interface RelaySetup {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly gate: TokenGate;
  readonly allow: readonly TargetRule[];
  readonly options?: Partial<RelayOptions>;
  /** Where `/metrics` and `/healthz` are served, without TLS; undefined: nowhere. */
  readonly metrics?: { readonly host: string; readonly port: number } | undefined;
  readonly log: Log;
}

/** Windows of HTTP/2: the usual 64 KiB would throttle a tunnel. Bytes. */
const STREAM_WINDOW = 1 << 20;
const SESSION_WINDOW = 8 << 20;
/** Tunnels in one HTTP/2 connection. */
const MOST_STREAMS = 64;
const MOST_HEADER = 8192;
/** How often idle and old tunnels are looked for, ms. */
const CHECK_INTERVAL = 1_000;
/** `retry-after` of what was too much, seconds. */
const COME_BACK = 5;

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly retryAfter?: number;
}

interface Admitted {
  readonly identity: Identity;
  readonly target: Target;
}

export class RelayServer {
  readonly counters = new RelayCounters();
  readonly options: RelayOptions;
  readonly #setup: RelaySetup;
  readonly #server: Http2SecureServer;
  readonly #metrics: HttpServer | undefined;
  readonly #sockets: WebSocketServer;
  readonly #targets: Targets;
  readonly #quotas: Quotas;
  readonly #meetings: Meetings;
  readonly #requests: RateLimit;
  readonly #tunnels = new Set<Tunnel>();
  readonly #connections = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #bySource = new Map<string, number>();
  #checks: NodeJS.Timeout | undefined;
  #stopping = false;

  /** Resolves when it listens. Rejects when it cannot. */
  static async start(setup: RelaySetup): Promise<RelayServer> {
    const relay = new RelayServer(setup);
    await relay.#listen();
    return relay;
  }

  private constructor(setup: RelaySetup) {
    this.#setup = setup;
    this.options = { ...RELAY_OPTIONS, ...setup.options };
    const { requestsPerSecond, requestBurst, requestTimeout, datagram } = this.options;
    this.#targets = new Targets(setup.allow, ownAddresses());
    this.#quotas = new Quotas(this.options);
    this.#meetings = new Meetings(this.counters);
    this.#requests = new RateLimit(requestsPerSecond, requestBurst);
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: datagram, perMessageDeflate: false });
    this.#server = createSecureServer({
      ...setup.tls,
      minVersion: 'TLSv1.3',
      allowHTTP1: true,
      maxHeaderSize: MOST_HEADER,
      handshakeTimeout: requestTimeout * 1000,
      headersTimeout: requestTimeout * 1000,
      requestTimeout: requestTimeout * 1000,
      maxSessionInvalidFrames: 10,
      settings: {
        enableConnectProtocol: true,
        initialWindowSize: STREAM_WINDOW,
        maxConcurrentStreams: MOST_STREAMS,
        maxHeaderListSize: MOST_HEADER,
        enablePush: false,
      },
    } as Parameters<typeof createSecureServer>[0]);
    this.#attach();
    this.#metrics =
      setup.metrics && createHttpServer((request, response) => this.#serveMetrics(request.url, response));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get metricsPort(): number | undefined {
    return this.#metrics && (this.#metrics.address() as AddressInfo).port;
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  /** Ends every tunnel, after the gateways were told, and stops listening. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#checks);
    for (const tunnel of [...this.#tunnels]) tunnel.end('the relay is stopping');
    for (const session of this.#sessions) session.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#metrics?.close();
    this.#metrics?.closeAllConnections();
    const late = setTimeout(() => {
      for (const socket of this.#connections) socket.destroy();
    }, 500);
    await closed;
    clearTimeout(late);
  }

  async #listen(): Promise<void> {
    const { host, port, metrics } = this.#setup;
    await listen(this.#server, host, port);
    if (this.#metrics && metrics) await listen(this.#metrics, metrics.host, metrics.port);
    this.#checks = setInterval(() => {
      const now = performance.now();
      const wall = Date.now();
      for (const tunnel of this.#tunnels) tunnel.check(now, wall);
    }, CHECK_INTERVAL);
  }

  #attach(): void {
    const server = this.#server;
    server.on('connection', (socket: Socket) => this.#connected(socket));
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
      session.on('error', () => {});
      session.setLocalWindowSize(SESSION_WINDOW);
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => {});
      void this.#upgrade(request, socket, head);
    });
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => {});
      void this.#stream(stream, headers);
    });
    server.on('request', (request, response) => {
      // HTTP/2 requests are `stream` events above.
      if (request.httpVersionMajor !== 1) return;
      this.counters.refusedRequest++;
      response.writeHead(request.url === '/healthz' ? 200 : 404, { connection: 'close' }).end();
    });
    // Without a listener Node answers every CONNECT of HTTP/2 with 405 before we do.
    server.on('connect', (request: IncomingMessage, socket: Duplex) => {
      if (request.httpVersionMajor !== 1) return;
      this.counters.refusedRequest++;
      refuseUpgrade(socket, { status: 404, reason: '' });
    });
    server.on('tlsClientError', (_, socket) => socket.destroy());
    server.on('clientError', (_, socket) => socket.destroy());
  }

  #connected(socket: Socket): void {
    const source = socket.remoteAddress ?? '';
    const count = (this.#bySource.get(source) ?? 0) + 1;
    if (count > this.options.connectionsPerSource || this.#stopping) {
      this.counters.refusedCapacity++;
      socket.destroy();
      return;
    }
    this.#bySource.set(source, count);
    this.#connections.add(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, this.options.keepalive * 1000);
    socket.once('close', () => {
      this.#connections.delete(socket);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
    });
  }

  /** RFC 9298 section 3.2, and RFC 6455. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { headers, url = '', socket: connection } = request;
    const wanted = headers.upgrade?.toLowerCase();
    const protocol =
      wanted === 'connect-udp' ? 'masque-h1' : wanted === 'websocket' ? 'websocket' : undefined;
    if (request.method !== 'GET' || protocol === undefined) {
      this.counters.refusedRequest++;
      refuseUpgrade(socket, { status: 404, reason: '' });
      return;
    }
    const answer = await this.#admit(connection.remoteAddress, headers.authorization, url);
    if (socket.destroyed) return;
    if ('status' in answer) {
      refuseUpgrade(socket, answer);
      return;
    }
    await this.#open(
      answer,
      protocol,
      (refusal) => refuseUpgrade(socket, refusal),
      (tunnel) => {
        if (protocol === 'websocket') {
          let carrier: Carrier | undefined;
          this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
            carrier = carryMessages(webSocket, tunnel, this.options, this.counters);
          });
          // `ws` has refused a malformed handshake by itself.
          return carrier;
        }
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n',
        );
        const carrier = carryCapsules(socket, tunnel, this.options, this.counters);
        if (head.length > 0) socket.unshift(head);
        return carrier;
      },
    );
  }

  /** RFC 9298 section 3.4 over RFC 8441. */
  async #stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const refuse = ({ status, retryAfter }: Refusal): void => {
      if (stream.destroyed) return;
      stream.respond(
        {
          ':status': status,
          ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
          ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
        },
        { endStream: true },
      );
      stream.close(constants.NGHTTP2_NO_ERROR);
    };
    if (headers[':method'] !== 'CONNECT' || headers[':protocol'] !== 'connect-udp') {
      this.counters.refusedRequest++;
      refuse({ status: headers[':path'] === '/healthz' ? 200 : 404, reason: '' });
      return;
    }
    const source = stream.session?.socket.remoteAddress;
    const answer = await this.#admit(source, headers.authorization, String(headers[':path'] ?? ''));
    if (stream.destroyed) return;
    if ('status' in answer) {
      refuse(answer);
      return;
    }
    await this.#open(answer, 'masque-h2', refuse, (tunnel) => {
      stream.respond({ ':status': 200, 'capsule-protocol': '?1' });
      return carryCapsules(stream, tunnel, this.options, this.counters);
    });
  }

  /** Who asks, and for what; or why not. */
  async #admit(
    source: string | undefined,
    authorization: string | undefined,
    path: string,
  ): Promise<Admitted | Refusal> {
    if (!this.#requests.take(source ?? '', performance.now())) {
      this.counters.refusedRate++;
      return { status: 429, reason: 'too many requests', retryAfter: COME_BACK };
    }
    const identity = await this.#setup.gate.admit(authorization);
    if (!identity) {
      this.counters.refusedToken++;
      return { status: 401, reason: 'no valid token' };
    }
    const answer = this.#targets.judge(path);
    if (answer.ok) return { identity, target: answer.target };
    this.counters.refusedTarget++;
    const { gateway, tenant } = identity;
    this.#setup.log.write('warn', 'target-refused', { gateway, tenant, reason: answer.reason });
    return answer;
  }

  async #open(
    { identity, target }: Admitted,
    protocol: string,
    refuse: (refusal: Refusal) => void,
    carry: (tunnel: Tunnel) => Carrier | undefined,
  ): Promise<void> {
    if (this.#stopping || !this.#quotas.open(identity)) {
      this.counters.refusedCapacity++;
      refuse({ status: 503, reason: 'no more tunnels', retryAfter: COME_BACK });
      return;
    }
    const tunnel = new Tunnel(identity, target, protocol, this.options, this.counters, this.#quotas);
    let outlet: Outlet;
    try {
      outlet =
        target.kind === 'udp'
          ? await openUdpOutlet(target, tunnel)
          : this.#meetings.join(tunnel, target.name);
    } catch {
      this.#quotas.close(identity);
      refuse({ status: 502, reason: 'no way to the target' });
      return;
    }
    this.#tunnels.add(tunnel);
    this.counters.tunnelsOpened++;
    const { gateway, tenant } = identity;
    const to = target.kind === 'udp' ? `${target.host} port ${target.port}` : target.name;
    tunnel.onEnd = (reason) => {
      this.#tunnels.delete(tunnel);
      this.#quotas.close(identity);
      this.counters.tunnelsEnded++;
      this.#setup.log.write('info', 'tunnel-ended', { gateway, tenant, protocol, to, reason });
    };
    this.#setup.log.write('info', 'tunnel-opened', { gateway, tenant, protocol, to });
    const carrier = carry(tunnel);
    if (!carrier) {
      outlet.close();
      tunnel.end('the request was malformed');
      return;
    }
    tunnel.connect(carrier, outlet);
    if (tunnel.ended) outlet.close();
  }

  #serveMetrics(url: string | undefined, response: import('node:http').ServerResponse): void {
    if (url === '/healthz') {
      response.writeHead(200).end('ok\n');
      return;
    }
    if (url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    const open = new Map([
      ['masque-h1', 0],
      ['masque-h2', 0],
      ['websocket', 0],
    ]);
    for (const { protocol } of this.#tunnels) open.set(protocol, (open.get(protocol) ?? 0) + 1);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(metricsText(this.counters, open));
  }
}

const PHRASES: Readonly<Record<number, string>> = Object.freeze({
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
});

function refuseUpgrade(socket: Duplex, { status, retryAfter }: Refusal): void {
  if (socket.destroyed) return;
  const lines = [`HTTP/1.1 ${status} ${PHRASES[status] ?? ''}`, 'Connection: close', 'Content-Length: 0'];
  if (status === 401) lines.push('WWW-Authenticate: Bearer');
  if (retryAfter !== undefined) lines.push(`Retry-After: ${retryAfter}`);
  socket.end(`${lines.join('\r\n')}\r\n\r\n`);
  setTimeout(() => socket.destroy(), 1_000).unref();
}

/** This machine's addresses in the spelling of targets. */
function ownAddresses(): string[] {
  const all: string[] = [];
  for (const list of Object.values(networkInterfaces())) {
    for (const { address } of list ?? []) {
      const parsed = parseAddress(address.split('%')[0]);
      if (parsed) all.push(formatAddress(parsed));
    }
  }
  return all;
}

function listen(server: HttpServer | Http2SecureServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
