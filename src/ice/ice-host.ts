/**
 * What all agents of one gateway share: the sockets (with WireGuard on them), the candidates found once for all, the
 * requests in flight, and who gets which message.
 */

import { endpointFamily, sameEndpoint } from '../packet/endpoint.js';
import { DeadlineHeap } from '../wireguard/deadline-heap.js';
import type { LocalCandidate } from './candidate.js';
import {
  classifyDatagram,
  DATAGRAM_CHANNEL_DATA,
  DATAGRAM_STUN,
  DATAGRAM_UNKNOWN,
  DATAGRAM_WIREGUARD,
} from './demultiplex.js';
import { Gatherer } from './gatherer.js';
import { IceAgent } from './ice-agent.js';
import type { IceHandlers } from './ice-agent-options.js';
import type { IceHostHandlers, IceHostOptions } from './ice-host-options.js';
import { GATHER_LIMITS, ICE_LIMITS } from './ice-limits.js';
import type { LocalBase, LocalBases } from './local-base.js';
import { CLASS_INDICATION, CLASS_REQUEST, METHOD_BINDING, USERNAME } from './stun-constants.js';
import { checkFingerprint } from './stun-integrity.js';
import { STUN_TIMING, StunTransactions } from './stun-transactions.js';
import { StunView } from './stun-view.js';

export class IceHostCounters {
  /** STUN messages that nobody here had asked for or could be asked by. */
  strayStun = 0;
  /** Checks for user fragments that are not ours. */
  unknownUfrags = 0;
  /** Fingerprints that were missing or wrong. */
  badFingerprints = 0;
  /** Neither STUN nor WireGuard. */
  unknownDatagrams = 0;
}

export class IceHost implements LocalBases {
  readonly counters = new IceHostCounters();
  readonly gatherer: Gatherer;
  readonly #options: IceHostOptions;
  readonly #handlers: IceHostHandlers;
  readonly #transactions: StunTransactions;
  readonly #agents = new Set<IceAgent>();
  readonly #ufrags = new Map<string, IceAgent>();
  readonly #names = new Map<IceAgent, readonly string[]>();
  readonly #heap = new DeadlineHeap<IceAgent>();
  readonly #view = new StunView();

