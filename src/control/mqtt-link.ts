/**
 * Control messages over MQTT: subscribe to what is for us, say that we are here, then one PUBLISH for each message.
 * QoS 0 throughout: TCP keeps the order, and what a broken connection loses is found by heartbeat and version, as over
 * a WebSocket. The client's identifier and user are the gateway's name, its password is the token.
 */

import type { Link, LinkEvents, LinkFactory, Route } from './link.js';
import { LARGEST_MESSAGE_BYTES } from './messages.js';
import { MQTT_OPERATION, type MqttClient, type MqttClientFactory, type MqttMessage } from './mqtt-client.js';
import { type MqttTopics, mqttTopics, PRESENCE } from './mqtt-topics.js';
import { utf8Bytes, utf8Text } from './stream/utf8.js';

/** ms; above the longest heartbeat, so that the broker is never pinged: the heartbeat is the sign of life. */
export const MQTT_KEEP_ALIVE = 400_000;
/** Most that waits to be written, bytes; the broker does not read. */
const MOST_WAITING = 4 * LARGEST_MESSAGE_BYTES;
/** Identifier of our only SUBSCRIBE. */
const SUBSCRIPTION = 1;
/** Return code of a SUBACK that refuses (MQTT 3.1.1, section 3.9.3). */
const REFUSED = 0x80;

export interface MqttIdentity {
  readonly tenant: string;
  readonly gateway: string;
}

interface Outgoing {
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly retain: boolean;
  written: number;
}

/** Links over clients of this kind. Which hosts may be reached openly is the client factory's to decide. */
export class MqttLinks implements LinkFactory {
  readonly #clients: MqttClientFactory;
  readonly #identity: MqttIdentity;
  readonly #mostBytes: number;

  /** `mostBytes`: the largest message taken. */
  constructor(clients: MqttClientFactory, identity: MqttIdentity, mostBytes = LARGEST_MESSAGE_BYTES) {
    this.#clients = clients;
    this.#identity = identity;
    this.#mostBytes = mostBytes;
  }

  open(route: Route, token: string, events: LinkEvents): Link {
    return new MqttLink(this.#clients, route.url, this.#identity, token, events, this.#mostBytes);
  }
}

class MqttLink implements Link {
  readonly #client: MqttClient;
  readonly #events: LinkEvents;
  readonly #topics: MqttTopics;
  readonly #mostBytes: number;
  #state: 'connecting' | 'subscribing' | 'open' | 'over' = 'connecting';
  #writable = 0;
  readonly #waiting: Outgoing[] = [];
  #waitingBytes = 0;
  /** The message being read, and whether it is one for us that fits. */
  #incoming: Uint8Array | undefined;
  #filled = 0;

  constructor(
    clients: MqttClientFactory,
    url: string,
    { tenant, gateway }: MqttIdentity,
    token: string,
    events: LinkEvents,
    mostBytes: number,
  ) {
    this.#events = events;
    this.#topics = mqttTopics(tenant, gateway);
    this.#mostBytes = mostBytes;
    this.#client = clients(url, {
      id: gateway,
      user: gateway,
      password: bufferOf(token),
      keepAlive: MQTT_KEEP_ALIVE,
      clean: true,
      will: { topic: this.#topics.presence, message: bufferOf(PRESENCE.offline), QoS: 0, retain: true },
      onReadable: (count, message) => this.#readable(count, message),
      onWritable: (count) => this.#onWritable(count),
      onControl: ({ operation, payload }) => {
        if (operation === MQTT_OPERATION.SUBACK) this.#subscribed(payload);
      },
      onError: (reason, refused) => this.#end(reason, refused),
    });
  }

  send(text: string): boolean {
    return this.#state === 'open' && this.#publish(this.#topics.up, utf8Bytes(text), false);
  }

