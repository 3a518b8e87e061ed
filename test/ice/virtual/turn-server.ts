/** A TURN server (RFC 8656) for the virtual network, made of the twin: allocations, permissions, channels, Data. */

import type { VirtualNetwork } from './network.js';
import { hostOf } from './network.js';
import {
  addressOfXor,
  attribute,
  decode,
  encode,
  isSigned,
  longTermKeyTwin,
  type TwinMessage,
  xorAddress,
} from './stun-twin.js';

interface Allocation {
  readonly relayed: string;
  readonly permissions: Map<string, number>;
  readonly channels: Map<number, string>;
  expires: number;
}

const REALM = 'relay.example.net';

export class VirtualTurnServer {
  readonly endpoint: string;
  /** What it refuses new allocations with, 0 for nothing. */
  refuseWith = 0;
  /** Where it sends clients to (300), if anywhere. */
  alternate: string | undefined;
  nonce = 'nonce-1';
  /** RFC 8489: offers SHA-256 and hides user names. */
  modern = false;
  /** Methods of all requests received, in order. */
  readonly requests: number[] = [];
  channelMessages = 0;
  readonly #network: VirtualNetwork;
  readonly #users: ReadonlyMap<string, string>;
  readonly #allocations = new Map<string, Allocation>();
  #nextPort = 49_152;

  constructor(network: VirtualNetwork, endpoint: string, users: Readonly<Record<string, string>>) {
    this.#network = network;
    this.endpoint = endpoint;
    this.#users = new Map(Object.entries(users));
    network.attach(hostOf(endpoint), (from, to, bytes) => {
      if (to === endpoint) this.#fromClient(from, bytes);
      else this.#fromPeer(from, to, bytes);
    });
  }

  get allocations(): number {
    return this.#allocations.size;
  }

  /** Forgets everything, as a server does that was started anew. */
  restart(): void {
    this.#allocations.clear();
    this.nonce = `nonce-${this.#network.random.next()}`;
  }

  #fromClient(from: string, bytes: Uint8Array): void {
    if (bytes[0] >= 0x40) {
      const channel = (bytes[0] << 8) | bytes[1];
      const peer = this.#live(from)?.channels.get(channel);
      if (peer === undefined) return;
      this.channelMessages++;
      this.#relay(from, peer, bytes.subarray(4, 4 + ((bytes[2] << 8) | bytes[3])));
      return;
    }
    const message = decode(bytes);
    if (message.class === 1) {
      const peer = attribute(message, 0x0012);
      if (message.method === 6 && peer) this.#relay(from, addressOfXor(peer), attribute(message, 0x0013)!);
      return;
    }
    this.requests.push(message.method);
    if (message.method === 1) this.#answer(from, message, 2, [[0x0020, xorAddress(from)]]);
    else this.#authenticate(from, message, bytes);
  }

  #authenticate(from: string, message: TwinMessage, bytes: Uint8Array): void {
    const nonce = this.modern ? `obMatJos2AAAB${this.nonce}` : this.nonce;
    const username = attribute(message, 0x0006)?.toString() ?? '';
    const key = longTermKeyTwin(username, REALM, this.#users.get(username) ?? '', this.modern);
    let refusal = 0;
    if (!this.#users.has(username) || !isSigned(bytes, key, this.modern ? 0x001c : 0x0008)) refusal = 401;
    else if (attribute(message, 0x0015)?.toString() !== nonce) refusal = 438;
    if (refusal > 0) {
      const challenge: [number, Buffer][] = [
        error(refusal),
        [0x0014, Buffer.from(REALM)],
        [0x0015, Buffer.from(nonce)],
      ];
      if (this.modern) challenge.push([0x8002, Buffer.from([0, 2, 0, 0, 0, 1, 0, 0])]);
      this.#answer(from, message, 3, challenge);
      return;
    }
    const answer = this.#handle(from, message);
    const failed = answer[0]?.[0] === 0x0009;
    this.#answer(from, message, failed ? 3 : 2, answer, key);
  }

  #handle(from: string, message: TwinMessage): [number, Buffer][] {
    const allocation = this.#live(from);
    if (message.method === 3) {
      if (this.alternate !== undefined) return [error(300), [0x8023, plainAddress(this.alternate)]];
      if (this.refuseWith > 0) return [error(this.refuseWith)];
      if (allocation !== undefined) return [error(437)];
      const relayed = `${hostOf(this.endpoint)}:${this.#nextPort++}`;
      this.#allocations.set(from, {
        relayed,
        permissions: new Map(),
        channels: new Map(),
        expires: this.#network.now + 600_000,
      });
      return [
        [0x0016, xorAddress(relayed)],
        [0x000d, u32(600)],
        [0x0020, xorAddress(from)],
      ];
    }
    if (allocation === undefined) return [error(437)];
    if (message.method === 4) {
      const lifetime = attribute(message, 0x000d)?.readUInt32BE() ?? 600;
      if (lifetime === 0) this.#allocations.delete(from);
      else allocation.expires = this.#network.now + 600_000;
      return [[0x000d, u32(lifetime)]];
    }
    const peer = addressOfXor(attribute(message, 0x0012)!);
    allocation.permissions.set(hostOf(peer), this.#network.now + 300_000);
    if (message.method === 9) allocation.channels.set(attribute(message, 0x000c)!.readUInt16BE(), peer);
    return [];
  }

  #live(client: string): Allocation | undefined {
    const allocation = this.#allocations.get(client);
    if (allocation === undefined || allocation.expires > this.#network.now) return allocation;
    this.#allocations.delete(client);
    return undefined;
  }

  #relay(client: string, peer: string, bytes: Uint8Array): void {
    const allocation = this.#live(client);
    if ((allocation?.permissions.get(hostOf(peer)) ?? 0) <= this.#network.now) return;
    this.#network.send(allocation!.relayed, peer, bytes);
  }

  #fromPeer(from: string, to: string, bytes: Uint8Array): void {
    for (const [client, allocation] of this.#allocations) {
      if (allocation.relayed !== to || this.#live(client) === undefined) continue;
      if ((allocation.permissions.get(hostOf(from)) ?? 0) <= this.#network.now) return;
      const channel = [...allocation.channels].find(([, peer]) => peer === from)?.[0];
      if (channel === undefined) {
        const data: TwinMessage = { class: 1, method: 7, id: Buffer.alloc(12, 7), attributes: [] };
        data.attributes.push([0x0012, xorAddress(from)], [0x0013, Buffer.from(bytes)]);
        this.#network.send(this.endpoint, client, encode(data));
        return;
      }
      const head = Buffer.alloc(4);
      head.writeUInt16BE(channel, 0);
      head.writeUInt16BE(bytes.length, 2);
      this.#network.send(this.endpoint, client, Buffer.concat([head, bytes]));
    }
  }

  #answer(
    to: string,
    request: TwinMessage,
    kind: number,
    attributes: [number, Buffer][],
    key?: Buffer,
  ): void {
    const message = { class: kind, method: request.method, id: request.id, attributes };
    const secrets = this.modern ? { sha256: key } : { sha1: key };
    this.#network.send(this.endpoint, to, encode(message, { ...secrets, fingerprint: true }));
  }
}

function error(code: number): [number, Buffer] {
  return [0x0009, Buffer.from([0, 0, Math.floor(code / 100), code % 100, ...Buffer.from(`no ${code}`)])];
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function plainAddress(text: string): Buffer {
  const [host, port] = text.split(':');
  const value = Buffer.from([0, 1, 0, 0, ...host.split('.').map(Number)]);
  value.writeUInt16BE(Number(port), 2);
  return value;
}
