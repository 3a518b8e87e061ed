/**
 * An MQTT 3.1.1 client on a plain stream, for hosts that bring none. The SDK's own would not do: it tells no refused
 * password from a broken line, and does not bound what a broker sends.
 */

import type { StreamConnector, StreamSocket, Timer } from '../../ports.js';
import {
  MQTT_OPERATION,
  type MqttClient,
  type MqttClientFactory,
  type MqttClientOptions,
  type MqttWriteOptions,
} from '../mqtt-client.js';
import {
  connectPacket,
  emptyPacket,
  MqttError,
  PACKET,
  PacketReader,
  publishHead,
  subscribePacket,
} from './mqtt-packets.js';
import { parseWebAddress } from './web-address.js';
import { WriteQueue } from './write-queue.js';

/** Seed, section 5: `handshake_timeout`. ms */
const CONNECT_TIMEOUT = 10_000;
/** Share of the keep-alive after which a silent client says something (section 3.1.2.10). */
const PING_AFTER = 0.75;
/** Bytes of messages that may wait to be written. */
const MOST_WAITING = 4096;
/** Bytes read at a time. */
const READ_BYTES = 2048;
/** CONNACK return codes (section 3.2.2.3). */
const ACCEPTED = 0;
const BAD_USER = 4;
const NOT_AUTHORIZED = 5;

export interface StreamMqttOptions {
  readonly connector: StreamConnector;
  readonly timer: () => Timer;
  /** Whether this address may be reached without TLS. */
  readonly allowsOpen: (url: string) => boolean;
}

export function streamMqtt(streams: StreamMqttOptions): MqttClientFactory {
  return (url, options) => new StreamMqttClient(url, options, streams);
}

class StreamMqttClient implements MqttClient {
  readonly #options: MqttClientOptions;
  readonly #timer: Timer;
  readonly #socket: StreamSocket | undefined;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #packets: PacketReader;
  #state: 'connecting' | 'greeting' | 'open' | 'over' = 'connecting';
  readonly #output = new WriteQueue();
  /** Bytes of the message being written that are still to come. */
  #unwritten = 0;
  /** The fragment that can be read now. */
  #fragment: Uint8Array | undefined;
  #topic: string | undefined;
  #byteLength = 0;

