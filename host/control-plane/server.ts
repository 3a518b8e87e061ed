/** The control plane as one process: HTTP for claims and logins, WebSocket for sessions, one database. */

import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import type { Log } from '../../src/ports.js';
import { NodePrimitives } from '../gateway/crypto.js';
import { ControlTunnel, type ControlTunnelOptions } from './control-tunnel.js';
import type { Database } from './database.js';
import { Door } from './door.js';
import { ExternalBroker, type ExternalBrokerOptions } from './external-broker.js';
import { application } from './http-application.js';
import { HttpSessions } from './http-sessions.js';
import { Hub } from './hub.js';
import { listen } from './listen.js';
import { LoginDesk } from './login.js';
import { MqttBroker } from './mqtt-broker.js';
import { CONTROL_OPTIONS, type ControlOptions } from './options.js';
import { type ControlRoute, controlRoutes, endpointsOf } from './routes.js';
import { Tokens } from './tokens.js';
import { WebSocketSessions } from './websocket-sessions.js';

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
  /** The embedded MQTT broker; `url`: as gateways reach it, when that is not the public URL's host. */
  readonly mqtt?:
    | { readonly host: string; readonly port: number; readonly url?: string | undefined }
    | undefined;
  /** A broker that is not ours, and `url` as gateways reach it. */
  readonly externalMqtt?: (ExternalBrokerOptions & { readonly gatewayUrl: string }) | undefined;
  /** Control inside the tunnel: UDP port, where gateways reach it, a folder, the program `cloudbridge-gateway`. */
  readonly tunnel?: Omit<ControlTunnelOptions, 'target'> | undefined;
  readonly options?: Partial<ControlOptions>;
}

/** ms for messages that are on their way. */
const FAREWELL = 250;
/** How often old keys are looked for, ms. */
const ROTATION_CHECK = 60_000;

export class ControlServer {
  readonly url: string;
  readonly port: number;
  readonly hub: Hub;
  readonly routes: readonly ControlRoute[];
  readonly #servers: readonly Server[];
  readonly #sockets: WebSocketSessions;
  readonly #brokers: readonly { stop(): Promise<void> }[];
  readonly #log: Log;
  readonly #rotationCheck: NodeJS.Timeout;

  static async start(given: ServerOptions): Promise<ControlServer> {
    const { database, log, tls, adminToken } = given;
    const options = { ...CONTROL_OPTIONS, ...given.options };
    const server = tls ? createTlsServer({ ...tls, minVersion: 'TLSv1.3' }) : createServer();
    const port = await listen(server, given.host, given.port);
    const shownHost = given.host.includes(':') ? `[${given.host}]` : given.host;
    const publicUrl = given.publicUrl ?? `${tls ? 'https' : 'http'}://${shownHost}:${port}`;
    const tokens = await Tokens.open(database, publicUrl, options.tokenLife);
    const login = await LoginDesk.open(database, new NodePrimitives(), tokens, publicUrl);
    const hub = new Hub(database, tokens, options, log);
    const door = new Door(database, tokens, hub, options, log);
    const { packetsPerSecond } = options;
    const broker =
      given.mqtt && (await MqttBroker.start({ ...given.mqtt, tls, packetsPerSecond }, door, log));
    const external = given.externalMqtt && (await ExternalBroker.connect(given.externalMqtt, door, log));
    const own = broker && (given.mqtt?.url ?? mqttUrl(publicUrl, broker.port));
    const endpoints = endpointsOf(publicUrl, given.externalMqtt?.gatewayUrl ?? own);
    const http = new HttpSessions(door);
    const routes = controlRoutes({ database, tokens, login, hub, http, endpoints, publicUrl });
    const sockets = new WebSocketSessions(door);
    const serve = (one: Server, inTunnel: boolean): void => {
      one.headersTimeout = one.requestTimeout = 10_000;
      // A gateway that cannot have a WebSocket speaks once for each heartbeat.
      one.keepAliveTimeout = 65_000;
      one.maxHeadersCount = 64;
      const app = application({ routes, adminToken, tokens, door, options, log, inTunnel });
      one.on('request', getRequestListener(app.fetch));
      sockets.serve(one, inTunnel);
    };
    serve(server, false);
    let inner: Server | undefined;
    if (given.tunnel) {
      inner = createServer();
      const target = await listen(inner, '127.0.0.1', 0);
      serve(inner, true);
      hub.tunnel = await ControlTunnel.start({ ...given.tunnel, target }, database, log);
    }
    hub.broker = external;
    const brokers = [broker, external].filter((one) => one !== undefined);
    const servers = inner ? [server, inner] : [server];
    return new ControlServer(publicUrl, port, hub, routes, servers, sockets, brokers, log);
  }

  private constructor(
    url: string,
    port: number,
    hub: Hub,
    routes: readonly ControlRoute[],
    servers: readonly Server[],
    sockets: WebSocketSessions,
    brokers: readonly { stop(): Promise<void> }[],
    log: Log,
  ) {
    this.#log = log;
    this.url = url;
    this.port = port;
    this.hub = hub;
    this.routes = routes;
    this.#servers = servers;
    this.#sockets = sockets;
    this.#brokers = brokers;
    this.#rotationCheck = setInterval(() => void this.#rotate(), ROTATION_CHECK).unref();
  }

  async stop(reason = 'the control plane is stopping'): Promise<void> {
    clearInterval(this.#rotationCheck);
    this.hub.closeAll(reason);
    this.#sockets.stop();
    // Those who are told to come back hear it first.
    await new Promise((resolve) => setTimeout(resolve, this.#brokers.length > 0 ? FAREWELL : 0));
    await Promise.all(this.#brokers.map((broker) => broker.stop()));
    await Promise.all(this.#servers.map(closed));
    await this.hub.tunnel?.stop();
  }

  async #rotate(): Promise<void> {
    await this.hub.rotations.beginDue(Date.now()).catch((error) => {
      this.#log.write('error', 'rotation-failed', { reason: String(error) });
    });
  }
}

/** On the same host, by the same kind of connection. */
function mqttUrl(publicUrl: string, port: number): string {
  const { protocol, hostname } = new URL(publicUrl);
  return `${protocol === 'https:' ? 'mqtts' : 'mqtt'}://${hostname}:${port}`;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 500).unref();
  });
}
