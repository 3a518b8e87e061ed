/**
 * Keeps what the data plane's threads read in step with the device: key slots, receiver indices, peers with their
 * endpoints, routes. Only the control thread writes here; what a thread may be using is erased when it has let go.
 */

import { ENDPOINT_BYTES } from '../../../src/packet/endpoint.js';
import type { AllowedIps } from '../../../src/wireguard/allowedips.js';
import type { Device } from '../../../src/wireguard/device.js';
import type { Keypair, KeypairObserver, SendCounters } from '../../../src/wireguard/keypair.js';
import type { Peer } from '../../../src/wireguard/peer.js';
import type { PrefixTree } from '../../../src/wireguard/prefix-tree.js';
import type { Kernel, Lane } from '../wasm/kernel.js';
import { SharedIndices } from './shared-indices.js';

/** Peers that the table of the kernel can number. */
const PEER_NUMBERS = 65_536;
/** Words of the description of one tree in a set of routes, and of a set. */
const TREE_WORDS = 3;
/** ms that no living thread takes to write a peer's record. */
const WRITING_TIME = 2;
/** Room for a tree that has outgrown its own, relative to what it needs. */
const ROUTE_GROWTH = 2;

/** A pair with a slot, and what of the slot's notes the device has been told. */
export interface SharedPair {
  readonly keypair: Keypair;
  readonly slot: number;
  /** Datagrams, bytes and packets, sent and received. */
  readonly told: Float64Array;
}

interface RouteRoom {
  address: number;
  words: number;
}

export class SharedTables implements KeypairObserver, SendCounters {
  /** Called when a key pair could not be given a slot: there is no memory. */
  onFull: (() => void) | undefined;
  /** Called when a slot could not be erased at once: `eraseCondemned` is to be called again soon. */
  onCondemned: (() => void) | undefined;
  readonly #kernel: Kernel;
  readonly #lane: Lane;
  readonly #indices: SharedIndices;
  readonly #pairs = new Map<number, SharedPair>();
  /** Address of the word with which each thread says which slot it uses. */
  readonly #users: number[] = [];
  /** Slots that are to be erased and were in use when that was asked. */
  readonly #condemned = new Set<number>();
  readonly #rooms: RouteRoom[] = Array.from({ length: 4 }, () => ({ address: 0, words: 0 }));
  readonly #record: number;
  #rejectAfterTime = 180_000;
  #routes: AllowedIps | undefined;
  #routesStale = false;
  #stopped = false;

  /** `lane` is the control thread's own. */
  constructor(kernel: Kernel, lane: Lane) {
    this.#kernel = kernel;
    this.#lane = lane;
    this.#indices = new SharedIndices(kernel);
    this.#record = kernel.allocate(ENDPOINT_BYTES);
  }

  /** Begins to follow the device's routes and times. */
  follow(device: Device): void {
    this.#rejectAfterTime = device.timing.rejectAfterTime;
    this.#routes = device.allowedIps;
    device.allowedIps.onChange = () => this.#routesChanged();
    device.allowedIps.onSettle = () => this.#settleRoutes();
    this.publishRoutes();
    for (const peer of device.peers()) {
      this.endpointChanged(peer);
      this.currentChanged(peer);
    }
  }

  /** The pair of a slot, until the slot is erased. */
  pair(slot: number): SharedPair | undefined {
    return this.#pairs.get(slot);
  }

  get pairs(): Iterable<SharedPair> {
    return this.#pairs.values();
  }

  /** A thread says at this address which slot it uses. */
  addUser(address: number): void {
    this.#users.push(address);
  }

