/**
 * Two gateways with several ways between them, on a virtual clock: real devices and real paths, lines that can be cut,
 * and a ping through the tunnel that counts what is lost, doubled and delayed.
 */

import { keyToBase64 } from '../../src/crypto/key-text.js';
import { Batch } from '../../src/packet/batch.js';
import {
  copyEndpoint,
  ENDPOINT_BYTES,
  endpointFamily,
  FAMILY_VIRTUAL,
  sameEndpoint,
} from '../../src/packet/endpoint.js';
import { PATH_OPTIONS, type PathOptions } from '../../src/transport/path-options.js';
import { Paths } from '../../src/transport/paths.js';
import type {
  Transport,
  TransportEvents,
  TransportKind,
  TransportReason,
  TransportState,
} from '../../src/transport/transport.js';
import { UdpTransport } from '../../src/transport/udp-transport.js';
import { Device } from '../../src/wireguard/device.js';
import type { Peer } from '../../src/wireguard/peer.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import {
  endpointOf,
  ipv4Packet,
  MemoryStore,
  nodePrimitives,
  privateKeyOf,
  Seed,
  VirtualClock,
} from '../wireguard/virtual/world.js';

/** One way: whether it passes, and how long that takes in ms. */
export interface Line {
  up: boolean;
  delay: number;
  /** What happens to each datagram: how many copies arrive, each with so many more ms. Undefined: one at once. */
  fate?: () => readonly number[];
  /** Datagrams that were sent into it, and their bytes. */
  datagrams: number;
  bytes: number;
}

export function line(delay = 5): Line {
  return { up: true, delay, datagrams: 0, bytes: 0 };
}

export class VirtualTime {
  readonly clock = new VirtualClock();
  readonly seed: Seed;
  readonly #events: { at: number; serial: number; run: () => void }[] = [];
  #serial = 0;
  readonly ends: End[] = [];

  constructor(seed = 1) {
    this.seed = new Seed(seed);
  }

  get now(): number {
    return this.clock.monotonic();
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, serial: this.#serial++, run });
    this.#events.sort((a, b) => a.at - b.at || a.serial - b.serial);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      for (const one of this.ends) one.settle();
      const event = this.#events[0]?.at ?? Infinity;
      const next = Math.min(event, ...this.ends.map((one) => one.nextDeadline()));
      if (next > end) break;
      this.clock.set(Math.max(this.now, next));
      if (event <= this.now) this.#events.shift()?.run();
    }
    this.clock.set(end);
  }

  carry(way: Line, bytes: Uint8Array, arrive: (copy: Uint8Array) => void): void {
    way.datagrams++;
    way.bytes += bytes.length;
    if (!way.up) return;
    const copy = bytes.slice();
    for (const more of way.fate?.() ?? [0]) {
      this.after(way.delay + more, () => {
        if (way.up) arrive(copy);
      });
    }
  }
}

export class End {
  readonly time: VirtualTime;
  readonly device: Device;
  readonly paths: Paths;
  readonly address: Uint8Array;
  /** By what a datagram sent to this record goes through and where it comes out. */
  readonly routes: { to: Uint8Array; line: Line; arrive: (bytes: Uint8Array, from: Uint8Array) => void }[] =
    [];
  onPacket: (packet: Uint8Array) => void = () => {};
  readonly #batch = new Batch(2048, 8);

  constructor(time: VirtualTime, name: string, address: Uint8Array, options: Partial<PathOptions> = {}) {
    this.time = time;
    this.address = address;
    this.device = new Device({
      primitives: nodePrimitives(time.seed),
      timestamps: new TimestampSource(time.clock, new MemoryStore()),
      clock: time.clock,
    });
    this.device.setPrivateKey(privateKeyOf(name));
    this.paths = new Paths({ clock: time.clock, options: { ...PATH_OPTIONS, ...options } });
    this.device.onOutbox = () => this.#send(this.device.outbox);
    this.paths.sendUdp = (bytes, offset, length, endpoints, at) =>
      this.#sendUdp(bytes.subarray(offset, offset + length), endpoints.slice(at, at + ENDPOINT_BYTES));
    this.paths.deliver = (bytes, offset, length, record) =>
      this.receive(bytes.slice(offset, offset + length), record);
    time.ends.push(this);
  }

  get peer(): Peer {
    for (const peer of this.device.peers()) return peer;
    throw new Error('no peer');
  }

  nextDeadline(): number {
    return Math.min(this.device.nextDeadline(), this.paths.nextDeadline());
  }

  settle(): void {
    for (let i = 0; i < 1000 && this.nextDeadline() <= this.time.now; i++) {
      if (this.device.nextDeadline() <= this.time.now) this.device.advance();
      this.#send(this.device.outbox);
      this.paths.advance();
      this.#send(this.device.outbox);
    }
  }

