/** What the parts of one device share: its time, tables, outbox and counters. Inside `wireguard/` only. */

import { keyToBase64 } from '../crypto/key-text.js';
import type { Primitives } from '../crypto/primitives.js';
import { Batch } from '../packet/batch.js';
import { copyEndpoint, ENDPOINT_BYTES } from '../packet/endpoint.js';
import type { Clock, Log } from '../ports.js';
import type { Timing } from './constants.js';
import type { DeviceCounters } from './counters.js';
import { DeadlineHeap } from './deadline-heap.js';
import { IndexTable } from './index-table.js';
import { Keypair, type KeypairObserver } from './keypair.js';
import type { Limits } from './limits.js';
import { DATA_OVERHEAD_BYTES, readU32 } from './messages.js';
import type { Handshake, Noise } from './noise.js';
import type { Peer } from './peer.js';
import type { LocalStatic } from './statics.js';
import type { PeerTimers, TimerHost } from './timers.js';
import type { TransportData } from './transport-data.js';

/** No time of a clock: no call of the host is under way. */
const OUTSIDE = -Infinity;

/** What the device shows its host, as far as its parts need it. */
export interface DeviceFace {
  readonly mtu: number;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly counters: DeviceCounters;
  readonly onOutbox: (() => void) | undefined;
  readonly onResolve: ((peer: Peer) => void) | undefined;
  readonly onDeadline: (() => void) | undefined;
}

export interface Surroundings {
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly log?: Log;
  readonly keypairs?: KeypairObserver;
}

export class DeviceContext implements TimerHost {
  readonly primitives: Primitives;
  readonly log: Log | undefined;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly counters: DeviceCounters;
  readonly outbox: Batch;
  readonly indices: IndexTable<Handshake | Keypair>;
  /** Our static keys: the first is the one we initiate with. */
  readonly locals: LocalStatic[] = [];
  /** Set once, by the device. */
  sealer!: TransportData;
  readonly #face: DeviceFace;
  readonly #clock: Clock;
  readonly #observer: KeypairObserver | undefined;
  readonly #heap = new DeadlineHeap<PeerTimers>();
  readonly #random = new Uint8Array(4);
  /** Time of the host's call under way. */
  #now = OUTSIDE;

  constructor(surroundings: Surroundings, face: DeviceFace) {
    this.primitives = surroundings.primitives;
    this.log = surroundings.log;
    this.#clock = surroundings.clock;
    this.#observer = surroundings.keypairs;
    this.#face = face;
    this.limits = face.limits;
    this.timing = face.timing;
    this.counters = face.counters;
    this.indices = new IndexTable(surroundings.primitives);
    this.outbox = new Batch(face.limits.packetSize + DATA_OVERHEAD_BYTES, face.limits.outbox);
  }

  /** Our static key for initiations; undefined while there is none. */
  get noise(): Noise | undefined {
    return this.locals[0]?.noise;
  }

  get hasPrivateKey(): boolean {
    return this.locals.length > 0;
  }

  /** Largest inner packet, bytes. */
  get mtu(): number {
    return this.#face.mtu;
  }

  // ---- time ----

  /** From here to `leave` one call of the host sees one time. */
  enter(): void {
    this.#now = this.#clock.monotonic();
  }

  leave(): void {
    this.#now = OUTSIDE;
  }

  now(): number {
    return this.#now === OUTSIDE ? this.#clock.monotonic() : this.#now;
  }

  /** ms since 1970. */
  wall(): number {
    return this.#clock.wall();
  }

  jitter(most: number): number {
    this.primitives.random(this.#random);
    return (readU32(this.#random, 0) / 0x1_0000_0000) * most;
  }

  schedule(timers: PeerTimers, at: number): void {
    if (this.#heap.schedule(timers, at) && this.#now === OUTSIDE) this.#face.onDeadline?.();
  }

  unschedule(timers: PeerTimers): void {
    this.#heap.remove(timers);
  }

  get earliestDeadline(): number {
    return this.#heap.earliest;
  }

  fireDue(): void {
    const now = this.now();
    for (let due = this.#heap.popDue(now); due; due = this.#heap.popDue(now)) due.fire(now);
  }

  // ---- peers and their keys ----

  /** Public key, shortened: for logs. */
  nameOf(peer: Peer): string {
    return `${keyToBase64(peer.publicKey).slice(0, 8)}…`;
  }

  /** Asks the host to look up the peer's endpoint name. */
  resolve(peer: Peer): void {
    this.#face.onResolve?.(peer);
  }

  /** Makes a pair with a fresh local index. */
  newKeypair(peer: Peer, remoteIndex: number, isInitiator: boolean): Keypair {
    const index = this.indices.fresh();
    const keypair = new Keypair(peer, index, remoteIndex, isInitiator, this.now(), this.limits);
    this.indices.set(index, keypair);
    return keypair;
  }

  keypairInstalled(keypair: Keypair): void {
    this.#observer?.keypairInstalled(keypair);
  }

  /** Forgets and erases a pair. */
  dropKeypair(keypair: Keypair): void {
    this.indices.delete(keypair.localIndex, keypair);
    this.#observer?.keypairErased(keypair);
    keypair.erase();
  }

  endpointChanged(peer: Peer): void {
    this.#observer?.endpointChanged?.(peer);
  }

  /** The peer has another pair to send with. */
  currentChanged(peer: Peer): void {
    this.#observer?.currentChanged?.(peer);
  }

  // ---- messages ----

  /** A slot of the outbox as exactly `length` bytes, addressed; undefined when there is no room. */
  claimMessage(length: number, endpoint: Uint8Array): Uint8Array | undefined {
    const i = this.#claim(length, endpoint);
    if (i < 0) return undefined;
    const start = this.outbox.start(i);
    return this.outbox.bytes.subarray(start, start + length);
  }

  /** Gives back the slot claimed last. */
  abandonMessage(): void {
    this.outbox.count--;
  }

  /** Seals a packet (no bytes: a keepalive) into the outbox, to the peer's endpoint unless another is given. */
  sealToOutbox(peer: Peer, keypair: Keypair, packet: Uint8Array, to: Uint8Array = peer.endpoint): void {
    const { outbox } = this;
    const i = this.#claim(packet.length, to);
    if (i < 0) return;
    const offset = outbox.start(i);
    outbox.bytes.set(packet, offset);
    outbox.length[i] = 0;
    this.sealer.sealFor(outbox, i, offset, packet.length, peer, keypair);
    copyEndpoint(outbox.endpoints, i * ENDPOINT_BYTES, to, 0);
  }

  /** Tells the host to send the outbox, unless a call of its own is under way: then it looks afterwards anyway. */
  flushMessages(): void {
    if (this.#now === OUTSIDE && this.outbox.count > 0) this.#face.onOutbox?.();
  }

  #claim(length: number, endpoint: Uint8Array): number {
    const { outbox } = this;
    if (outbox.full) this.#face.onOutbox?.();
    const i = outbox.claim(length);
    if (i < 0) {
      if (outbox.full) this.counters.outboxFull++;
      else this.counters.tooLarge++;
      return i;
    }
    copyEndpoint(outbox.endpoints, i * ENDPOINT_BYTES, endpoint, 0);
    return i;
  }
}
