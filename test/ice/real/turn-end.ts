/** A TURN client of `src/ice` on real sockets. */

import { randomFillSync } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createConnection, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect as connectTls } from 'node:tls';
import { PortableDigests } from '../../../src/crypto/portable-digests.js';
import { TurnClient } from '../../../src/ice/turn-client.js';
import type { TurnLimits } from '../../../src/ice/turn-limits.js';
import { formatAddress } from '../../../src/packet/address.js';
import { endpointAddressOffset, endpointFamily, endpointPort } from '../../../src/packet/endpoint.js';
import { formatEndpoint, parseEndpoint } from '../../../src/packet/endpoint-text.js';
import { eventually } from './eventually.js';

export interface TurnEndOptions {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly server: string;
  readonly username: string;
  readonly password: string;
  readonly certificate?: string;
  readonly family?: number;
  readonly limits?: Partial<TurnLimits>;
}

export class TurnEnd {
  readonly client: TurnClient;
  /** `peer text` of each datagram. */
  readonly received: string[] = [];
  /** States and reasons it went through. */
  readonly story: string[] = [];
  readonly #options: TurnEndOptions;
  readonly #udp: UdpSocket | undefined;
  #stream: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TurnEndOptions) {
    this.#options = options;
    if (options.transport === 'udp') {
      this.#udp = createSocket(options.server.startsWith('[') ? 'udp6' : 'udp4');
      this.#udp.on('message', (bytes) => {
        this.client.receive(bytes, 0, bytes.length, performance.now());
        this.#schedule();
      });
      this.#udp.on('error', () => {});
    }
    this.client = new TurnClient({
      digests: new PortableDigests(),
      random: (out) => void randomFillSync(out),
      server: record(options.server),
      username: options.username,
      password: options.password,
      family: options.family,
      stream: options.transport !== 'udp',
      limits: options.limits,
      handlers: {
        send: (server, bytes, offset, length) => {
          const copy = Buffer.from(bytes.subarray(offset, offset + length));
          if (this.#udp === undefined) this.#stream?.write(copy);
          else this.#udp.send(copy, endpointPort(server, 0), addressOf(server));
        },
        connect: (server) => this.#connect(server),
        data: (peer, at, bytes, offset, length) =>
          this.received.push(
            `${formatEndpoint(peer, at)} ${Buffer.from(bytes.subarray(offset, offset + length)).toString()}`,
          ),
        changed: (client) => this.story.push(`${client.state} ${client.reason}`),
      },
    });
  }

  get relayed(): string {
    return formatEndpoint(this.client.relayed, 0);
  }

  /** Starts and waits until it is allocated, or failed. */
  async start(): Promise<void> {
    this.do((now) => this.client.start(now));
    await eventually(() => this.client.state === 'allocated' || this.client.state === 'failed');
  }

  do(step: (now: number) => void): void {
    step(performance.now());
    this.#schedule();
  }

  permit(peer: string): void {
    this.do((now) => this.client.permit(record(peer), 0, now));
  }

  bind(peer: string): void {
    this.do((now) => this.client.bind(record(peer), 0, now));
  }

  send(peer: string, text: string): boolean {
    const bytes = Buffer.from(text);
    return this.client.send(record(peer), 0, bytes, 0, bytes.length, performance.now());
  }

  /** By the data path, in place: what `frame` made goes out as it is. */
  sendFramed(peer: string, text: string): boolean {
    const slot = new Uint8Array(32 + text.length + 32);
    slot.set(Buffer.from(text), 32);
    const length = this.client.frame(record(peer), 0, slot, 32, text.length, performance.now());
    if (length === 0) return false;
    const message = Buffer.from(slot.subarray(28, 28 + length));
    const { server } = this.client;
    if (this.#udp === undefined) this.#stream?.write(message);
    else this.#udp.send(message, endpointPort(server, 0), addressOf(server));
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.client.stop(performance.now());
    clearTimeout(this.#timer);
    this.#stream?.destroy();
    this.#udp?.close();
  }

  #connect(server: Uint8Array): void {
    this.#stream?.destroy();
    const target = { host: addressOf(server), port: endpointPort(server, 0) };
    const { transport, certificate } = this.#options;
    const stream =
      transport === 'tls'
        ? connectTls({ ...target, ca: certificate, servername: 'localhost' })
        : createConnection(target);
    this.#stream = stream;
    stream.once(transport === 'tls' ? 'secureConnect' : 'connect', () => {
      this.do((now) => this.client.opened(now));
    });
    stream.on('data', (bytes: Buffer) => {
      this.do((now) => this.client.receiveStream(bytes, 0, bytes.length, now));
    });
    stream.on('error', () => {});
    stream.once('close', () => {
      if (this.#stream === stream) this.do((now) => this.client.closed(now));
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { deadline } = this.client;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => this.do((now) => this.client.advance(now)),
      Math.max(0, Math.ceil(deadline - performance.now())),
    );
  }
}

export function record(endpoint: string): Uint8Array {
  const parsed = parseEndpoint(endpoint);
  if (parsed.kind !== 'address') throw new Error(`${endpoint} is no endpoint`);
  return parsed.record;
}

export function addressOf(endpoint: Uint8Array): string {
  return formatAddress(endpoint, endpointAddressOffset(0), endpointFamily(endpoint, 0) === 4 ? 4 : 16);
}