  sendPacket(packet: Uint8Array): void {
    this.#batch.clear();
    this.#batch.push(packet, 0, packet.length);
    this.device.seal(this.#batch);
    this.#send(this.#batch);
    this.#send(this.device.outbox);
  }

  receive(bytes: Uint8Array, from: Uint8Array): void {
    this.#batch.clear();
    if (this.#batch.push(bytes, 0, bytes.length) < 0) return;
    copyEndpoint(this.#batch.endpoints, 0, from, 0);
    this.device.open(this.#batch);
    const length = this.#batch.length[0];
    const at = this.#batch.offset[0];
    const packet = length > 0 ? this.#batch.bytes.slice(at, at + length) : undefined;
    this.#send(this.device.outbox);
    if (packet) this.onPacket(packet);
  }

  #send(batch: Batch): void {
    const all: [Uint8Array, Uint8Array][] = [];
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] === 0) continue;
      const bytes = batch.bytes.slice(batch.offset[i], batch.offset[i] + batch.length[i]);
      all.push([bytes, batch.endpoints.slice(i * ENDPOINT_BYTES, (i + 1) * ENDPOINT_BYTES)]);
    }
    batch.clear();
    for (const [bytes, to] of all) {
      if (endpointFamily(to, 0) === FAMILY_VIRTUAL) this.paths.send(bytes, 0, bytes.length, to, 0);
      else this.#sendUdp(bytes, to);
    }
    this.paths.flush();
  }

  #sendUdp(bytes: Uint8Array, to: Uint8Array): void {
    const route = this.routes.find((one) => sameEndpoint(one.to, 0, to, 0));
    if (route) this.time.carry(route.line, bytes, (copy) => route.arrive(copy, this.address));
  }
}

/** A transport over TCP to a relay: opens after two round trips, ends when its line is cut. */
export class VirtualStream implements Transport {
  readonly kind: TransportKind;
  readonly name: string;
  readonly overhead = 4;
  readonly mtu = 65_535;
  readonly endpoint = undefined;
  readonly retryAfter = 0;
  detail = '';
  state: TransportState = 'idle';
  reason: TransportReason = 'not-needed';
  events: TransportEvents | undefined;
  opened = 0;
  #giveUpAt = Infinity;
  readonly #time: VirtualTime;
  readonly #line: Line;
  readonly #arrive: (bytes: Uint8Array) => void;

  constructor(
    time: VirtualTime,
    kind: TransportKind,
    name: string,
    way: Line,
    arrive: (bytes: Uint8Array) => void,
  ) {
    this.#time = time;
    this.kind = kind;
    this.name = name;
    this.#line = way;
    this.#arrive = arrive;
  }

  open(now: number): void {
    if (this.state === 'open' || this.state === 'opening') return;
    this.#become('opening', 'connecting');
    this.#giveUpAt = now + 10_000;
    this.#time.after(4 * this.#line.delay, () => {
      if (this.state !== 'opening' || !this.#line.up) return;
      this.opened++;
      this.#giveUpAt = Infinity;
      this.#become('open', 'ready');
    });
  }

  close(): void {
    this.state = 'idle';
    this.reason = 'not-needed';
    this.#giveUpAt = Infinity;
  }

  /** As a relay that ends: the connection is closed under its hands. */
  cut(): void {
    if (this.state === 'open' || this.state === 'opening') this.#become('failed', 'closed-by-peer');
  }

  /** From the relay. */
  arrive(bytes: Uint8Array): void {
    if (this.state === 'open') this.events?.received(bytes, 0, bytes.length);
    this.events?.delivered();
  }

  send(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.state !== 'open') return false;
    this.#time.carry(this.#line, bytes.subarray(offset, offset + length), this.#arrive);
    return true;
  }

  flush(): void {}

  advance(now: number): void {
    if (now >= this.#giveUpAt) {
      this.#giveUpAt = Infinity;
      this.#become('failed', 'timed-out');
    }
  }

  nextDeadline(): number {
    return this.#giveUpAt;
  }

  #become(state: TransportState, reason: TransportReason): void {
    this.state = state;
    this.reason = reason;
    this.events?.changed();
  }
}

export interface SiteOptions {
  readonly seed?: number;
  readonly options?: Partial<PathOptions>;
  /** The order of the race; direct first unless told. */
  readonly order?: readonly ('udp' | 'masque' | 'websocket')[];
  /** B is of another make: it neither asks nor answers probes. */
  readonly stock?: boolean;
  /** B has a path too, and meets A at the WebSocket relay. */
  readonly both?: boolean;
}

/**
 * A has `udp` to B, `masque` over a relay that speaks UDP to B, and `websocket` (the same, or, with `both`, a meeting at
 * the relay).
 */
export class Site {
  readonly time: VirtualTime;
  readonly a: End;
  readonly b: End;
  readonly udp = line();
  readonly masque = line(8);
  readonly websocket = line(12);
  readonly streams: Record<'masque' | 'websocket', VirtualStream>;
  /** Echo requests sent and answered: time sent and time answered, by number. */
  readonly sent = new Map<number, number>();
  readonly answered = new Map<number, number>();
  /** Packets that came out of a tunnel twice. */
  doubled = 0;
  readonly #seen = new Set<string>();
  #next = 0;

