/** The paths of a gateway's peers, by their numbers, and what they share. */

import { endpointPort, endpointScope } from '../packet/endpoint.js';
import type { Clock, Log } from '../ports.js';
import type { Peer } from '../wireguard/peer.js';
import { NegativeCache } from './negative-cache.js';
import { PeerPath } from './path.js';
import type { PathOptions } from './path-options.js';
import type { Transport } from './transport.js';

export interface PathsOptions {
  readonly clock: Clock;
  readonly options: PathOptions;
  readonly log?: Log;
}

/** Sends from the gateway's own UDP socket to the record at `at`. */
export type SendUdp = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  endpoints: Uint8Array,
  at: number,
) => void;

/** Takes a datagram that came through a transport; the bytes are lent. */
export type Deliver = (bytes: Uint8Array, offset: number, length: number, record: Uint8Array) => void;

export interface PlannedTransport {
  readonly transport: Transport;
  /** In the decision table's row, from 0. */
  readonly place: number;
}

export class Paths {
  /** Set by the pump. */
  sendUdp: SendUdp = () => {};
  deliver: Deliver = () => {};
  /** A good moment to work on what was delivered. */
  delivered: () => void = () => {};
  /** `nextDeadline` moved nearer. */
  onDeadline: (() => void) | undefined;
  readonly #options: PathsOptions;
  readonly #negative: NegativeCache;
  readonly #paths = new Map<number, PeerPath>();
  #network = '';
  /** Earliest of all, kept so that nobody has to ask every path after every batch. */
  #next = Infinity;
  /** Those that something was sent on since the last flush. */
  readonly #touched: PeerPath[] = [];

  constructor(options: PathsOptions) {
    this.#options = options;
    this.#negative = new NegativeCache(options.options.negativeFirst, options.options.negativeMost);
  }

  /** Gives the peer a path and starts it. `transports` are in the order of the race. */
  add(peer: Peer, transports: readonly PlannedTransport[], label: string): PeerPath {
    this.remove(peer);
    const { clock, options, log } = this.#options;
    const path = new PeerPath(
      {
        id: peer.id,
        peer,
        transports,
        options,
        clock,
        negative: this.#negative,
        sendUdp: (bytes, offset, length, endpoints, at) => this.sendUdp(bytes, offset, length, endpoints, at),
        deliver: (bytes, offset, length, record) => this.deliver(bytes, offset, length, record),
        delivered: () => this.delivered(),
        onDeadline: () => this.#nearer(peer.id),
        log,
        label,
      },
      this.#network,
    );
    this.#paths.set(peer.id, path);
    path.start();
    return path;
  }

  remove(peer: Peer): void {
    this.#paths.get(peer.id)?.stop();
    this.#paths.delete(peer.id);
    this.#findNext();
  }

  of(peer: Peer): PeerPath | undefined {
    return this.#paths.get(peer.id);
  }

  all(): IterableIterator<PeerPath> {
    return this.#paths.values();
  }

  /** Sends a datagram that is addressed to a virtual record. */
  send(bytes: Uint8Array, offset: number, length: number, endpoints: Uint8Array, at: number): void {
    const path = this.#paths.get(endpointScope(endpoints, at));
    if (!path) return;
    if (this.#touched.at(-1) !== path) this.#touched.push(path);
    path.send(bytes, offset, length, endpointPort(endpoints, at));
  }

  /** Hands on what `send` collected. */
  flush(): void {
    for (const path of this.#touched) path.flush();
    this.#touched.length = 0;
  }

  /** Runs what is due. */
  advance(): void {
    const now = this.#options.clock.monotonic();
    if (this.#next > now) return;
    for (const path of this.#paths.values()) if (path.nextDeadline() <= now) path.advance();
    this.#findNext();
  }

  /** Monotonic ms; Infinity when nothing is due. */
  nextDeadline(): number {
    return this.#next;
  }

  /** `network` is whatever names the network that the host is in now: the same name, the same network. */
  networkChanged(network: string): void {
    if (network === this.#network) return;
    const first = this.#network === '';
    this.#network = network;
    for (const path of this.#paths.values()) path.networkChanged(network, first);
  }

  stop(): void {
    for (const path of this.#paths.values()) path.stop();
    this.#paths.clear();
    this.#next = Infinity;
  }

  #nearer(id: number): void {
    this.#next = Math.min(this.#next, this.#paths.get(id)?.nextDeadline() ?? Infinity);
    this.onDeadline?.();
  }

  #findNext(): void {
    let next = Infinity;
    for (const path of this.#paths.values()) next = Math.min(next, path.nextDeadline());
    this.#next = next;
  }
}
