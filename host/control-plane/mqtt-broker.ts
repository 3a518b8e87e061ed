/**
 * The embedded MQTT broker (aedes, MQTT 3.1.1): a broker for gateways and their control plane, and for nothing else. A
 * gateway logs in with its name and its token, publishes at its own `up` and `presence`, and hears its own `down`.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { LARGEST_MESSAGE_BYTES } from '../../src/control/messages.js';
import { type MqttTopics, mqttTopics, PRESENCE, topicOwner } from '../../src/control/mqtt-topics.js';
import type { Log } from '../../src/ports.js';
import { MqttFrames } from '../gateway/control/mqtt-frames.js';
import type { Door } from './door.js';
import { type GatewaySession, MOST_WAITING, type SessionTransport } from './gateway-session.js';
import { listen } from './listen.js';
import { RateLimit } from './rate-limit.js';
import type { TokenClaims } from './tokens.js';

export interface MqttBrokerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Packets a second of one gateway. */
  readonly packetsPerSecond: number;
}

/** Until somebody has logged in: a token, a name and a will fit. Bytes. */
const MOST_GREETING = 4096;
const MOST_PACKET = LARGEST_MESSAGE_BYTES + 512;
/** ms for TLS, and again for the CONNECT. */
const PATIENCE = 10_000;
/** Return codes of a CONNACK (MQTT 3.1.1, section 3.2.2.3). */
const SERVER_UNAVAILABLE = 3;
const NOT_AUTHORIZED = 5;
/** A gateway that said nothing for so long is gone, seconds; its heartbeats come far more often. */
const LONGEST_KEEP_ALIVE = 900;
const WILL_BYTES = 64;

interface Member {
  readonly claims: TokenClaims;
  readonly topics: MqttTopics;
  readonly remoteAddress: string;
  session?: GatewaySession;
}

export class MqttBroker {
  readonly port: number;
  readonly #server: Server;
  readonly #aedes: Aedes;

  static async start(options: MqttBrokerOptions, door: Door, log: Log): Promise<MqttBroker> {
    const aedes = await Aedes.createBroker({
      connectTimeout: PATIENCE,
      keepaliveLimit: LONGEST_KEEP_ALIVE,
      maxTopicLevels: 8,
      drainTimeout: PATIENCE,
    });
    const room = new Room(aedes, door, log);
    const take = (socket: Socket): void => room.take(socket, options.packetsPerSecond);
    const server = options.tls
      ? createTlsServer({ ...options.tls, minVersion: 'TLSv1.3', handshakeTimeout: PATIENCE }, take)
      : createServer(take);
    server.on('tlsClientError', () => {});
    return new MqttBroker(await listen(server, options.host, options.port), server, aedes);
  }

  private constructor(port: number, server: Server, aedes: Aedes) {
    this.port = port;
    this.#server = server;
    this.#aedes = aedes;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
  }
}

/** Who is in, and what each may do. */
class Room {
  readonly #aedes: Aedes;
  readonly #door: Door;
  readonly #log: Log;
  readonly #members = new WeakMap<Client, Member>();