  constructor(options: IceHostOptions) {
    this.#options = options;
    this.#handlers = options.handlers;
    const limits = { ...ICE_LIMITS, ...options.limits };
    this.#transactions = new StunTransactions(options.random, {
      timing: { ...STUN_TIMING, rto: limits.rto, requests: limits.requests, lastWait: limits.lastWait },
      most: 4_096,
    });
    this.gatherer = new Gatherer({
      digests: options.digests,
      random: options.random,
      transactions: this.#transactions,
      limits: { ...GATHER_LIMITS, ...options.gather },
      turn: options.turn,
      loopback: limits.loopback,
      streams: options.handlers,
      handlers: {
        send: (to, bytes, offset, length) => this.#handlers.send(to, 0, bytes, offset, length),
        candidate: (candidate, now) => {
          for (const agent of this.#agents) agent.localCandidate(candidate, now);
        },
        gathered: (now) => {
          for (const agent of this.#agents) agent.localGathered(now);
        },
        searching: () => {
          for (const { state } of this.#agents) {
            if (state === 'waiting' || state === 'checking' || state === 'connected') return true;
          }
          return false;
        },
        gone: (base, now) => {
          for (const agent of this.#agents) agent.baseGone(base, now);
        },
        relayed: (base, from, bytes, offset, length, now) => {
          this.#relayed(base, from, bytes, offset, length, now);
        },
        relayChanged: (relay, client, now) => this.#handlers.relayChanged?.(relay, client, now),
      },
    });
  }

  get agents(): ReadonlySet<IceAgent> {
    return this.#agents;
  }

  /** Monotonic ms when `advance` is due; Infinity when nothing is. */
  get deadline(): number {
    return Math.min(this.#transactions.deadline, this.gatherer.deadline, this.#heap.earliest);
  }

  /** An agent for one more peer; gathering begins with the first. */
  addAgent(controlling: boolean, handlers: IceHandlers, now: number): IceAgent {
    const { digests, random, limits } = this.#options;
    const agent = new IceAgent({
      digests,
      random,
      limits,
      transactions: this.#transactions,
      bases: this,
      controlling,
      handlers,
    });
    this.#agents.add(agent);
    this.renamed(agent);
    this.gatherer.start(now);
    agent.start(now);
    return agent;
  }

  removeAgent(agent: IceAgent, now: number): void {
    agent.close(now);
    for (const ufrag of this.#names.get(agent) ?? []) this.#ufrags.delete(ufrag);
    this.#names.delete(agent);
    this.#heap.remove(agent);
    this.#agents.delete(agent);
    if (this.#agents.size === 0) this.gatherer.stop(now);
  }

  /**
   * A datagram from the shared socket. What it was (`demultiplex.ts`): `DATAGRAM_WIREGUARD` is for the caller to handle,
   * everything else has been dealt with.
   */
  receive(
    from: Uint8Array,
    fromAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): number {
    const kind = classifyDatagram(bytes, offset, length);
    if (kind === DATAGRAM_WIREGUARD) return kind;
    if (kind === DATAGRAM_UNKNOWN) this.counters.unknownDatagrams++;
    else if (kind === DATAGRAM_CHANNEL_DATA) {
      const relay = this.gatherer.relayAt(from, fromAt);
      if (relay === undefined || !relay.receive(bytes, offset, length, now)) this.counters.unknownDatagrams++;
    } else {
      const base = this.gatherer.socketBase(endpointFamily(from, fromAt));
      this.#stun(base, from, fromAt, bytes, offset, length, now);
    }
    return kind;
  }

  streamOpened(relay: number, now: number): void {
    this.gatherer.relay(relay)?.opened(now);
  }

  streamClosed(relay: number, now: number): void {
    this.gatherer.relay(relay)?.closed(now);
  }

  streamReceived(relay: number, bytes: Uint8Array, offset: number, length: number, now: number): void {
    this.gatherer.relay(relay)?.receiveStream(bytes, offset, length, now);
  }

  advance(now: number): void {
    this.#transactions.advance(now);
    this.gatherer.advance(now);
    for (let due = this.#heap.popDue(now); due !== undefined; due = this.#heap.popDue(now)) {
      if (due.deadline <= now) due.advance(now);
      else this.schedule(due);
    }
  }

  // ---- for the agents ----

  get bases(): readonly LocalBase[] {
    return this.gatherer.bases;
  }

  get candidates(): readonly LocalCandidate[] {
    return this.gatherer.candidates;
  }

  get gathered(): boolean {
    return this.gatherer.gathered;
  }

  send(
    base: number,
    to: Uint8Array,
    toAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): boolean {
    const relay = this.gatherer.relayOfBase(base);
    if (relay !== undefined) return relay.send(to, toAt, bytes, offset, length, now);
    if (this.gatherer.socketBase(endpointFamily(to, toAt)) !== base) return false;
    this.#handlers.send(to, toAt, bytes, offset, length);
    return true;
  }

  permit(base: number, remote: Uint8Array, channel: boolean, now: number): void {
    const relay = this.gatherer.relayOfBase(base);
    if (channel) relay?.bind(remote, 0, now);
    else relay?.permit(remote, 0, now);
  }

  /** Another agent may still want the same peer through the same relay. */
  release(base: number, remote: Uint8Array): void {
    const relay = this.gatherer.relayOfBase(base);
    if (relay === undefined) return;
    for (const agent of this.#agents) {
      for (const pair of agent.pairs) {
        const wanted = pair.state !== 'failed' && pair.local.base === base;
        if (wanted && sameEndpoint(pair.remote.endpoint, 0, remote, 0)) return;
      }
      const { selected } = agent;
      if (selected?.local.base === base && sameEndpoint(selected.remote.endpoint, 0, remote, 0)) return;
    }
    relay.release(remote, 0);
  }

  suspect(base: number, now: number): void {
    this.gatherer.relayOfBase(base)?.verify(now);
  }

  schedule(agent: IceAgent): void {
    const { deadline } = agent;
    if (deadline !== Number.POSITIVE_INFINITY) this.#heap.schedule(agent, deadline);
  }

  renamed(agent: IceAgent): void {
    for (const ufrag of this.#names.get(agent) ?? []) this.#ufrags.delete(ufrag);
    const names = agent.ufrags;
    this.#names.set(agent, names);
    for (const ufrag of names) this.#ufrags.set(ufrag, agent);
  }

  // ---- inside ----

  #relayed(
    base: number,
    from: Uint8Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): void {
    const kind = classifyDatagram(bytes, offset, length);
    if (kind === DATAGRAM_STUN) this.#stun(base, from, 0, bytes, offset, length, now);
    else if (kind === DATAGRAM_WIREGUARD) this.#handlers.relayed(base, from, 0, bytes, offset, length, now);
    else this.counters.unknownDatagrams++;
  }

  #stun(
    base: number,
    from: Uint8Array,
    fromAt: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: number,
  ): void {
    const view = this.#view;
    if (!view.at(bytes, offset, length)) this.counters.strayStun++;
    else if (view.class === CLASS_REQUEST) this.#request(base, from, fromAt, now);
    else if (view.class === CLASS_INDICATION) {
      // RFC 8445 section 11: a Binding indication only keeps mappings alive.
      if (view.method === METHOD_BINDING) return;
      const relay = this.gatherer.relayAt(from, fromAt);
      if (!relay?.receive(bytes, offset, length, now)) this.counters.strayStun++;
    } else if (!this.#transactions.receive(view, from, fromAt, base, now)) this.counters.strayStun++;
  }

  #request(base: number, from: Uint8Array, fromAt: number, now: number): void {
    const view = this.#view;
    if (view.method !== METHOD_BINDING || !view.find(USERNAME)) {
      this.counters.strayStun++;
      return;
    }
    const agent = this.#ufrags.get(fragmentOf(view));
    if (agent === undefined) this.counters.unknownUfrags++;
    // RFC 8445 section 7.1.2 and RFC 8489 section 7: checks have one, and it is right.
    else if (checkFingerprint(view) !== 'right') this.counters.badFingerprints++;
    else agent.receiveRequest(view, base, from, fromAt, now);
  }
}

/** The part of the user name before the colon; empty when there is none. */
function fragmentOf(view: StunView): string {
  let text = '';
  const most = Math.min(view.valueLength, 257);
  for (let i = 0; i < most; i++) {
    const code = view.bytes[view.value + i];
    if (code === 0x3a) return text;
    text += String.fromCharCode(code);
  }
  return '';
}
