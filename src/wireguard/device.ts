/**
 * A WireGuard interface without I/O: datagrams and packets in, datagrams and packets out, time from the clock
 * that was passed in. The host calls `seal` and `open` with batches, `advance` when `nextDeadline` is due, and
 * sends what is in `outbox` after each call.
 */

import { keyToBase64 } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import { Batch } from '../packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES } from '../packet/endpoint.js';
import type { Clock, Log } from '../ports.js';
import type { AllowedIps } from './allowedips.js';
import { TIMING, type Timing } from './constants.js';
import type { DeviceContext } from './context.js';
import { DeviceCounters } from './counters.js';
import { DeadlineHeap } from './deadline-heap.js';
import { HandshakeProcessor } from './handshake-processor.js';
import { IndexTable } from './index-table.js';
import { Keypair, type KeypairObserver } from './keypair.js';
import { LIMITS, type Limits } from './limits.js';
import { DATA_OVERHEAD_BYTES, messageType, readU32, TYPE_DATA } from './messages.js';
import type { Handshake } from './noise.js';
import type { Peer } from './peer.js';
import { PeerTable } from './peer-table.js';
import { LocalStatic } from './statics.js';
import type { TimestampSource } from './tai64n.js';
import type { PeerTimers } from './timers.js';
import { paddedLength, TransportData } from './transport-data.js';

export interface DeviceOptions {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly timestamps: TimestampSource;
  readonly log?: Log;
  readonly limits?: Partial<Limits>;
  readonly timing?: Partial<Timing>;
  readonly keypairs?: KeypairObserver;
}

export class Device {
  /** Largest inner packet, bytes; padding never makes a packet longer than this. */
  mtu = 1420;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly counters = new DeviceCounters();
  readonly allowedIps: AllowedIps;
  /** What the device itself sends: handshakes, cookies, keepalives, packets that waited. */
  readonly outbox: Batch;
  /** Called when the outbox is full, or was filled by a call other than `seal`, `open` and `advance`. */
  onOutbox: (() => void) | undefined;
  /** Called when a peer's endpoint name should be looked up (again). */
  onResolve: ((peer: Peer) => void) | undefined;
  /** Called when `nextDeadline` moved nearer. */
  onDeadline: (() => void) | undefined;
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #observer: KeypairObserver | undefined;
  readonly #timestamps: TimestampSource;
  /** Our static keys: the first is the one we initiate with. */
  readonly #locals: LocalStatic[] = [];
  readonly #indices: IndexTable<Handshake | Keypair>;
  readonly #heap = new DeadlineHeap<PeerTimers>();
  readonly #peers: PeerTable;
  readonly #data: TransportData;
  readonly #context: DeviceContext;
  readonly #handshakes: HandshakeProcessor;
  readonly #random = new Uint8Array(4);
  /** Time of the host's call under way; NaN outside of one. */
  #now = Number.NaN;

  constructor(options: DeviceOptions) {
    this.limits = { ...LIMITS, ...options.limits };
    this.timing = { ...TIMING, ...options.timing };
    this.#primitives = options.primitives;
    this.#clock = options.clock;
    this.#observer = options.keypairs;
    this.#timestamps = options.timestamps;
    this.#indices = new IndexTable(options.primitives);
    this.outbox = new Batch(this.limits.packetSize + DATA_OVERHEAD_BYTES, this.limits.outbox);
    this.#context = this.#makeContext(options.log);
    this.#peers = new PeerTable(this.#context, (name) => this.#ownsKey(name));
    this.allowedIps = this.#peers.allowedIps;
    this.#data = new TransportData(this.#context, this.#peers);
    this.#handshakes = new HandshakeProcessor(this.#context, this.#locals, (key) => this.#peers.find(key));
  }

  // ---- configuration ----

  get privateKey(): Uint8Array | undefined {
    return this.#locals[0]?.privateKey;
  }

  get publicKey(): Uint8Array | undefined {
    return this.#locals[0]?.publicKey;
  }

  /** The second of our public keys while the key changes. */
  get otherPublicKey(): Uint8Array | undefined {
    return this.#locals[1]?.publicKey;
  }

