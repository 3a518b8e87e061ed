/**
 * Finds the candidates of this gateway once for all agents (RFC 8445 section 5.1.1): host candidates from the addresses
 * it is told, server-reflexive ones from STUN and TURN servers, relayed ones from TURN servers.
 */

import { endpointFamily, FAMILY_IPV4, FAMILY_IPV6, FAMILY_NONE, sameEndpoint } from '../packet/endpoint.js';
import { candidatePriority, foundationOf, isUsableEndpoint, type LocalCandidate } from './candidate.js';
import {
  type GathererHandlers,
  type GathererOptions,
  isSameServer,
  type TurnServer,
} from './gather-options.js';
import type { LocalBase } from './local-base.js';
import { StunBinding } from './stun-binding.js';
import { TurnClient } from './turn-client.js';

/** A TURN server and what became of it. `id` names it for ever, its base only one allocation. */
interface Relay {
  readonly id: number;
  readonly server: TurnServer;
  readonly client: TurnClient;
  readonly localPreference: number;
  base: LocalBase | undefined;
}

export class Gatherer {
  readonly bases: LocalBase[] = [];
  readonly candidates: LocalCandidate[] = [];
  readonly #options: GathererOptions;
  readonly #handlers: GathererHandlers;
  /** Keeps foundations from telling addresses. */
  readonly #salt = new Uint8Array(8);
  readonly #bindings: StunBinding[] = [];
  readonly #relays: Relay[] = [];
  #nextId = 1;
  #running = false;
  #toldGathered = false;