  constructor(aedes: Aedes, door: Door, log: Log) {
    this.#aedes = aedes;
    this.#door = door;
    this.#log = log;
    aedes.preConnect = (_, packet, done) => {
      // Nothing is kept for who is away: what was missed is found by the version of the network.
      const good =
        packet.protocolVersion === 4 && packet.clean === true && packet.username === packet.clientId;
      done(good ? null : new Error('no CONNECT of a gateway'), good);
    };
    aedes.authenticate = (client, _, password, done) => {
      this.#admit(client, password?.toString() ?? '').then(
        (refusal) => done(refusal === undefined ? null : refused(refusal), refusal === undefined),
        () => done(refused(SERVER_UNAVAILABLE), false),
      );
    };
    aedes.authorizePublish = (client, packet, done) => {
      const { topic, retain, qos } = packet;
      const payload = Buffer.from(packet.payload);
      // Without a client: the will of one that is gone, which was looked at when it came.
      const topics = client ? this.#members.get(client)?.topics : undefined;
      const says = topic === topics?.presence || (!client && topicOwner(topic)?.channel === 'presence');
      const presence = says && retain && isPresence(payload);
      const message = topic === topics?.up && !retain && payload.length <= LARGEST_MESSAGE_BYTES;
      done(qos === 0 && (presence || message) ? null : new Error(`not allowed to publish at ${topic}`));
    };
    aedes.authorizeSubscribe = (client, subscription, done) => {
      const own = subscription.topic === this.#members.get(client)?.topics.down;
      done(null, own ? subscription : null);
    };
    aedes.on('clientReady', (client) => this.#open(client));
    aedes.on('publish', ({ topic, payload }, client) => {
      const member = client ? this.#members.get(client) : undefined;
      if (topic === member?.topics.up) member.session?.received(payload.toString());
    });
    aedes.on('clientDisconnect', (client) => this.#members.get(client)?.session?.ended());
    for (const event of ['clientError', 'connectionError'] as const) {
      aedes.on(event, (client, error) => {
        this.#log.write('debug', 'mqtt-client-refused', { gateway: client?.id, reason: error.message });
      });
    }
  }

  take(socket: Socket, packetsPerSecond: number): void {
    const frames = new MqttFrames(async () => socket, MOST_GREETING);
    const limit = new RateLimit(packetsPerSecond, packetsPerSecond, 1);
    frames.onPacket = () => limit.take('', Date.now());
    frames.remoteAddress = socket.remoteAddress ?? '';
    this.#aedes.handle(frames);
  }

  /** Undefined, or the return code of a refusal. */
  async #admit(client: Client, token: string): Promise<number | undefined> {
    const admission = await this.#door.admit(token);
    if (!admission.admitted) return admission.status === 503 ? SERVER_UNAVAILABLE : NOT_AUTHORIZED;
    const { claims } = admission;
    if (claims.gateway !== client.id) return NOT_AUTHORIZED;
    const topics = mqttTopics(claims.tenant, claims.gateway);
    const frames = client.conn as MqttFrames;
    if (!isOwnWill(client, topics)) return NOT_AUTHORIZED;
    frames.most = MOST_PACKET;
    this.#members.set(client, { claims, topics, remoteAddress: frames.remoteAddress });
    return undefined;
  }

  #open(client: Client): void {
    const member = this.#members.get(client);
    if (!member || client.closed) return;
    const transport = new MqttTransport(client, member.topics.down);
    member.session = this.#door.open(transport, member.claims, member.remoteAddress);
  }
}

class MqttTransport implements SessionTransport {
  readonly kind = 'mqtt';
  readonly #client: Client;
  readonly #topic: string;

  constructor(client: Client, topic: string) {
    this.#client = client;
    this.#topic = topic;
  }

  send(text: string): boolean {
    const client = this.#client;
    if (client.closed || client.conn.writableLength > MOST_WAITING) return false;
    const packet = {
      cmd: 'publish',
      topic: this.#topic,
      payload: text,
      qos: 0,
      retain: false,
      dup: false,
    } as const;
    client.publish(packet, () => {});
    return true;
  }

  /** MQTT 3.1.1 has no way to say why, so the message for it goes first. */
  close(_code: number, reason: string): void {
    this.send(JSON.stringify({ type: 'bye', data: { reason: reason.slice(0, 96) } }));
    setTimeout(() => this.terminate(), 200).unref();
  }

  terminate(): void {
    this.#client.close();
  }
}

/** aedes keeps the will it was given at CONNECT under this name until the client is in. */
function isOwnWill(client: Client, topics: MqttTopics): boolean {
  const { _will: will } = client as Client & {
    readonly _will?: { topic: string; payload: Buffer; qos: number; retain: boolean };
  };
  if (!will) return true;
  const small = will.payload.length <= WILL_BYTES && isPresence(will.payload);
  return will.topic === topics.presence && small && will.qos === 0 && will.retain === true;
}

function isPresence(payload: Buffer): boolean {
  const text = payload.toString();
  return text === PRESENCE.online || text === PRESENCE.offline;
}

function refused(returnCode: number): AuthenticateError {
  return Object.assign(new Error('refused'), { returnCode });
}
