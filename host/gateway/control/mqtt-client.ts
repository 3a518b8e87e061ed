import { connect as tcpConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import mqtt from 'mqtt';
import { LARGEST_MESSAGE_BYTES } from '../../../src/control/messages.js';
import {
  MQTT_OPERATION,
  type MqttClient,
  type MqttClientFactory,
  type MqttClientOptions,
  type MqttWriteOptions,
} from '../../../src/control/mqtt-client.js';
import { type Dial, overTls } from './dial.js';
import { MqttFrames } from './mqtt-frames.js';
import { controlTls, type Pins } from './tls.js';

const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };
/** ms */
const CONNECT_TIMEOUT = 10_000;
/** A whole message with its topic is always taken, bytes. */
const ROOM = LARGEST_MESSAGE_BYTES + 1024;
/** More than this waiting to be written, bytes: the broker does not read. */
const MOST_WAITING = 4 * LARGEST_MESSAGE_BYTES;
/** Return codes of a CONNACK: bad user name or password, not authorized (MQTT 3.1.1, section 3.2.2.3). */
const REFUSALS: readonly number[] = [4, 5];

/** Makes MQTT clients in ECMA-419's shape out of the `mqtt` package: TLS 1.3 and pins as for every control link. */
export function nodeMqttClients(pins: Pins = [], ca?: string, dial?: Dial): MqttClientFactory {
  return (url, options) =>
    new NodeMqttClient(() => new MqttFrames(() => connectTo(url, pins, ca, dial), ROOM), options);
}

class NodeMqttClient implements MqttClient {
  readonly #client: mqtt.MqttClient;
  readonly #options: MqttClientOptions;
  #unread: Buffer | undefined;
  #failure: Error | undefined;
  #leaving = false;
  #over = false;

  constructor(stream: () => Duplex, options: MqttClientOptions) {
    this.#options = options;
    const { id, user, password, keepAlive, clean, will } = options;
    const connect = (): Duplex => {
      const made = stream();
      // The client passes on few of a connection's failures.
      made.on('error', (error) => {
        this.#failure = error;
      });
      return made;
    };
    this.#client = new mqtt.MqttClient(connect as ConstructorParameters<typeof mqtt.MqttClient>[0], {
      protocolVersion: 4,
      clientId: id,
      username: user,
      password: Buffer.from(password),
      keepalive: Math.round(keepAlive / 1000),
      clean,
      will: { topic: will.topic, payload: Buffer.from(will.message), qos: 0, retain: will.retain },
      connectTimeout: CONNECT_TIMEOUT,
      // Whether and when to come back is the session's to decide.
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
    });
    this.#client.on('connect', () => {
      options.onControl({ operation: MQTT_OPERATION.CONNACK });
      if (!this.#over) options.onWritable(ROOM);
    });
    this.#client.on('message', (topic, payload) => {
      if (this.#over) return;
      this.#unread = payload;
      options.onReadable(payload.length, { topic, byteLength: payload.length, more: false });
    });
    this.#client.on('error', (error) => {
      const { code } = error as { code?: unknown };
      this.#end(error, typeof code === 'number' && REFUSALS.includes(code));
    });
    this.#client.on('close', () => this.#end(this.#failure, false));
  }

  write(data: Uint8Array | null, options: MqttWriteOptions = {}): number {
    const { operation = MQTT_OPERATION.PUBLISH, topic, byteLength, retain = false, id, items = [] } = options;
    if (operation === MQTT_OPERATION.DISCONNECT) {
      this.#leaving = true;
      this.#client.end();
    } else if (operation === MQTT_OPERATION.SUBSCRIBE) {
      this.#client.subscribe(
        items.map((item) => item.topic),
        { qos: 0 },
        (error, granted) => {
          const codes = Uint8Array.from((granted ?? []).map(({ qos }) => (error ? 0x80 : qos)));
          if (!this.#over) {
            const payload = error && codes.length === 0 ? Uint8Array.of(0x80).buffer : codes.buffer;
            this.#options.onControl({ operation: MQTT_OPERATION.SUBACK, id, payload });
          }
        },
      );
    } else {
      if (!data || topic === undefined || (byteLength !== undefined && byteLength !== data.length)) {
        throw new Error('messages are written as a whole');
      }
      this.#client.publish(topic, Buffer.from(data), { qos: 0, retain });
    }
    const { stream } = this.#client;
    if (stream.writableLength <= MOST_WAITING) return ROOM;
    stream.once('drain', () => {
      if (!this.#over) this.#options.onWritable(ROOM);
    });
    return 0;
  }

  read(count: number): ArrayBuffer | undefined {
    const part = this.#unread?.subarray(0, count);
    this.#unread = this.#unread?.subarray(count);
    return part && Uint8Array.from(part).buffer;
  }

  close(): void {
    this.#over = true;
    if (!this.#leaving) this.#client.end(true);
    else setTimeout(() => this.#client.end(true), 1_000).unref();
  }

  #end(reason: unknown, refused: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.onError(reason, refused);
  }
}

/** A connection to the broker that a URL names, made or being made. */
async function connectTo(
  url: string,
  pins: Pins,
  ca: string | undefined,
  dial: Dial | undefined,
): Promise<Duplex> {
  const { protocol, hostname, port: portText } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const port = portText === '' ? PORTS[protocol] : Number(portText);
  const socket = dial ? await dial(host, port) : tcpConnect({ host, port });
  return protocol === 'mqtts:' ? overTls(socket, host, controlTls(pins, ca)) : socket;
}