  constructor({
    seed = 1,
    options = {},
    order = ['udp', 'masque', 'websocket'],
    stock,
    both,
  }: SiteOptions = {}) {
    const time = new VirtualTime(seed);
    this.time = time;
    const a = new End(time, 'a', endpointOf(192, 0, 2, 1, 51820), options);
    const b = new End(time, 'b', endpointOf(192, 0, 2, 2, 51820), options);
    this.a = a;
    this.b = b;
    const toB = a.device.addPeer(b.device.publicKey!);
    const toA = b.device.addPeer(a.device.publicKey!);
    a.device.allowedIps.insert(new Uint8Array([10, 0, 0, 2]), 32, toB);
    b.device.allowedIps.insert(new Uint8Array([10, 0, 0, 1]), 32, toA);
    a.routes.push({ to: b.address, line: this.udp, arrive: (bytes, from) => b.receive(bytes, from) });
    b.routes.push({ to: a.address, line: this.udp, arrive: (bytes, from) => a.receive(bytes, from) });
    const stream = (kind: 'masque' | 'websocket', way: Line, relay: Uint8Array): VirtualStream => {
      const one = new VirtualStream(time, kind, `${kind} relay`, way, (bytes) => b.receive(bytes, relay));
      b.routes.push({ to: relay, line: way, arrive: (bytes) => one.arrive(bytes) });
      return one;
    };
    const masque = stream('masque', this.masque, endpointOf(203, 0, 113, 1, 40_001));
    let websocket = stream('websocket', this.websocket, endpointOf(203, 0, 113, 1, 40_002));
    if (both) {
      const meeting: VirtualStream[] = [];
      for (const i of [0, 1])
        meeting.push(
          new VirtualStream(time, 'websocket', 'websocket relay', this.websocket, (bytes) =>
            meeting[1 - i].arrive(bytes),
          ),
        );
      websocket = meeting[0];
      b.paths.add(
        toA,
        [
          { transport: new UdpTransport(), place: 0 },
          { transport: meeting[1], place: 2 },
        ],
        'a',
      );
    }
    this.streams = { masque, websocket };
    if (stock) toA.sendProbe = () => false;
    toB.setEndpoint(b.address, 0);
    const all = { udp: new UdpTransport(), masque, websocket };
    const places = { udp: 0, masque: 1, websocket: 2 };
    a.paths.add(
      toB,
      order.map((kind) => ({ transport: all[kind], place: places[kind] })),
      keyToBase64(toB.publicKey).slice(0, 8),
    );
    b.onPacket = (packet) => {
      this.#arrived('b', packet);
      b.sendPacket(ipv4Packet([10, 0, 0, 2], [10, 0, 0, 1], packet.slice(20, 24)));
    };
    a.onPacket = (packet) => {
      this.#arrived('a', packet);
      const number = new DataView(packet.buffer, packet.byteOffset).getUint32(20);
      this.answered.set(number, time.now);
    };
  }

  get path() {
    return this.a.paths.of(this.a.peer)!;
  }

  get active(): string {
    return this.path.active?.transport.kind ?? 'none';
  }

  /** Lets time pass under a ping every `interval` ms; 0: no traffic. */
  run(ms: number, interval = 10): void {
    if (interval === 0) {
      this.time.run(ms);
      return;
    }
    for (let passed = 0; passed < ms; passed += interval) {
      this.ping();
      this.time.run(interval);
    }
  }

  ping(): void {
    const number = this.#next++;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, number);
    this.sent.set(number, this.time.now);
    this.a.sendPacket(ipv4Packet([10, 0, 0, 1], [10, 0, 0, 2], payload));
  }

  /** Of the pings sent since `from`: how many were not answered, and the longest time without an answered one, ms. */
  lost(from = 0): { lost: number; longest: number } {
    let lost = 0;
    let longest = 0;
    let since: number | undefined;
    for (const [number, at] of this.sent) {
      // The last ones may still be under way.
      if (at < from || at > this.time.now - 200) continue;
      if (this.answered.has(number)) since = undefined;
      else {
        lost++;
        since ??= at;
        longest = Math.max(longest, at - since + 10);
      }
    }
    return { lost, longest };
  }

  reasons(from = 0): string[] {
    return this.path.journal.decisions.filter(({ at }) => at >= from).map(({ reason }) => reason);
  }

  handshakes(): number {
    return this.a.device.counters.handshakesCompleted;
  }

  #arrived(where: string, packet: Uint8Array): void {
    const key = `${where} ${packet.slice(20, 24).join('.')}`;
    if (this.#seen.has(key)) this.doubled++;
    this.#seen.add(key);
  }
}
