/** Two or more devices on a virtual clock: no sockets, no real time, every random choice from a seed. */

import { createHash } from 'node:crypto';
import { NodePrimitives } from '../../../host/gateway/crypto.js';
import { PortablePrimitives } from '../../../src/crypto/portable.js';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { Batch } from '../../../src/packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES, writeEndpoint } from '../../../src/packet/endpoint.js';
import type { Clock, Log, Store } from '../../../src/ports.js';
import { Device, type DeviceOptions } from '../../../src/wireguard/device.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';

/** Seeded generator (mulberry32): numbers for networks, never for keys of a product. */
export class Seed {
  readonly value: number;
  #state: number;
  constructor(value: number) {
    this.value = value;
    this.#state = value >>> 0;
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.below(256);
  }
}

export class VirtualClock implements Clock {
  #now = 1_000;
  /** Wall time at monotonic 0; a board without a clock starts at 0. */
  wallBase = Date.UTC(2026, 0, 1);
  monotonic(): number {
    return this.#now;
  }
  wall(): number {
    return this.wallBase + this.#now;
  }
  set(now: number): void {
    if (now < this.#now) throw new Error('time goes back');
    this.#now = now;
  }
}

export class MemoryStore implements Store {
  readonly values = new Map<string, Uint8Array>();
  writes = 0;
  get(name: string): Uint8Array | undefined {
    return this.values.get(name);
  }
  set(name: string, value: Uint8Array): void {
    this.writes++;
    this.values.set(name, value.slice());
  }
  delete(name: string): void {
    this.values.delete(name);
  }
}

export function nodePrimitives(seed?: Seed): Primitives {
  const primitives = new NodePrimitives();
  if (seed) Object.defineProperty(primitives, 'random', { value: (out: Uint8Array) => seed.fill(out) });
  return primitives;
}

export function portablePrimitives(seed: Seed): Primitives {
  return new PortablePrimitives((out) => seed.fill(out));
}

/** A deterministic private key for a name. */
export function privateKeyOf(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`private key of ${name}`).digest());
}

export function endpointOf(a: number, b: number, c: number, d: number, port: number): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(record, 0, new Uint8Array([a, b, c, d]), port);
  return record;
}

/** An IPv4 packet with a payload; the checksum is left out, which WireGuard never looks at. */
export function ipv4Packet(
  source: number[],
  destination: number[],
  payload: Uint8Array | number,
): Uint8Array {
  const body = typeof payload === 'number' ? new Uint8Array(payload) : payload;
  const packet = new Uint8Array(20 + body.length);
  packet[0] = 0x45;
  packet[2] = packet.length >>> 8;
  packet[3] = packet.length;
  packet[8] = 64;
  packet[9] = 253;
  packet.set(source, 12);
  packet.set(destination, 16);
  packet.set(body, 20);
  return packet;
}

export function ipv6Packet(source: Uint8Array, destination: Uint8Array, payload: number): Uint8Array {
  const packet = new Uint8Array(40 + payload);
  packet[0] = 0x60;
  packet[4] = payload >>> 8;
  packet[5] = payload;
  packet[6] = 59;
  packet[7] = 64;
  packet.set(source, 8);
  packet.set(destination, 24);
  return packet;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** Monotonic ms of the virtual clock when it was sent. */
  readonly at: number;
}

export interface NodeOptions extends Partial<Omit<DeviceOptions, 'clock'>> {
  readonly name: string;
  readonly address: Uint8Array;
  readonly store?: Store;
  readonly log?: Log;
  /** A clock of its own, which must agree with the world's about monotonic time. */
  readonly clock?: Clock;
}

/** A device with its address on the virtual network and what came out of it. */
export class VirtualNode {
  readonly world: World;
  readonly name: string;
  readonly device: Device;
  address: Uint8Array;
  /** Packets that came out of the tunnel. */
  readonly delivered: Uint8Array[] = [];
  /** Datagrams sent since `take`. */
  #sent: Datagram[] = [];
  readonly #batch = new Batch(2048, 64);

  constructor(world: World, options: NodeOptions) {
    this.world = world;
    this.name = options.name;
    this.address = options.address;
    const store = options.store ?? new MemoryStore();
    const clock = options.clock ?? world.clock;
    this.device = new Device({
      primitives: options.primitives ?? world.primitives,
      timestamps: options.timestamps ?? new TimestampSource(clock, store),
      ...options,
      clock,
    });
    this.device.setPrivateKey(privateKeyOf(options.name));
    this.device.onOutbox = () => this.#collect(this.device.outbox);
  }

  /** The first peer; most tests have only one. */
  get peer(): Peer {
    for (const peer of this.device.peers()) return peer;
    throw new Error(`${this.name} has no peer`);
  }

