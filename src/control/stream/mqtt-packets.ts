/** The packets of MQTT 3.1.1 (OASIS standard) as a client at QoS 0 writes and reads them. */

import type { MqttClientOptions } from '../mqtt-client.js';
import { utf8Bytes, utf8Text } from './utf8.js';

/** Section 2.2.1. */
export const PACKET = Object.freeze({
  connect: 1,
  connack: 2,
  publish: 3,
  subscribe: 8,
  suback: 9,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
});

/** Section 2.2.3. */
const MOST_REMAINING = 268_435_455;
/** Section 3.1.2.2. */
const PROTOCOL_LEVEL = 4;
/** Connect flags (sections 3.1.2.4 to 3.1.2.9). */
const CLEAN_SESSION = 0x02;
const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;
/** Seconds that fit two bytes. */
const MOST_KEEP_ALIVE = 65_535;

/** What no broker may send; the message is for people. */
export class MqttError extends Error {}

/** Section 3.1. */
export function connectPacket(options: MqttClientOptions): Uint8Array {
  const { will } = options;
  const flags =
    USER_NAME |
    PASSWORD |
    WILL |
    (will.QoS << 3) |
    (will.retain ? WILL_RETAIN : 0) |
    (options.clean ? CLEAN_SESSION : 0);
  const seconds = Math.min(MOST_KEEP_ALIVE, Math.ceil(options.keepAlive / 1000));
  return packet(PACKET.connect, 0, [
    prefixed(utf8Bytes('MQTT')),
    Uint8Array.of(PROTOCOL_LEVEL, flags, seconds >>> 8, seconds),
    prefixed(utf8Bytes(options.id)),
    prefixed(utf8Bytes(will.topic)),
    prefixed(new Uint8Array(will.message)),
    prefixed(utf8Bytes(options.user)),
    prefixed(new Uint8Array(options.password)),
  ]);
}

/** Section 3.8; its reserved flags are 0010. */
export function subscribePacket(
  id: number,
  items: readonly { readonly topic: string; readonly QoS: number }[],
): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(id >>> 8, id)];
  for (const { topic, QoS } of items) parts.push(prefixed(utf8Bytes(topic)), Uint8Array.of(QoS));
  return packet(PACKET.subscribe, 2, parts);
}

/** Section 3.3 at QoS 0: everything before the payload's `byteLength` bytes. */
export function publishHead(topic: string, byteLength: number, retain: boolean): Uint8Array {
  const name = prefixed(utf8Bytes(topic));
  const header = fixedHeader(PACKET.publish, retain ? 1 : 0, name.length + byteLength);
  return joined([header, name]);
}

/** PINGREQ and DISCONNECT (sections 3.12 and 3.14). */
export function emptyPacket(type: number): Uint8Array {
  return fixedHeader(type, 0, 0);
}

function packet(type: number, flags: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((total, part) => total + part.length, 0);
  return joined([fixedHeader(type, flags, length), ...parts]);
}

/** Section 2.2. */
function fixedHeader(type: number, flags: number, remaining: number): Uint8Array {
  if (remaining > MOST_REMAINING) throw new RangeError('no MQTT packet is that large');
  const bytes = [(type << 4) | flags];
  for (let left = remaining; ; ) {
    const low = left & 0x7f;
    left >>>= 7;
    bytes.push(left > 0 ? low | 0x80 : low);
    if (left === 0) return new Uint8Array(bytes);
  }
}

/** Section 1.5.3: two bytes of length, then the bytes. */
function prefixed(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 0xffff) throw new RangeError('no MQTT field is that long');
  return joined([Uint8Array.of(bytes.length >>> 8, bytes.length), bytes]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export interface PacketEvents {
  /** A whole packet other than PUBLISH, without its fixed header. */
  packet(type: number, body: Uint8Array): void;
  /** A PUBLISH begins; its payload has `byteLength` bytes. */
  message(topic: string, byteLength: number): void;
  /** The next bytes of the payload, valid during the call, and how many are still to come. Once at least. */
  payload(bytes: Uint8Array, left: number): void;
}

/** Bytes of a packet that is no PUBLISH; a SUBACK to one topic has three. */
const MOST_BODY = 64;
/** Bytes of a topic; ours are far shorter. */
const MOST_TOPIC = 512;

/** Takes packets apart, whatever pieces the bytes come in; payloads are passed on as they come. */
export class PacketReader {
  readonly #events: PacketEvents;
  #phase: 'type' | 'length' | 'body' | 'topic-length' | 'topic' | 'payload' = 'type';
  #first = 0;
  /** Bytes of the packet, later of its payload, that are still to come. */
  #left = 0;
  #lengthBytes = 0;
  #head: number[] = [];
  #topicLength = 0;

  constructor(events: PacketEvents) {
    this.#events = events;
  }

  /** Throws {@link MqttError}. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#phase === 'payload') {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) this.#phase = 'type';
        this.#events.payload(part, this.#left);
      } else this.#take(bytes[at++]);
    }
  }

  #take(byte: number): void {
    switch (this.#phase) {
      case 'type':
        this.#first = byte;
        this.#left = this.#lengthBytes = 0;
        this.#head = [];
        this.#phase = 'length';
        return;
      case 'length':
        this.#takeLength(byte);
        return;
      default:
        this.#head.push(byte);
        this.#left--;
        this.#takeHead();
    }
  }

  /** Section 2.2.3. */
  #takeLength(byte: number): void {
    this.#left += (byte & 0x7f) * 128 ** this.#lengthBytes++;
    if ((byte & 0x80) !== 0) {
      if (this.#lengthBytes === 4) throw new MqttError('the broker sent a malformed length');
      return;
    }
    if (this.#first >>> 4 === PACKET.publish) {
      // Nothing was subscribed at a higher quality of service (section 3.8.4).
      if ((this.#first & 0x06) !== 0)
        throw new MqttError('the broker sent a message at a QoS that nobody asked for');
      if (this.#left < 2) throw new MqttError('the broker sent a malformed message');
      this.#phase = 'topic-length';
      return;
    }
    if (this.#left > MOST_BODY) throw new MqttError('the broker sent too large a packet');
    this.#phase = 'body';
    this.#takeHead();
  }

  #takeHead(): void {
    const head = this.#head;
    if (this.#phase === 'body' && this.#left === 0) {
      this.#phase = 'type';
      this.#events.packet(this.#first >>> 4, new Uint8Array(head));
    } else if (this.#phase === 'topic-length' && head.length === 2) {
      this.#topicLength = head[0] * 256 + head[1];
      if (this.#topicLength === 0 || this.#topicLength > Math.min(MOST_TOPIC, this.#left)) {
        throw new MqttError('the broker sent a malformed topic');
      }
      this.#phase = 'topic';
    } else if (this.#phase === 'topic' && head.length === 2 + this.#topicLength) {
      const topic = utf8Text(new Uint8Array(head.slice(2)));
      if (topic === undefined) throw new MqttError('the broker sent a malformed topic');
      this.#phase = this.#left === 0 ? 'type' : 'payload';
      this.#events.message(topic, this.#left);
      if (this.#left === 0) this.#events.payload(new Uint8Array(0), 0);
    }
  }
}