  /** Sets or removes the static key. Sessions under another key end; a peer with our own public key is removed. */
  setPrivateKey(key: Uint8Array | undefined): void {
    for (const local of this.#locals) local.erase();
    this.#locals.length = 0;
    if (key) this.#locals.push(this.#makeLocal(key));
    this.#handshakes.clear();
    for (const peer of this.peers()) peer.identityChanged();
  }

  /**
   * Begins to answer under a second private key as well; initiations and sessions stay as they are. The first step
   * of a change of key: the second is `switchKeys`, when every peer knows the new one, the last `dropOtherKey`.
   */
  addPrivateKey(key: Uint8Array): void {
    this.dropOtherKey();
    if (this.#locals.length === 0) this.setPrivateKey(key);
    else this.#locals.push(this.#makeLocal(key));
  }

  /** Initiates with the other of the two keys from now on, and proves it at once to every peer in session. */
  switchKeys(): void {
    if (this.#locals.length < 2) return;
    this.#locals.reverse();
    for (const peer of this.peers()) if (peer.keypairs.current) peer.initiate(false);
  }

  /** Stops answering under the key that is not used for initiations. Sessions made with it live out their time. */
  dropOtherKey(): void {
    while (this.#locals.length > 1) this.#locals.pop()?.erase();
  }

  get peerCount(): number {
    return this.#peers.count;
  }

  peers(): Iterable<Peer> {
    return this.#peers.all();
  }

  /** The peer with this key, be it its present or its next one. */
  peer(publicKey: Uint8Array): Peer | undefined {
    return this.#peers.find(publicKey)?.peer;
  }

  /** The peer with this key, made if new. Throws RangeError for our own key or past `limits.maxPeers`. */
  addPeer(publicKey: Uint8Array): Peer {
    return this.#peers.add(publicKey);
  }

  /**
   * Knows the peer by a second key too, or by no other any more (undefined). Throws RangeError when the key is our
   * own or another peer's.
   */
  setNextPublicKey(peer: Peer, publicKey: Uint8Array | undefined): void {
    this.#peers.setNextPublicKey(peer, publicKey);
  }

  /** The peer's second key becomes its only one. */
  promoteNextPublicKey(peer: Peer): void {
    this.#peers.promoteNextPublicKey(peer);
  }

  removePeer(peer: Peer): void {
    this.#peers.remove(peer);
  }

  removeAllPeers(): void {
    for (const peer of [...this.peers()]) this.removePeer(peer);
  }

  /** Erases every key. The device is of no further use. */
  close(): void {
    this.removeAllPeers();
    this.setPrivateKey(undefined);
    this.outbox.clear();
  }

  // ---- data ----

  /** Seals IP packets in place and addresses them; what cannot be sent now is staged or dropped (length 0). */
  seal(batch: Batch): void {
    this.#enter();
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] > 0) this.#data.seal(batch, i, this.mtu);
    }
    this.#leave();
  }

  /** Opens datagrams in place; all but packets for delivery end with length 0. Handshake messages are queued. */
  open(batch: Batch): void {
    this.#enter();
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] > 0) this.#openEntry(batch, i);
    }
    this.#leave();
  }

  /** Runs due timers and a bounded number of queued handshake messages. */
  advance(): void {
    this.#enter();
    this.#handshakes.process();
    for (let due = this.#heap.popDue(this.#now); due; due = this.#heap.popDue(this.#now)) due.fire(this.#now);
    this.#leave();
  }

  /** Monotonic ms at which `advance` should be called; Infinity when nothing is due. */
  nextDeadline(): number {
    return this.#handshakes.waiting > 0 ? -Infinity : this.#heap.earliest;
  }

  /** True while handshake messages arrive faster than they are processed; cookies are then asked for. */
  get underLoad(): boolean {
    return this.#handshakes.underLoad;
  }

  /** Receiver indices in use: at most four a peer, three key pairs and a handshake. */
  get indicesInUse(): number {
    return this.#indices.size;
  }

  // ---- for data planes of the host's own ----

  /** Takes a message of type 1 to 3, already told apart by `messageType`. */
  queueHandshake(
    bytes: Uint8Array,
    offset: number,
    length: number,
    endpoints: Uint8Array,
    endpointAt: number,
  ): void {
    const first = this.#handshakes.waiting === 0;
    this.#handshakes.queue(bytes, offset, length, endpoints, endpointAt);
    if (first) this.onDeadline?.();
  }

  keypairByIndex(receiverIndex: number): Keypair | undefined {
    const found = this.#indices.get(receiverIndex);
    return found instanceof Keypair ? found : undefined;
  }

  /** Peer whose AllowedIPs hold the packet's destination. */
  routeDestination(packet: Uint8Array, offset: number, length: number): Peer | undefined {
    return this.#peers.routeDestination(packet, offset, length);
  }

  routeSource(packet: Uint8Array, offset: number, length: number): Peer | undefined {
    return this.#peers.routeSource(packet, offset, length);
  }

  /** Length of a packet with its padding. */
  paddedLength(length: number): number {
    return paddedLength(length, this.mtu);
  }

  #makeLocal(key: Uint8Array): LocalStatic {
    const local = new LocalStatic(this.#primitives, this.#timestamps, this.timing, key);
    const self = this.peer(local.publicKey);
    if (self) this.removePeer(self);
    return local;
  }

  #ownsKey(name: string): boolean {
    return this.#locals.some((local) => keyToBase64(local.publicKey) === name);
  }

  #openEntry(batch: Batch, i: number): void {
    const offset = batch.offset[i];
    const length = batch.length[i];
    const type = messageType(batch.bytes, offset, length);
    if (type === TYPE_DATA) {
      this.#data.open(batch, i);
      return;
    }
    batch.length[i] = 0;
    if (type === 0) this.counters.malformed++;
    else this.#handshakes.queue(batch.bytes, offset, length, batch.endpoints, i * ENDPOINT_BYTES);
  }

  /** The host's calls see one time from start to end. */
  #enter(): void {
    this.#now = this.#clock.monotonic();
  }

  #leave(): void {
    this.#now = Number.NaN;
  }

  #time(): number {
    return Number.isNaN(this.#now) ? this.#clock.monotonic() : this.#now;
  }

  #claim(length: number, endpoint: Uint8Array): number {
    const { outbox } = this;
    if (outbox.full) this.onOutbox?.();
    const i = outbox.claim(length);
    if (i < 0) {
      if (outbox.full) this.counters.outboxFull++;
      else this.counters.tooLarge++;
      return i;
    }
    copyEndpoint(outbox.endpoints, i * ENDPOINT_BYTES, endpoint, 0);
    return i;
  }

  #sealToOutbox(peer: Peer, keypair: Keypair, packet: Uint8Array, to: Uint8Array = peer.endpoint): void {
    const i = this.#claim(packet.length, to);
    if (i < 0) return;
    const offset = this.outbox.start(i);
    this.outbox.bytes.set(packet, offset);
    this.outbox.length[i] = 0;
    this.#data.sealFor(this.outbox, i, offset, packet.length, peer, keypair, this.mtu);
    copyEndpoint(this.outbox.endpoints, i * ENDPOINT_BYTES, to, 0);
  }

  #makeContext(log: Log | undefined): DeviceContext {
    const device = this;
    return {
      primitives: this.#primitives,
      get noise() {
        return device.#locals[0]?.noise;
      },
      indices: this.#indices,
      counters: this.counters,
      timing: this.timing,
      limits: this.limits,
      log,
      get hasPrivateKey() {
        return device.#locals.length > 0;
      },
      now: () => this.#time(),
      wall: () => this.#clock.wall(),
      jitter: (most) => {
        this.#primitives.random(this.#random);
        return (readU32(this.#random, 0) / 0x1_0000_0000) * most;
      },
      nameOf: (peer) => `${keyToBase64(peer.publicKey).slice(0, 8)}…`,
      schedule: (timers, at) => {
        if (this.#heap.schedule(timers, at) && Number.isNaN(this.#now)) this.onDeadline?.();
      },
      unschedule: (timers) => this.#heap.remove(timers),
      resolve: (peer) => this.onResolve?.(peer),
      newKeypair: (peer, remoteIndex, isInitiator) => {
        const index = this.#indices.fresh();
        const keypair = new Keypair(peer, index, remoteIndex, isInitiator, this.#time(), this.limits);
        this.#indices.set(index, keypair);
        return keypair;
      },
      keypairInstalled: (keypair) => this.#observer?.keypairInstalled(keypair),
      endpointChanged: (peer) => this.#observer?.endpointChanged?.(peer),
      currentChanged: (peer) => this.#observer?.currentChanged?.(peer),
      dropKeypair: (keypair) => {
        this.#indices.delete(keypair.localIndex, keypair);
        this.#observer?.keypairErased(keypair);
        keypair.erase();
      },
      claimMessage: (length, endpoint) => {
        const i = this.#claim(length, endpoint);
        if (i < 0) return undefined;
        const start = this.outbox.start(i);
        return this.outbox.bytes.subarray(start, start + length);
      },
      abandonMessage: () => {
        this.outbox.count--;
      },
      sealToOutbox: (peer, keypair, packet, to) => this.#sealToOutbox(peer, keypair, packet, to),
      flushMessages: () => {
        if (Number.isNaN(this.#now) && this.outbox.count > 0) this.onOutbox?.();
      },
    };
  }
}