  /** A thread has died: whatever it used it uses no more, and what it was writing is set right. */
  healAfter(address: number, peers: Iterable<Peer>): void {
    const { words } = this.#kernel;
    Atomics.store(words, address >> 2, 0);
    const { peerTurn, healPeer } = this.#lane.call;
    const written = Array.from(peers, ({ id }) => ({ id, turn: peerTurn(id) })).filter(
      ({ turn }) => turn & 1,
    );
    // Another thread may be writing right now; whoever still does so after this is the dead one.
    if (written.length > 0) Atomics.wait(words, 0, words[0], WRITING_TIME);
    for (const { id, turn } of written) if (peerTurn(id) === turn) healPeer(id);
    for (const slot of this.#pairs.keys()) {
      Atomics.store(this.#kernel.words, this.#word(slot, 'SLOT_LOCK'), 0);
      const turn = this.#word(slot, 'SLOT_SOURCE_TURN');
      if ((Atomics.load(this.#kernel.words, turn) & 1) !== 0) Atomics.add(this.#kernel.words, turn, 1);
    }
  }

  // ---- KeypairObserver ----

  keypairInstalled(keypair: Keypair): void {
    const kernel = this.#kernel;
    const slot = kernel.takeSlot(keypair.sendKey, keypair.receiveKey, keypair.remoteIndex);
    keypair.slot = slot;
    if (slot < 0) {
      // The control thread alone serves it, and is given whatever has an index that nobody else knows.
      Atomics.store(kernel.words, kernel.constant('FORWARD_UNKNOWN') >> 2, 1);
      this.onFull?.();
      return;
    }
    const { words, doubles } = kernel;
    const counter = this.#word(slot, 'SLOT_COUNTER');
    words[counter] = keypair.sendLow;
    words[counter + 1] = keypair.sendHigh;
    words[this.#word(slot, 'SLOT_LOCAL_INDEX')] = keypair.localIndex;
    words[this.#word(slot, 'SLOT_PEER')] = keypair.peer.id;
    words[this.#word(slot, 'SLOT_WAITS')] = keypair.isInitiator ? 0 : 1;
    doubles[this.#word(slot, 'SLOT_REJECT_AT') >> 1] = keypair.createdAt + this.#rejectAfterTime;
    keypair.counters = this;
    this.#pairs.set(slot, { keypair, slot, told: new Float64Array(6) });
    Atomics.store(words, this.#word(slot, 'SLOT_LIVE'), 1);
    this.#indices.set(keypair.localIndex, slot);
  }

  keypairErased(keypair: Keypair): void {
    const { slot } = keypair;
    if (slot < 0) return;
    keypair.slot = -1;
    this.#indices.delete(keypair.localIndex);
    Atomics.store(this.#kernel.words, this.#word(slot, 'SLOT_LIVE'), 0);
    this.#condemned.add(slot);
    if (!this.eraseCondemned()) this.onCondemned?.();
  }

  endpointChanged(peer: Peer): void {
    if (!this.#makeRoomFor(peer)) return;
    this.#kernel.all.set(peer.endpoint, this.#record);
    this.#lane.call.publishEndpoint(peer.id, this.#record, peer.roaming ? 0 : 1);
  }

  currentChanged(peer: Peer): void {
    if (!this.#makeRoomFor(peer)) return;
    const slot = peer.keypairs.current?.slot ?? -1;
    this.#lane.call.publishSlot(peer.id, Math.max(slot, 0));
  }

  // ---- SendCounters ----

  take(keypair: Keypair, count: number): boolean {
    if (this.#lane.call.takeSlotCounters(keypair.slot, count) === 0) {
      this.syncCounter(keypair);
      return false;
    }
    const at = (this.#lane.base + this.#kernel.constant('ARGUMENTS')) >> 2;
    keypair.takenLow = this.#kernel.words[at] >>> 0;
    keypair.takenHigh = this.#kernel.words[at + 1] >>> 0;
    this.syncCounter(keypair);
    return true;
  }

  /** The pair's own counter as it is in the slot now; the halves may be of two moments, which is good enough. */
  syncCounter(keypair: Keypair): void {
    const at = this.#word(keypair.slot, 'SLOT_COUNTER');
    keypair.sendLow = Atomics.load(this.#kernel.words, at) >>> 0;
    keypair.sendHigh = Atomics.load(this.#kernel.words, at + 1) >>> 0;
  }

  // ---- erasing ----

  /** Erases the slots that no thread uses any more. True when none is left. */
  eraseCondemned(): boolean {
    for (const slot of this.#condemned) {
      if (this.#inUse(slot) || this.#listed(slot)) continue;
      this.#condemned.delete(slot);
      this.#pairs.delete(slot);
      this.#kernel.releaseSlot(slot);
    }
    return this.#condemned.size === 0;
  }

  /** The threads have ended: nothing is in use, and every key is erased. */
  eraseAll(): void {
    this.#stopped = true;
    for (const address of this.#users) Atomics.store(this.#kernel.words, address >> 2, 0);
    for (const { slot, keypair } of this.#pairs.values()) {
      keypair.slot = -1;
      keypair.counters = undefined;
      this.#kernel.releaseSlot(slot);
    }
    this.#pairs.clear();
    this.#condemned.clear();
    if (this.#routes) this.#routes.onChange = this.#routes.onSettle = undefined;
  }

  #inUse(slot: number): boolean {
    const address = this.#kernel.slotAddress(slot);
    return this.#users.some((user) => Atomics.load(this.#kernel.words, user >> 2) === address);
  }

  /** A note of the slot waits to be read: it is still part of a list. */
  #listed(slot: number): boolean {
    const { words } = this.#kernel;
    const listed = this.#kernel.constant('NOTE_LISTED') >> 2;
    return (
      Atomics.load(words, this.#word(slot, 'SLOT_SENT') + listed) !== 0 ||
      Atomics.load(words, this.#word(slot, 'SLOT_RECEIVED') + listed) !== 0
    );
  }

  #word(
    slot: number,
    field:
      | 'SLOT_COUNTER'
      | 'SLOT_LIVE'
      | 'SLOT_LOCAL_INDEX'
      | 'SLOT_LOCK'
      | 'SLOT_PEER'
      | 'SLOT_RECEIVED'
      | 'SLOT_REJECT_AT'
      | 'SLOT_SENT'
      | 'SLOT_SOURCE_TURN'
      | 'SLOT_WAITS',
  ): number {
    return (this.#kernel.slotAddress(slot) + this.#kernel.constant(field)) >> 2;
  }

  // ---- peers ----

  /** False when the peer's number has no place: the control thread alone serves it then. */
  #makeRoomFor(peer: Peer): boolean {
    if (this.#stopped || peer.id >= PEER_NUMBERS) return false;
    const kernel = this.#kernel;
    const perBlock = kernel.constant('PEERS_PER_BLOCK');
    const block = (kernel.constant('PEER_BLOCKS') >> 2) + Math.floor(peer.id / perBlock);
    if (kernel.words[block] === 0) {
      const address = kernel.allocate(perBlock * kernel.constant('PEER_BYTES'));
      Atomics.store(kernel.words, block, address);
    }
    return true;
  }

  // ---- routes ----

  /** Once for all changes of one turn of the event loop. */
  #routesChanged(): void {
    if (this.#routesStale) return;
    this.#routesStale = true;
    setImmediate(() => this.#settleRoutes());
  }

  #settleRoutes(): void {
    if (this.#routesStale && !this.#stopped) this.publishRoutes();
  }

  /** Copies the trees to the set that is not in use, and then makes it the valid one. */
  publishRoutes(): void {
    this.#routesStale = false;
    if (this.#routes === undefined) return;
    const kernel = this.#kernel;
    const { ipv4, ipv6 } = this.#routes.trees;
    const valid = kernel.constant('ROUTES_VALID') >> 2;
    const turn = (Atomics.load(kernel.words, valid) + 1) | 0;
    const set = turn & 1;
    Atomics.store(kernel.words, kernel.constant('ROUTES_BEGUN') >> 2, turn);
    const description = (kernel.constant('ROUTE_SETS') + set * kernel.constant('ROUTE_SET_BYTES')) >> 2;
    this.#copyTree(ipv4, this.#rooms[2 * set], description);
    this.#copyTree(ipv6, this.#rooms[2 * set + 1], description + TREE_WORDS);
    Atomics.store(kernel.words, valid, turn);
  }

  #copyTree(tree: PrefixTree, room: RouteRoom, description: number): void {
    const { nodes, root } = tree;
    const kernel = this.#kernel;
    if (nodes.length > room.words) {
      // What it had before is left to whoever still reads it.
      room.words = nodes.length * ROUTE_GROWTH;
      room.address = kernel.allocate(room.words * 4);
    }
    const { words } = kernel;
    words.set(nodes, room.address >> 2);
    words[description] = room.address;
    words[description + 1] = nodes.length;
    words[description + 2] = root;
  }
}
