/**
 * A WireGuard interface without I/O: datagrams and packets in, datagrams and packets out, time from the clock
 * that was passed in. The host calls `seal` and `open` with batches, `advance` when `nextDeadline` is due, and
 * sends what is in `outbox` after each call.
 */

import { keyToBase64 } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Batch } from '../packet/batch.js';
import { ENDPOINT_BYTES } from '../packet/endpoint.js';
import type { Clock, Log } from '../ports.js';
import type { AllowedIps } from './allowedips.js';
import { TIMING, type Timing } from './constants.js';
import { DeviceContext } from './context.js';
import { DeviceCounters } from './counters.js';
import { HandshakeProcessor } from './handshake-processor.js';
import { Keypair, type KeypairObserver } from './keypair.js';
import { LIMITS, type Limits } from './limits.js';
import { messageType, TYPE_DATA } from './messages.js';
import type { Peer } from './peer.js';
import { PeerTable } from './peer-table.js';
import { LocalStatic } from './statics.js';
import type { TimestampSource } from './tai64n.js';
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
  readonly clock: Clock;
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
  readonly #timestamps: TimestampSource;
  readonly #context: DeviceContext;
  readonly #peers: PeerTable;
  readonly #data: TransportData;
  readonly #handshakes: HandshakeProcessor;

  constructor(options: DeviceOptions) {
    this.clock = options.clock;
    this.limits = { ...LIMITS, ...options.limits };
    this.timing = { ...TIMING, ...options.timing };
    this.#timestamps = options.timestamps;
    this.#context = new DeviceContext(options, this);
    this.outbox = this.#context.outbox;
    this.#peers = new PeerTable(this.#context, (name) => this.#ownsKey(name));
    this.allowedIps = this.#peers.allowedIps;
    this.#data = new TransportData(this.#context, this.#peers);
    this.#context.sealer = this.#data;
    this.#handshakes = new HandshakeProcessor(this.#context, (key) => this.#peers.find(key));
  }

  // ---- configuration ----

  get privateKey(): Uint8Array | undefined {
    return this.#context.locals[0]?.privateKey;
  }

  get publicKey(): Uint8Array | undefined {
    return this.#context.locals[0]?.publicKey;
  }

  /** The second of our public keys while the key changes. */
  get otherPublicKey(): Uint8Array | undefined {
    return this.#context.locals[1]?.publicKey;
  }

  /** Sets or removes the static key. Sessions under another key end; a peer with our own public key is removed. */
  setPrivateKey(key: Uint8Array | undefined): void {
    for (const local of this.#context.locals) local.erase();
    this.#context.locals.length = 0;
    if (key) this.#context.locals.push(this.#makeLocal(key));
    this.#handshakes.clear();
    for (const peer of this.peers()) peer.identityChanged();
  }

  /**
   * Begins to answer under a second private key as well; initiations and sessions stay as they are. The first step
   * of a change of key: the second is `switchKeys`, when every peer knows the new one, the last `dropOtherKey`.
   */
  addPrivateKey(key: Uint8Array): void {
    this.dropOtherKey();
    if (this.#context.locals.length === 0) this.setPrivateKey(key);
    else this.#context.locals.push(this.#makeLocal(key));
  }

  /** Initiates with the other of the two keys from now on, and proves it at once to every peer in session. */
  switchKeys(): void {
    if (this.#context.locals.length < 2) return;
    this.#context.locals.reverse();
    for (const peer of this.peers()) if (peer.keypairs.current) peer.initiate(false);
  }

  /** Stops answering under the key that is not used for initiations. Sessions made with it live out their time. */
  dropOtherKey(): void {
    while (this.#context.locals.length > 1) this.#context.locals.pop()?.erase();
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
    this.#context.enter();
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] > 0) this.#data.seal(batch, i);
    }
    this.#context.leave();
  }

  /** Opens datagrams in place; all but packets for delivery end with length 0. Handshake messages are queued. */
  open(batch: Batch): void {
    this.#context.enter();
    for (let i = 0; i < batch.count; i++) {
      if (batch.length[i] > 0) this.#openEntry(batch, i);
    }
    this.#context.leave();
  }

  /** Runs due timers and a bounded number of queued handshake messages. */
  advance(): void {
    this.#context.enter();
    this.#handshakes.process();
    this.#context.fireDue();
    this.#context.leave();
  }

  /** Monotonic ms at which `advance` should be called; Infinity when nothing is due. */
  nextDeadline(): number {
    return this.#handshakes.waiting > 0 ? -Infinity : this.#context.earliestDeadline;
  }

  /** True while handshake messages arrive faster than they are processed; cookies are then asked for. */
  get underLoad(): boolean {
    return this.#handshakes.underLoad;
  }

  /** Receiver indices in use: at most four a peer, three key pairs and a handshake. */
  get indicesInUse(): number {
    return this.#context.indices.size;
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
    const found = this.#context.indices.get(receiverIndex);
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
    const local = new LocalStatic(this.#context.primitives, this.#timestamps, this.timing, key);
    const self = this.peer(local.publicKey);
    if (self) this.removePeer(self);
    return local;
  }

  #ownsKey(name: string): boolean {
    return this.#context.locals.some((local) => keyToBase64(local.publicKey) === name);
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
}
