/**
 * Sessions over an MQTT broker that is not ours: the control plane is one of its clients (MQTT 5). Who may come in, and
 * where each may publish and listen, is written into the broker by its dynamic security plugin (Mosquitto's): a gateway
 * that has logged in with its identity gets an account of its own name, with its token as the password, and a role for
 * its own three topics and no other.
 */

import { randomBytes } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { LARGEST_MESSAGE_BYTES } from '../../src/control/messages.js';
import { EVERY_GATEWAY, mqttTopics, PRESENCE, topicOwner } from '../../src/control/mqtt-topics.js';
import type { Log } from '../../src/ports.js';
import { DynamicSecurity } from './broker-accounts.js';
import type { Door } from './door.js';
import { type GatewaySession, MOST_WAITING, type SessionTransport } from './gateway-session.js';
import type { TokenClaims } from './tokens.js';

export interface ExternalBrokerOptions {
  /** `mqtts://user:password@host:port`; open only to this very machine. */
  readonly url: string;
  /** PEM, in the place of the system's. */
  readonly ca?: string | undefined;
}

/** ms */
const CONNECT_TIMEOUT = 10_000;
const RECONNECT = 2_000;
const MOST_PACKET = LARGEST_MESSAGE_BYTES + 512;
/** MQTT 5, section 3.8.3.1: retained messages are not sent at a subscription; an old `up` is nothing to hear again. */
const NEVER_RETAINED = 2;

interface Admitted {
  readonly claims: TokenClaims;
  /** Where it logged in from. */
  readonly remoteAddress: string;
}

export class ExternalBroker {
  readonly #client: MqttClient;
  readonly #accounts: DynamicSecurity;
  readonly #door: Door;
  readonly #log: Log;
  readonly #admitted = new Map<string, Admitted>();
  readonly #sessions = new Map<string, GatewaySession>();

  /** Rejects when the broker cannot be reached, or does not let its accounts be managed. */
  static async connect(options: ExternalBrokerOptions, door: Door, log: Log): Promise<ExternalBroker> {
    const url = new URL(options.url);
    if (url.protocol !== 'mqtts:' && !/^(127\.[\d.]+|\[::1\])$/.test(url.hostname)) {
      throw new Error('the broker must be mqtts:// unless it is this machine');
    }
    // What is TLS's in it goes through to Node's own options.
    const settings: IClientOptions & Pick<ConnectionOptions, 'minVersion'> = {
      protocolVersion: 5,
      clientId: `cloudbridge-control-${randomBytes(6).toString('hex')}`,
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      properties: { maximumPacketSize: MOST_PACKET },
      minVersion: 'TLSv1.3',
      connectTimeout: CONNECT_TIMEOUT,
      reconnectPeriod: RECONNECT,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    };
    url.username = url.password = '';
    const client = await mqtt.connectAsync(url.href, settings, false).catch((error: Error) => {
      throw new Error(`the broker ${url.host} does not let us in: ${error.message}`);
    });
    const accounts = new DynamicSecurity(client);
    const broker = new ExternalBroker(client, accounts, door, log);
    try {
      await accounts.open(settings.username!);
      await client.subscribeAsync([...EVERY_GATEWAY], { qos: 0, rh: NEVER_RETAINED });
    } catch (error) {
      client.end(true);
      throw error;
    }
    return broker;
  }

  private constructor(client: MqttClient, accounts: DynamicSecurity, door: Door, log: Log) {
    this.#client = client;
    this.#accounts = accounts;
    this.#door = door;
    this.#log = log;
    client.on('message', (topic, payload, packet) => {
      if (!packet.retain) this.#heard(topic, payload.toString());
    });
    client.on('error', (error) => log.write('error', 'broker-failed', { reason: error.message }));
    client.on('close', () => {
      log.write('warn', 'broker-lost', {});
      for (const gateway of [...this.#sessions.keys()]) this.#end(gateway);
    });
  }

  /** A gateway has logged in: the broker knows it from now on. Never rejects: other links need no broker. */
  async admit(claims: TokenClaims, token: string, remoteAddress: string): Promise<void> {
    this.#admitted.set(claims.gateway, { claims, remoteAddress });
    await this.#accounts
      .grant(claims.gateway, token, mqttTopics(claims.tenant, claims.gateway))
      .catch((error) => {
        this.#log.write('error', 'broker-failed', { gateway: claims.gateway, reason: String(error) });
      });
  }

  async stop(): Promise<void> {
    this.#client.removeAllListeners('close');
    for (const gateway of [...this.#sessions.keys()]) this.#end(gateway);
    await this.#client.endAsync();
  }

  #heard(topic: string, text: string): void {
    const owner = topicOwner(topic);
    if (!owner) return;
    const { tenant, gateway, channel } = owner;
    if (channel === 'presence') {
      if (text === PRESENCE.offline) this.#end(gateway);
      return;
    }
    if (channel !== 'up') return;
    const admitted = this.#admitted.get(gateway);
    const hello = isHello(text);
    if (hello && admitted?.claims.tenant === tenant) this.#begin(admitted);
    const session = this.#sessions.get(gateway);
    if (session?.tenant === tenant) session.received(text);
    // We were away, or it never logged in here: it says hello again, or logs in again, which mends both.
    else this.#turnAway(tenant, gateway, !admitted);
  }

  /** A new connection of the gateway; the broker has ended the one before. */
  #begin({ claims, remoteAddress }: Admitted): void {
    this.#end(claims.gateway);
    const { down } = mqttTopics(claims.tenant, claims.gateway);
    const transport = new BrokerTransport(this.#client, down, (kick) => {
      if (this.#sessions.get(claims.gateway)?.transport === transport) this.#end(claims.gateway);
      if (kick) this.#kick(claims.gateway);
    });
    this.#sessions.set(claims.gateway, this.#door.open(transport, claims, remoteAddress));
  }

  #end(gateway: string): void {
    const session = this.#sessions.get(gateway);
    this.#sessions.delete(gateway);
    session?.ended();
  }

  #turnAway(tenant: string, gateway: string, unknown: boolean): void {
    const bye = JSON.stringify({ type: 'bye', data: { reason: 'say hello first' } });
    this.#client.publish(mqttTopics(tenant, gateway).down, bye, { qos: 0 });
    if (unknown) this.#kick(gateway);
  }

  #kick(gateway: string): void {
    this.#admitted.delete(gateway);
    this.#accounts.revoke(gateway).catch((error) => {
      this.#log.write('error', 'broker-failed', { reason: String(error) });
    });
  }
}

class BrokerTransport implements SessionTransport {
  readonly kind = 'mqtt';
  readonly #client: MqttClient;
  readonly #topic: string;
  readonly #onEnd: (kick: boolean) => void;

  constructor(client: MqttClient, topic: string, onEnd: (kick: boolean) => void) {
    this.#client = client;
    this.#topic = topic;
    this.#onEnd = onEnd;
  }

  send(text: string): boolean {
    if (!this.#client.connected || this.#client.stream.writableLength > 16 * MOST_WAITING) return false;
    this.#client.publish(this.#topic, text, { qos: 0 });
    return true;
  }

  /** The message for it goes first; then the account goes, and with it the connection. */
  close(_code: number, reason: string): void {
    this.send(JSON.stringify({ type: 'bye', data: { reason: reason.slice(0, 96) } }));
    this.#onEnd(true);
  }

  terminate(): void {
    this.#onEnd(true);
  }
}

function isHello(text: string): boolean {
  try {
    return (JSON.parse(text) as { type?: unknown }).type === 'hello';
  } catch {
    return false;
  }
}
