/** ICE for all peers of a gateway: one host, and for each peer an agent, its signaling and its two transports. */

import type { Digests } from '../crypto/digests.js';
import { DATAGRAM_WIREGUARD } from '../ice/demultiplex.js';
import type { StreamOpener } from '../ice/gather-options.js';
import { IceHost } from '../ice/ice-host.js';
import type { GatherLimits, IceLimits } from '../ice/ice-limits.js';
import { IceSignaling, type SignalData, type SignalType } from '../ice/signaling.js';
import type { TurnLimits } from '../ice/turn-limits.js';
import type { Clock } from '../ports.js';
import { IceTransport, type IceUse } from './ice-transport.js';

/** How often it is looked whether a peer's tunnel has traffic, ms: consent is asked for accordingly. */
const TRAFFIC_LOOK = 2_500;

export interface IceLinksOptions {
  readonly digests: Digests;
  readonly random: (out: Uint8Array) => void;
  readonly clock: Clock;
  /** Sends from the socket that is shared with WireGuard. */
  readonly sendUdp: (to: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number) => void;
  /** For TURN over TCP and TLS. */
  readonly streams?: StreamOpener;
  /** `nextDeadline` may have moved nearer. */
  readonly onDeadline?: () => void;
  readonly limits?: Partial<IceLimits>;
  readonly gather?: Partial<GatherLimits>;
  readonly turn?: Partial<TurnLimits>;
}

export interface PeerLink {
  /** Sends a signaling message to the peer; false when there is no session to carry it. */
  readonly signal: (type: SignalType, data: SignalData) => boolean;
  /** Bytes sent to the peer so far, whatever the way. */
  readonly sentBytes: () => number;
}

export class IceLink implements IceUse {
  readonly host: IceHost;
  readonly clock: Clock;
  readonly signaling: IceSignaling;
  readonly direct: IceTransport;
  readonly relayed: IceTransport;
  readonly #peer: PeerLink;
  readonly #wanted = new Set<IceTransport>();
  #sent = 0;

  constructor(host: IceHost, clock: Clock, peer: PeerLink, onDeadline: () => void) {
    this.host = host;
    this.clock = clock;
    this.#peer = peer;
    this.signaling = new IceSignaling(host, {
      signal: peer.signal,
      changed: (now) => {
        onDeadline();
        this.direct.update(now);
        this.relayed.update(now);
        this.direct.events?.changed();
        this.relayed.events?.changed();
      },
    });
    this.direct = new IceTransport(this, 'ice');
    this.relayed = new IceTransport(this, 'turn');
  }

  wanted(transport: IceTransport, wanted: boolean): void {
    if (wanted) this.#wanted.add(transport);
    else if (this.#wanted.delete(transport) && this.#wanted.size === 0) this.#close(this.clock.monotonic());
  }

  /** Ends the agent. */
  #close(now: number): void {
    this.signaling.close(now);
    this.direct.update(now);
    this.relayed.update(now);
  }

  /** Tells the agent of traffic, and notices pairs that nobody keeps any more. */
  look(now: number): void {
    if (this.direct.update(now)) this.direct.events?.changed();
    if (this.relayed.update(now)) this.relayed.events?.changed();
    const sent = this.#peer.sentBytes();
    if (sent !== this.#sent) this.signaling.agent?.active(now);
    this.#sent = sent;
  }
}

export class IceLinks {
  readonly host: IceHost;
  readonly #options: IceLinksOptions;
  readonly #links = new Map<number, IceLink>();
  #lookAt = Number.POSITIVE_INFINITY;

  constructor(options: IceLinksOptions) {
    this.#options = options;
    const { digests, random, limits, gather, turn, streams } = options;
    this.host = new IceHost({
      digests,
      random,
      limits,
      gather,
      turn,
      handlers: {
        ...streams,
        send: (to, toAt, bytes, offset, length) => options.sendUdp(to, toAt, bytes, offset, length),
        relayed: (base, from, fromAt, bytes, offset, length) => {
          for (const { relayed } of this.#links.values()) {
            if (!relayed.carries(base, from, fromAt)) continue;
            relayed.events?.received(bytes, offset, length);
            relayed.events?.delivered();
            return;
          }
        },
      },
    });
  }

  /** The link of the peer with this number, made when it is new. */
  add(peer: number, link: PeerLink): IceLink {
    let known = this.#links.get(peer);
    if (known === undefined) {
      const { clock, onDeadline } = this.#options;
      known = new IceLink(this.host, clock, link, () => onDeadline?.());
      this.#links.set(peer, known);
    }
    if (this.#lookAt === Number.POSITIVE_INFINITY)
      this.#lookAt = this.#options.clock.monotonic() + TRAFFIC_LOOK;
    return known;
  }

  remove(peer: number): void {
    this.#links.get(peer)?.signaling.close(this.#options.clock.monotonic());
    this.#links.delete(peer);
    if (this.#links.size === 0) this.#lookAt = Number.POSITIVE_INFINITY;
  }

  of(peer: number): IceLink | undefined {
    return this.#links.get(peer);
  }

  /** A datagram from the shared socket. True: it was none of WireGuard's, and has been dealt with. */
  receive(endpoints: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const now = this.#options.clock.monotonic();
    return this.host.receive(endpoints, at, bytes, offset, length, now) !== DATAGRAM_WIREGUARD;
  }

  /** The control session is there again. */
  connected(): void {
    const now = this.#options.clock.monotonic();
    for (const { signaling } of this.#links.values()) signaling.connected(now);
  }

  /** Another network: other addresses, other mappings, perhaps other relays. `addresses` are endpoint records. */
  networkChanged(addresses: readonly Uint8Array[]): void {
    const now = this.#options.clock.monotonic();
    this.host.gatherer.setAddresses(addresses, now);
    this.host.gatherer.networkChanged(now);
    for (const { signaling } of this.#links.values()) if (signaling.agent) signaling.restart(now);
  }

  advance(): void {
    const now = this.#options.clock.monotonic();
    this.host.advance(now);
    for (const { signaling } of this.#links.values()) signaling.advance(now);
    if (this.#lookAt > now) return;
    this.#lookAt = now + TRAFFIC_LOOK;
    for (const link of this.#links.values()) link.look(now);
  }

  /** Monotonic ms; Infinity when nothing is due. */
  nextDeadline(): number {
    let next = this.host.deadline;
    for (const { signaling } of this.#links.values()) {
      next = Math.min(next, signaling.deadline);
      if (signaling.agent !== undefined) next = Math.min(next, this.#lookAt);
    }
    return next;
  }

  stop(): void {
    for (const peer of [...this.#links.keys()]) this.remove(peer);
  }
}
