/**
 * A peer over what ICE has found: `ice` is its best direct pair, `turn` its best pair through a TURN server on either
 * side. Both belong to one agent, so that the relay stands by while the direct way carries, and the path chooses.
 */

import type { CandidatePair } from '../ice/candidate-pair.js';
import { CHANNEL_HEADER_BYTES } from '../ice/channel-data.js';
import type { IceHost } from '../ice/ice-host.js';
import type { IceSignaling } from '../ice/signaling.js';
import { sameEndpoint } from '../packet/endpoint.js';
import type { Clock } from '../ports.js';
import type { Transport, TransportEvents, TransportReason, TransportState } from './transport.js';

/** What Ethernet carries less the headers of IPv6 and UDP. */
const USUAL_MTU = 1500 - 40 - 8;

/** What the two transports of a peer share. */
export interface IceUse {
  readonly host: IceHost;
  readonly signaling: IceSignaling;
  readonly clock: Clock;
  /** One of the two is wanted, or no longer. */
  wanted(transport: IceTransport, wanted: boolean): void;
}

export class IceTransport implements Transport {
  readonly kind: 'ice' | 'turn';
  readonly name: string;
  readonly overhead: number;
  readonly mtu: number;
  readonly retryAfter = 0;
  events: TransportEvents | undefined;
  readonly #use: IceUse;
  readonly #relayed: boolean;
  #pair: CandidatePair | undefined;

  constructor(use: IceUse, kind: 'ice' | 'turn') {
    this.#use = use;
    this.kind = kind;
    this.name = kind;
    this.#relayed = kind === 'turn';
    this.overhead = this.#relayed ? CHANNEL_HEADER_BYTES : 0;
    this.mtu = USUAL_MTU - this.overhead;
  }

  /** The pair it stands for now; looked up when something changes, not for each packet. */
  get pair(): CandidatePair | undefined {
    return this.#pair;
  }

  /** Looks which pair works now. True when it is another one, or the state may have changed with it. */
  update(now: number): boolean {
    const before = this.#pair;
    this.#pair = this.#use.signaling.agent?.usable(this.#relayed, now);
    return before !== this.#pair;
  }

  get state(): TransportState {
    if (this.pair !== undefined) return 'open';
    const agent = this.#use.signaling.agent;
    if (agent === undefined || agent.state === 'stopped') return 'idle';
    // While a relay carries, a direct way may still be found, and the other way round.
    const searching = agent.pairs.some((pair) => pair.relayed === this.#relayed && pair.state !== 'failed');
    const early = agent.state === 'waiting' || agent.state === 'checking';
    return early || (agent.state === 'connected' && searching) ? 'opening' : 'failed';
  }

  get reason(): TransportReason {
    switch (this.state) {
      case 'open':
        return 'ready';
      case 'idle':
        return 'not-needed';
      case 'opening':
        return this.#use.signaling.agent?.remote === undefined ? 'connecting' : 'negotiating';
      default:
        return this.#use.signaling.agent?.state === 'failed' ? 'timed-out' : 'unreachable';
    }
  }

  get detail(): string {
    const agent = this.#use.signaling.agent;
    if (agent === undefined) return '';
    const { pair } = this;
    if (pair !== undefined) return `${pair.local.type} to ${pair.remote.type}`;
    if (!this.#relayed) return agent.reason;
    const relays = this.#use.host.gatherer.relays.map(({ client }) => client.reason);
    return [agent.reason, ...relays].join(', ');
  }

  /** Of all pairs whose datagrams leave by the shared socket, which are those without a relay of our own. */
  get endpoint(): Uint8Array | undefined {
    const { pair } = this;
    return pair === undefined || pair.local.type === 'relay' ? undefined : pair.remote.endpoint;
  }

  open(now: number): void {
    this.#use.wanted(this, true);
    this.#use.signaling.open(now);
  }

  close(): void {
    this.#use.wanted(this, false);
  }

  send(bytes: Uint8Array, offset: number, length: number): boolean {
    const { pair } = this;
    if (pair === undefined) return false;
    const { host, clock } = this.#use;
    const { local, remote } = pair;
    return host.send(local.base, remote.endpoint, 0, bytes, offset, length, clock.monotonic());
  }

  flush(): void {}
  /** The agents of all peers are driven together. */
  advance(): void {}
  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** What comes from any remote end of its pairs, whichever of them the other side uses. */
  owns(endpoints: Uint8Array, at: number): boolean {
    for (const { local, remote, relayed } of this.#use.signaling.agent?.pairs ?? []) {
      if (relayed !== this.#relayed || local.type === 'relay') continue;
      if (sameEndpoint(remote.endpoint, 0, endpoints, at)) return true;
    }
    const { endpoint } = this;
    return endpoint !== undefined && sameEndpoint(endpoint, 0, endpoints, at);
  }

  /** Whether what came through the relay of this base from there belongs to this transport. */
  carries(base: number, from: Uint8Array, fromAt: number): boolean {
    const agent = this.#use.signaling.agent;
    if (agent === undefined || !this.#relayed) return false;
    for (const { local, remote } of agent.pairs) {
      if (local.base === base && sameEndpoint(remote.endpoint, 0, from, fromAt)) return true;
    }
    const { pair } = this;
    return pair?.local.base === base && sameEndpoint(pair.remote.endpoint, 0, from, fromAt);
  }
}