  close(): void {
    if (this.#state === 'over') return;
    const polite = this.#state === 'open' && this.#waiting.length === 0;
    this.#state = 'over';
    try {
      // A DISCONNECT takes the will away (MQTT 3.1.1, section 3.14): so the presence is ours to withdraw.
      if (polite) {
        this.#client.write(utf8Bytes(PRESENCE.offline), {
          topic: this.#topics.presence,
          QoS: 0,
          retain: true,
        });
        this.#client.write(null, { operation: MQTT_OPERATION.DISCONNECT });
      }
    } catch {
      // No room left: the will says it.
    }
    this.#client.close();
  }

  #onWritable(count: number): void {
    this.#writable = count;
    if (this.#state === 'connecting') {
      this.#state = 'subscribing';
      this.#guarded(() => {
        this.#writable = this.#client.write(null, {
          operation: MQTT_OPERATION.SUBSCRIBE,
          id: SUBSCRIPTION,
          items: [{ topic: this.#topics.down, QoS: 0 }],
        });
      });
    } else if (this.#state === 'open') this.#flush();
  }

  #subscribed(payload: unknown): void {
    if (this.#state !== 'subscribing') return;
    const codes = payload instanceof ArrayBuffer ? new Uint8Array(payload) : undefined;
    if (codes?.includes(REFUSED)) {
      this.#end(`the broker refuses ${this.#topics.down}`);
      return;
    }
    this.#state = 'open';
    this.#publish(this.#topics.presence, utf8Bytes(PRESENCE.online), true);
    if (this.#isOpen()) this.#events.opened();
  }

  #publish(topic: string, bytes: Uint8Array, retain: boolean): boolean {
    if (this.#waitingBytes + bytes.length > MOST_WAITING) return false;
    this.#waiting.push({ topic, bytes, retain, written: 0 });
    this.#waitingBytes += bytes.length;
    this.#flush();
    return this.#isOpen();
  }

  /** Messages one after the other, each in as many fragments as the client has room for. */
  #flush(): void {
    this.#guarded(() => {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        const { topic, bytes, retain } = next;
        const fresh = next.written === 0;
        // The header and the topic go with the first fragment.
        const room = this.#writable - (fresh ? topic.length + 2 : 0);
        if (room <= 0) return;
        const part = bytes.subarray(next.written, next.written + room);
        const options = { topic, byteLength: bytes.length, QoS: 0, retain };
        this.#writable = fresh ? this.#client.write(part, options) : this.#client.write(part);
        next.written += part.length;
        if (next.written < bytes.length) continue;
        this.#waiting.shift();
        this.#waitingBytes -= bytes.length;
      }
    });
  }

  #readable(count: number, { topic, byteLength, more }: MqttMessage): void {
    const part = this.#client.read(count);
    if (this.#state !== 'open' || part === undefined) return;
    if (topic !== undefined) {
      const fits = topic === this.#topics.down && (byteLength ?? 0) <= this.#mostBytes;
      this.#incoming = fits ? new Uint8Array(byteLength ?? part.byteLength) : undefined;
      this.#filled = 0;
      if (topic === this.#topics.down && !fits) {
        this.#end(`a message of ${byteLength} bytes, more than ${this.#mostBytes}`);
        return;
      }
    }
    const message = this.#incoming;
    if (!message) return;
    if (this.#filled + part.byteLength > message.length) {
      this.#end('a message longer than it said');
      return;
    }
    message.set(new Uint8Array(part), this.#filled);
    this.#filled += part.byteLength;
    if (more) return;
    this.#incoming = undefined;
    const text = utf8Text(message);
    if (text === undefined) this.#end('a message that is no text');
    else this.#events.received(text);
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#end(error);
    }
  }

  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #end(reason: unknown, refused = false): void {
    if (this.#state === 'over') return;
    const early = this.#state === 'connecting';
    this.#state = 'over';
    this.#client.close();
    const text = reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : '';
    const said =
      text === '' ? (early ? 'the broker cannot be reached' : 'the connection to the broker broke') : text;
    if (refused) this.#events.unauthorized(said);
    else this.#events.closed(said);
  }
}

function bufferOf(text: string): ArrayBuffer {
  return utf8Bytes(text).buffer as ArrayBuffer;
}