  constructor(url: string, options: MqttClientOptions, { connector, timer, allowsOpen }: StreamMqttOptions) {
    this.#options = options;
    this.#timer = timer();
    this.#packets = new PacketReader({
      packet: (type, body) => this.#packet(type, body),
      message: (topic, byteLength) => {
        this.#topic = topic;
        this.#byteLength = byteLength;
      },
      payload: (bytes, left) => this.#payload(bytes, left),
    });
    const address = parseWebAddress(url);
    if (address === undefined || !/^mqtts?:/.test(url) || !(address.secure || allowsOpen(url))) {
      this.#timer.schedule(0, () => this.#end(`${url} is no mqtts:// address`));
      return;
    }
    this.#timer.schedule(CONNECT_TIMEOUT, () => this.#end('no MQTT in time'));
    this.#socket = connector.connect(address, {
      onReadable: () => this.#read(),
      onWritable: (count) => this.#writable(count),
      onError: (error) => this.#end(error.message),
    });
  }

  write(data: Uint8Array | null, options?: MqttWriteOptions): number {
    if (this.#state !== 'open') throw new Error('the broker is not connected');
    const operation = options?.operation ?? MQTT_OPERATION.PUBLISH;
    if (options === undefined) this.#continue(data ?? new Uint8Array(0));
    else if (operation === MQTT_OPERATION.SUBSCRIBE) {
      this.#send(subscribePacket(options.id ?? 0, options.items ?? []));
    } else if (operation === MQTT_OPERATION.DISCONNECT) this.#send(emptyPacket(PACKET.disconnect));
    else this.#publish(data ?? new Uint8Array(0), options);
    return this.#messageRoom;
  }

  read(count: number): ArrayBuffer | undefined {
    const fragment = this.#fragment;
    if (fragment === undefined) return undefined;
    const part = fragment.slice(0, count);
    this.#fragment = part.length < fragment.length ? fragment.subarray(part.length) : undefined;
    return part.buffer;
  }

  close(): void {
    this.#state = 'over';
    this.#timer.cancel();
    this.#socket?.close();
  }

  get #messageRoom(): number {
    return Math.max(0, MOST_WAITING - this.#output.bytes);
  }

  #publish(
    data: Uint8Array,
    { topic, byteLength = data.length, QoS = 0, retain = false }: MqttWriteOptions,
  ): void {
    if (topic === undefined || QoS !== 0 || this.#unwritten > 0) throw new Error('not now, or not so');
    this.#unwritten = byteLength;
    this.#send(publishHead(topic, byteLength, retain));
    this.#continue(data);
  }

  #continue(data: Uint8Array): void {
    if (data.length > this.#unwritten) throw new RangeError('more than the message was said to have');
    this.#unwritten -= data.length;
    if (data.length > 0) this.#send(data);
  }

  #send(bytes: Uint8Array): void {
    if (this.#socket === undefined) return;
    this.#output.push(this.#socket, bytes);
    this.#awaitSilence();
  }

  /** Section 3.1.2.10: never longer silent than the keep-alive. Between the pieces of a message nobody is. */
  #awaitSilence(): void {
    if (this.#state !== 'open' || this.#options.keepAlive === 0) return;
    this.#timer.schedule(this.#options.keepAlive * PING_AFTER, () => {
      if (this.#unwritten === 0) this.#send(emptyPacket(PACKET.pingreq));
    });
  }

  #writable(count: number): void {
    if (this.#socket === undefined) return;
    this.#output.writable(this.#socket, count);
    if (this.#state === 'connecting') {
      this.#state = 'greeting';
      this.#send(connectPacket(this.#options));
    } else if (this.#state === 'open' && this.#output.bytes === 0) this.#options.onWritable(MOST_WAITING);
  }

  #read(): void {
    try {
      while (this.#state !== 'over') {
        const count = this.#socket?.read(this.#buffer) ?? 0;
        if (count === 0) return;
        this.#packets.push(this.#buffer.subarray(0, count));
      }
    } catch (error) {
      if (!(error instanceof MqttError)) throw error;
      this.#end(this.#state === 'greeting' ? `that is no MQTT broker: ${error.message}` : error.message);
    }
  }

  #packet(type: number, body: Uint8Array): void {
    if (this.#state === 'greeting') {
      this.#greeted(type, body);
      return;
    }
    if (this.#state !== 'open' || type === PACKET.pingresp) return;
    if (type !== PACKET.suback || body.length < 3)
      throw new MqttError('the broker sent what nobody asked for');
    const codes = body.slice(2);
    this.#options.onControl({ operation: type, id: body[0] * 256 + body[1], payload: codes.buffer });
  }

  #greeted(type: number, body: Uint8Array): void {
    if (type !== PACKET.connack || body.length !== 2) throw new MqttError('it answers with something else');
    const code = body[1];
    if (code !== ACCEPTED) {
      this.#end(`the broker refused the connection (${code})`, code === BAD_USER || code === NOT_AUTHORIZED);
      return;
    }
    this.#state = 'open';
    this.#awaitSilence();
    this.#options.onWritable(this.#messageRoom);
  }

  #payload(bytes: Uint8Array, left: number): void {
    if (this.#state !== 'open') return;
    this.#fragment = bytes;
    const topic = this.#topic;
    const first = topic === undefined ? {} : { topic, byteLength: this.#byteLength };
    this.#topic = undefined;
    this.#options.onReadable(bytes.length, { ...first, more: left > 0 });
    // What was not read is gone: the bytes are the stream's.
    this.#fragment = undefined;
  }

  #end(reason: string, refused = false): void {
    if (this.#state === 'over') return;
    this.close();
    this.#options.onError(reason, refused);
  }
}