  constructor(options: GathererOptions) {
    this.#options = options;
    this.#handlers = options.handlers;
    options.random(this.#salt);
  }

  get deadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const binding of this.#bindings) deadline = Math.min(deadline, binding.deadline);
    for (const relay of this.#relays) deadline = Math.min(deadline, relay.client.deadline);
    return deadline;
  }

  /** Whether every server has answered or been given up for now. */
  get gathered(): boolean {
    if (!this.#running) return false;
    for (const { state } of this.#bindings) if (state === 'asked') return false;
    for (const { client } of this.#relays) {
      if (client.state === 'connecting' || client.state === 'allocating') return false;
    }
    return true;
  }

  get bindings(): readonly StunBinding[] {
    return this.#bindings;
  }

  get relays(): readonly { readonly id: number; readonly server: TurnServer; readonly client: TurnClient }[] {
    return this.#relays;
  }

  /** The client of a relay by its own number. */
  relay(id: number): TurnClient | undefined {
    return this.#relays.find((relay) => relay.id === id)?.client;
  }

  relayOfBase(base: number): TurnClient | undefined {
    for (const relay of this.#relays) if (relay.base?.id === base) return relay.client;
    return undefined;
  }

  /** The client that talks to this server by datagrams. */
  relayAt(server: Uint8Array, at: number): TurnClient | undefined {
    for (const { server: settings, client } of this.#relays) {
      if (settings.transport === 'udp' && sameEndpoint(client.server, 0, server, at)) return client;
    }
    return undefined;
  }

  /** The base of the socket for this address family; 0 while there is none. */
  socketBase(family: number): number {
    for (const base of this.bases) {
      if (base.candidate.type === 'host' && endpointFamily(base.candidate.endpoint, 0) === family)
        return base.id;
    }
    return 0;
  }

  /**
   * The addresses that the shared socket is reached by, as endpoint records, the best first. An address family whose
   * first address has gone begins anew, with a new base.
   */
  setAddresses(endpoints: readonly Uint8Array[], now: number): void {
    const usable = endpoints
      .filter((one) => isUsableEndpoint(one, this.#options.loopback))
      .slice(0, this.#options.limits.addresses);
    for (const family of [FAMILY_IPV6, FAMILY_IPV4]) {
      const mine = usable.filter((one) => endpointFamily(one, 0) === family);
      const base = this.bases.find((one) => one.id === this.socketBase(family));
      const kept = base !== undefined && mine.some((one) => sameEndpoint(one, 0, base.candidate.endpoint, 0));
      if (base !== undefined && !kept) this.#dropBase(base, now);
      if (mine.length > 0) this.#hostCandidates(mine, usable, kept ? base : undefined, now);
      if (base !== undefined && !kept) this.#askAgain(family, now);
    }
    if (this.#running) this.#askNew(now);
  }

  /** Replaces the servers; relays whose server stays keep their allocation. */
  setServers(stun: readonly Uint8Array[], turn: readonly TurnServer[], now: number): void {
    const most = this.#options.limits.servers;
    for (const binding of this.#bindings.splice(0)) {
      if (stun.some((server) => sameEndpoint(server, 0, binding.server, 0))) this.#bindings.push(binding);
      else binding.stop();
    }
    for (const server of stun.slice(0, most)) {
      if (!this.#bindings.some((one) => sameEndpoint(one.server, 0, server, 0))) this.#addBinding(server);
    }
    for (const relay of this.#relays.splice(0)) {
      const same = turn.find((one) => isSameServer(one, relay.server));
      if (same === undefined) {
        if (relay.base !== undefined) this.#dropBase(relay.base, now);
        relay.client.stop(now);
        if (relay.server.transport !== 'udp') this.#options.streams.closeStream?.(relay.id);
        continue;
      }
      this.#relays.push(relay);
      if (same.username !== relay.server.username || same.password !== relay.server.password)
        relay.client.setCredentials(same.username, same.password, now);
    }
    turn.slice(0, most).forEach((server, i) => {
      if (!this.#relays.some((relay) => isSameServer(relay.server, server))) this.#addRelay(server, i);
    });
    if (this.#running) this.#askNew(now);
  }

  start(now: number): void {
    if (this.#running) return;
    this.#running = true;
    this.#toldGathered = false;
    this.#askNew(now);
  }

  /** Nobody needs candidates any more: allocations are given back. */
  stop(now: number): void {
    this.#running = false;
    for (const binding of this.#bindings) binding.stop();
    for (const relay of this.#relays) {
      relay.client.stop(now);
      if (relay.server.transport !== 'udp') this.#options.streams.closeStream?.(relay.id);
    }
    for (const base of [...this.bases]) if (base.candidate.type === 'relay') this.#dropBase(base, now);
    this.#dropCandidates((candidate) => candidate.type !== 'host');
  }

  /** The network has changed under us: every server is asked again. */
  networkChanged(now: number): void {
    if (!this.#running) return;
    this.#toldGathered = false;
    for (const family of [FAMILY_IPV4, FAMILY_IPV6]) this.#askAgain(family, now);
    for (const relay of this.#relays) if (relay.server.transport !== 'udp') relay.client.restart(now);
  }

  advance(now: number): void {
    for (const binding of this.#bindings) binding.advance(now);
    for (const { client } of this.#relays) if (client.deadline <= now) client.advance(now);
    this.#tellGathered(now);
  }

  // ---- inside ----

  #hostCandidates(
    mine: readonly Uint8Array[],
    all: readonly Uint8Array[],
    kept: LocalBase | undefined,
    now: number,
  ): void {
    const id = kept?.id ?? this.#nextId++;
    this.#dropCandidates(
      (one) =>
        one.type === 'host' && one.base === id && !mine.some((end) => sameEndpoint(end, 0, one.endpoint, 0)),
    );
    let base = kept;
    for (const endpoint of mine) {
      const known = this.candidates.some(
        (one) => one.type === 'host' && sameEndpoint(one.endpoint, 0, endpoint, 0),
      );
      if (known) continue;
      // RFC 8445 section 5.1.2.1: unique among host candidates; the order given is the order of preference.
      const localPreference = 65535 - all.indexOf(endpoint);
      const candidate = this.#make('host', id, endpoint, undefined, localPreference, undefined);
      if (base === undefined) {
        base = { id, localPreference, candidate };
        this.bases.push(base);
      }
      this.#found(candidate, now);
    }
  }

  #addBinding(server: Uint8Array): void {
    const { digests, transactions, limits } = this.#options;
    this.#bindings.push(
      new StunBinding(digests, transactions, server, limits.refresh, {
        send: (to, bytes, offset, length) => this.#handlers.send(to, bytes, offset, length),
        wanted: () => this.#handlers.searching(),
        changed: (binding, now) => {
          if (endpointFamily(binding.mapped, 0) !== FAMILY_NONE)
            this.#reflexive(binding.mapped, binding.server, now);
          this.#tellGathered(now);
        },
      }),
    );
  }

  #addRelay(server: TurnServer, index: number): void {
    const { digests, random, transactions, turn, streams } = this.#options;
    const id = this.#nextId++;
    const stream = server.transport !== 'udp';
    const client = new TurnClient({
      digests,
      random,
      transactions,
      server: server.endpoint,
      username: server.username,
      password: server.password,
      family: server.family,
      stream,
      limits: turn,
      handlers: {
        send: (to, bytes, offset, length, data) => {
          if (stream) streams.writeStream?.(id, bytes, offset, length, data);
          else this.#handlers.send(to, bytes, offset, length);
        },
        connect: (endpoint) => streams.openStream?.(id, server, endpoint),
        data: (peer, _peerAt, bytes, offset, length, now) => {
          if (relay.base !== undefined)
            this.#handlers.relayed(relay.base.id, peer, bytes, offset, length, now);
        },
        changed: (_client, now) => this.#relayChanged(relay, now),
      },
    });
    // A relay reached by datagrams goes before one behind a stream.
    const step = server.transport === 'udp' ? 0 : server.transport === 'tcp' ? 0x100 : 0x200;
    const relay: Relay = { id, server, client, localPreference: 0x8000 - step - index, base: undefined };
    this.#relays.push(relay);
  }

  #relayChanged(relay: Relay, now: number): void {
    const { client } = relay;
    if (relay.base !== undefined && client.state !== 'allocated') {
      const { base } = relay;
      relay.base = undefined;
      this.#dropBase(base, now);
    }
    if (client.state === 'allocated' && relay.base === undefined) {
      const id = this.#nextId++;
      const mapped = endpointFamily(client.mapped, 0) === FAMILY_NONE ? undefined : client.mapped;
      const candidate = this.#make('relay', id, client.relayed, mapped, relay.localPreference, client.server);
      relay.base = { id, localPreference: relay.localPreference, candidate };
      this.bases.push(relay.base);
      // RFC 8445 section 5.1.1.2: the server tells a reflexive address with the relayed one.
      if (mapped !== undefined && relay.server.transport === 'udp')
        this.#reflexive(mapped, client.server, now);
      this.#found(candidate, now);
    }
    this.#handlers.relayChanged(relay.id, client, now);
    this.#tellGathered(now);
  }

  #reflexive(mapped: Uint8Array, server: Uint8Array, now: number): void {
    const family = endpointFamily(mapped, 0);
    const base = this.bases.find((one) => one.id === this.socketBase(family));
    if (base === undefined || !isUsableEndpoint(mapped, this.#options.loopback)) return;
    // RFC 8445 section 5.1.3: the same address from the same base is redundant.
    const known = this.candidates.some(
      (one) => one.base === base.id && sameEndpoint(one.endpoint, 0, mapped, 0),
    );
    if (known) return;
    this.#found(
      this.#make('srflx', base.id, mapped, base.candidate.endpoint, base.localPreference, server),
      now,
    );
  }

  #make(
    type: 'host' | 'srflx' | 'relay',
    base: number,
    endpoint: Uint8Array,
    related: Uint8Array | undefined,
    localPreference: number,
    server: Uint8Array | undefined,
  ): LocalCandidate {
    return {
      type,
      base,
      foundation: foundationOf(type, type === 'srflx' ? related! : endpoint, server, this.#salt),
      priority: candidatePriority(type, localPreference),
      endpoint: endpoint.slice(),
      related: related?.slice(),
    };
  }

  #found(candidate: LocalCandidate, now: number): void {
    this.candidates.push(candidate);
    this.#handlers.candidate(candidate, now);
  }

  #dropBase(base: LocalBase, now: number): void {
    this.bases.splice(this.bases.indexOf(base), 1);
    this.#dropCandidates((candidate) => candidate.base === base.id);
    this.#handlers.gone(base.id, now);
  }

  #dropCandidates(which: (candidate: LocalCandidate) => boolean): void {
    for (let i = this.candidates.length - 1; i >= 0; i--) {
      if (which(this.candidates[i])) this.candidates.splice(i, 1);
    }
  }

  /** Servers that were never asked, where there is a socket to ask from. */
  #askNew(now: number): void {
    for (const binding of this.#bindings) {
      if (binding.state === 'idle' && this.socketBase(endpointFamily(binding.server, 0)) !== 0)
        binding.ask(now);
    }
    for (const { server, client } of this.#relays) {
      if (server.transport === 'udp' && this.socketBase(endpointFamily(server.endpoint, 0)) === 0) continue;
      client.start(now);
    }
    this.#tellGathered(now);
  }

  /** The socket of this family has another address now. */
  #askAgain(family: number, now: number): void {
    if (!this.#running) return;
    this.#toldGathered = false;
    const base = this.socketBase(family);
    this.#dropCandidates((candidate) => candidate.type === 'srflx' && candidate.base === base);
    for (const binding of this.#bindings) {
      if (endpointFamily(binding.server, 0) !== family) continue;
      binding.stop();
      if (this.socketBase(family) !== 0) binding.ask(now);
    }
    for (const { server, client } of this.#relays) {
      if (server.transport === 'udp' && endpointFamily(server.endpoint, 0) === family) client.restart(now);
    }
  }

  #tellGathered(now: number): void {
    if (this.#toldGathered || !this.gathered) return;
    this.#toldGathered = true;
    this.#handlers.gathered(now);
  }
}