  get publicKey(): Uint8Array {
    return this.device.publicKey!;
  }

  /** Sends an IP packet into the tunnel. */
  send(packet: Uint8Array): void {
    this.#batch.clear();
    this.#batch.push(packet, 0, packet.length);
    this.device.seal(this.#batch);
    this.#collect(this.#batch);
    this.#collect(this.device.outbox);
  }

  /** Takes a datagram from the network. */
  receive(datagram: Datagram): void {
    this.#batch.clear();
    const i = this.#batch.push(datagram.bytes, 0, datagram.bytes.length);
    if (i < 0) return;
    copyEndpoint(this.#batch.endpoints, 0, datagram.from, 0);
    this.device.open(this.#batch);
    if (this.#batch.length[0] > 0) {
      const at = this.#batch.offset[0];
      this.delivered.push(this.#batch.bytes.slice(at, at + this.#batch.length[0]));
    }
    this.#collect(this.device.outbox);
    this.settle();
  }

  /** Lets the device do what is due. */
  settle(): void {
    for (let i = 0; i < 1000 && this.device.nextDeadline() <= this.world.clock.monotonic(); i++) {
      this.device.advance();
      this.#collect(this.device.outbox);
    }
  }

  /** What was sent since the last call. */
  take(): Datagram[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  #collect(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] === 0) continue;
      const at = batch.offset[i];
      this.#sent.push({
        bytes: batch.bytes.slice(at, at + batch.length[i]),
        from: this.address,
        to: batch.endpoints.slice(i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES),
        at: this.world.clock.monotonic(),
      });
    }
    batch.clear();
  }
}

export class World {
  readonly clock = new VirtualClock();
  readonly seed: Seed;
  readonly primitives: Primitives;
  readonly nodes: VirtualNode[] = [];
  /** The network's say: false and the datagram is lost. */
  passes: (datagram: Datagram) => boolean = () => true;

  constructor(seed = 1, primitives?: Primitives) {
    this.seed = new Seed(seed);
    this.primitives = primitives ?? nodePrimitives(this.seed);
  }

  add(options: NodeOptions): VirtualNode {
    const node = new VirtualNode(this, options);
    this.nodes.push(node);
    return node;
  }

  /** Delivers everything until nobody has anything to say; a perfect network. Returns what travelled. */
  exchange(): Datagram[] {
    const travelled: Datagram[] = [];
    for (let round = 0; round < 1000; round++) {
      const datagrams = this.nodes.flatMap((node) => node.take());
      if (datagrams.length === 0) return travelled;
      for (const datagram of datagrams) {
        travelled.push(datagram);
        this.deliver(datagram);
      }
    }
    throw new Error('the devices never come to rest');
  }

  deliver(datagram: Datagram): void {
    if (!this.passes(datagram)) return;
    const to = this.nodes.find((node) => node.address.every((byte, i) => byte === datagram.to[i]));
    to?.receive(datagram);
  }

  /** Lets `ms` pass, deadline by deadline, with a perfect network. Returns what travelled. */
  run(ms: number): Datagram[] {
    const end = this.clock.monotonic() + ms;
    const travelled: Datagram[] = [];
    for (;;) {
      for (const node of this.nodes) node.settle();
      travelled.push(...this.exchange());
      const next = Math.min(...this.nodes.map((node) => node.device.nextDeadline()));
      if (next > end) break;
      this.clock.set(Math.max(next, this.clock.monotonic()));
    }
    this.clock.set(end);
    return travelled;
  }
}

/** Two nodes that are each other's peer: 10.0.0.1 and 10.0.0.2 inside, 192.0.2.1 and .2 outside. */
export function pair(
  seed = 1,
  options: Partial<NodeOptions> = {},
): { world: World; a: VirtualNode; b: VirtualNode } {
  const world = new World(seed);
  const a = world.add({ ...options, name: 'a', address: endpointOf(192, 0, 2, 1, 51820) });
  const b = world.add({ ...options, name: 'b', address: endpointOf(192, 0, 2, 2, 51820) });
  const toB = a.device.addPeer(b.publicKey);
  const toA = b.device.addPeer(a.publicKey);
  a.device.allowedIps.insert(new Uint8Array([10, 0, 0, 2]), 32, toB);
  b.device.allowedIps.insert(new Uint8Array([10, 0, 0, 1]), 32, toA);
  toB.setEndpoint(b.address, 0);
  toA.setEndpoint(a.address, 0);
  return { world, a, b };
}

export const A_TO_B = (payload: Uint8Array | number = 56): Uint8Array =>
  ipv4Packet([10, 0, 0, 1], [10, 0, 0, 2], payload);
export const B_TO_A = (payload: Uint8Array | number = 56): Uint8Array =>
  ipv4Packet([10, 0, 0, 2], [10, 0, 0, 1], payload);
