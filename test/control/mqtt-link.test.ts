import { describe, expect, it } from 'vitest';
import {
  MQTT_OPERATION,
  type MqttClient,
  type MqttClientOptions,
  type MqttWriteOptions,
} from '../../src/control/mqtt-client.js';
import { MqttLinks } from '../../src/control/mqtt-link.js';
import { topicOwner } from '../../src/control/mqtt-topics.js';

const BASE = 'cloudbridge/v1/acme/gw-1';

/** As ECMA-419 clients are: little room at a time, messages in fragments. */
class SmallClient implements MqttClient {
  readonly options: MqttClientOptions;
  readonly room: number;
  readonly published: { topic: string; text: string; retain: boolean }[] = [];
  readonly operations: number[] = [];
  closed = false;
  #unread: Uint8Array = new Uint8Array();
  #partial: { topic: string; retain: boolean; bytes: number[]; left: number } | undefined;

  constructor(options: MqttClientOptions, room: number) {
    this.options = options;
    this.room = room;
  }

  write(data: Uint8Array | null, options?: MqttWriteOptions): number {
    if (options?.operation !== undefined) {
      this.operations.push(options.operation);
      return this.room;
    }
    if (!data) throw new Error('nothing to publish');
    const header = options ? (options.topic as string).length + 2 : 0;
    if (data.length + header > this.room || Boolean(options) === Boolean(this.#partial))
      throw new Error('overflow');
    this.#partial ??= {
      topic: options!.topic as string,
      retain: options!.retain ?? false,
      bytes: [],
      left: options!.byteLength as number,
    };
    const partial = this.#partial;
    partial.bytes.push(...data);
    partial.left -= data.length;
    if (partial.left === 0) {
      const text = Buffer.from(partial.bytes).toString();
      this.published.push({ topic: partial.topic, text, retain: partial.retain });
      this.#partial = undefined;
    }
    return 0;
  }

  read(count: number): ArrayBuffer {
    const part = Uint8Array.from(this.#unread.subarray(0, count));
    this.#unread = this.#unread.subarray(count);
    return part.buffer;
  }

  close(): void {
    this.closed = true;
  }

  /** Delivers a message in fragments of `size` bytes. */
  deliver(topic: string, bytes: Uint8Array, size: number): void {
    for (let at = 0; at < bytes.length; at += size) {
      this.#unread = bytes.subarray(at, at + size);
      const more = at + size < bytes.length;
      const first = at === 0 ? { topic, byteLength: bytes.length } : {};
      this.options.onReadable(this.#unread.length, { ...first, more });
    }
  }
}

function open(room = 64, mostBytes = 4096) {
  const seen: string[] = [];
  let client: SmallClient | undefined;
  const links = new MqttLinks(
    (_url, options) => {
      client = new SmallClient(options, room);
      return client;
    },
    { tenant: 'acme', gateway: 'gw-1' },
    mostBytes,
  );
  const link = links.open({ kind: 'mqtt', url: 'mqtts://b' }, 'the-token', {
    opened: () => seen.push('opened'),
    received: (text) => seen.push(`received ${text}`),
    closed: (reason) => seen.push(`closed ${reason}`),
    unauthorized: (reason) => seen.push(`unauthorized ${reason}`),
  });
  return { link, client: client as unknown as SmallClient, seen };
}

function subscribed(room?: number, mostBytes?: number) {
  const world = open(room, mostBytes);
  world.client.options.onWritable(world.client.room);
  world.client.options.onControl({ operation: MQTT_OPERATION.SUBACK, id: 1 });
  return world;
}

describe('control messages over an ECMA-419 MQTT client', () => {
  it('log in with the token, subscribe to their own topic, and say that they are here', () => {
    const { client, seen } = subscribed();
    const { id, user, password, will } = client.options;
    expect([id, user, Buffer.from(password).toString()]).toEqual(['gw-1', 'gw-1', 'the-token']);
    expect(will).toMatchObject({ topic: `${BASE}/presence`, retain: true });
    expect(Buffer.from(will.message).toString()).toBe('offline');
    expect(client.operations).toEqual([MQTT_OPERATION.SUBSCRIBE]);
    client.options.onWritable(64);
    expect(client.published).toEqual([{ topic: `${BASE}/presence`, text: 'online', retain: true }]);
    expect(seen).toEqual(['opened']);
  });

  it('are put together from fragments and cut into as many as there is room for', () => {
    const { link, client, seen } = subscribed(40);
    const text = JSON.stringify({ text: 'ж€😀'.repeat(50) });
    expect(link.send(text)).toBe(true);
    expect(link.send('second')).toBe(true);
    for (let i = 0; i < 60; i++) client.options.onWritable(40);
    expect(client.published.slice(1)).toEqual([
      { topic: `${BASE}/up`, text, retain: false },
      { topic: `${BASE}/up`, text: 'second', retain: false },
    ]);
    client.deliver(`${BASE}/down`, Buffer.from(text), 7);
    expect(seen).toEqual(['opened', `received ${text}`]);
  });

  it('that are not for us are passed over; what is too large or no text ends the link', () => {
    const passed = subscribed();
    passed.client.deliver('cloudbridge/v1/acme/gw-2/down', Buffer.from('not ours'), 3);
    expect(passed.seen).toEqual(['opened']);
    const large = subscribed(64, 1024);
    large.client.deliver(`${BASE}/down`, Buffer.alloc(1025, 97), 100);
    expect(large.seen[1]).toContain('more than 1024');
    expect(large.client.closed).toBe(true);
    const binary = subscribed();
    binary.client.deliver(`${BASE}/down`, Uint8Array.of(0xff, 0xfe), 2);
    expect(binary.seen[1]).toContain('no text');
  });

  it('tell a refused token from a broken connection, and end once', () => {
    const refused = open();
    refused.client.options.onError('not authorized', true);
    refused.client.options.onError('again');
    expect(refused.seen).toEqual(['unauthorized not authorized']);
    const denied = open();
    denied.client.options.onWritable(64);
    denied.client.options.onControl({
      operation: MQTT_OPERATION.SUBACK,
      payload: Uint8Array.of(0x80).buffer,
    });
    expect(denied.seen[0]).toContain(`refuses ${BASE}/down`);
    const broken = open();
    broken.client.options.onError();
    expect(broken.seen).toEqual(['closed the broker cannot be reached']);
  });

  it('are refused when the broker does not read, instead of filling the memory', () => {
    const { link } = subscribed();
    const big = 'x'.repeat(60_000);
    let taken = 0;
    while (link.send(big)) taken++;
    expect(taken).toBe(4);
  });
});

it('topics name their owner, or nobody', () => {
  expect(topicOwner(`${BASE}/up`)).toEqual({ tenant: 'acme', gateway: 'gw-1', channel: 'up' });
  for (const topic of [
    `${BASE}/+`,
    '#',
    'cloudbridge/v1/+/gw-1/up',
    `${BASE}/up/x`,
    `$share/g/${BASE}/down`,
    'a',
  ]) {
    expect(topicOwner(topic), topic).toBeUndefined();
  }
});
