/**
 * The path of one peer: several transports under one WireGuard session, of which the best that works carries the
 * datagrams. Decisions only, no I/O: the host calls `advance` by deadline, `send` for what is addressed to the path, and
 * the peer tells where authenticated messages came from. Nothing else makes a transport alive: neither a connection that
 * stands nor a datagram that was not authenticated.
 *
 * The parts: `Race` finds the first that works, `Watch` notices when it does not any more, `Climb` finds a better one,
 * `Standby` keeps the next best ready.
 */

import { ENDPOINT_BYTES, sameEndpoint, writeVirtualEndpoint } from '../packet/endpoint.js';
import { INITIATION_BYTES, messageType, TYPE_INITIATION } from '../wireguard/messages.js';
import type { Peer } from '../wireguard/peer.js';
import { PROBE_ASKS } from '../wireguard/probe.js';
import type { Roaming } from '../wireguard/roaming.js';
import { Climb } from './climb.js';
import { Journal, type PathReason } from './journal.js';
import type { NegativeCache } from './negative-cache.js';
import type { PathCore, PathSetup } from './path-core.js';
import type { PathOptions } from './path-options.js';
import { PROBE_COST, ProbeBudget, STREAM_PROBE_COST } from './probe-budget.js';
import { Race } from './race.js';
import { Slot } from './slot.js';
import { Standby } from './standby.js';
import { UdpTransport } from './udp-transport.js';
import { Watch } from './watch.js';

/** In the place of a transport: "whatever the path has chosen". */
export const ANY_SLOT = 0xffff;
/** How often a path looks after itself while there is traffic, and while there is none; ms. */
const TICK = 50;
const IDLE_TICK = 250;
/** Without traffic for so long nothing is probed any more: WireGuard's Reject-After-Time (section 6.1), ms. */
const ASLEEP = 180_000;

export class PeerPath implements Roaming, PathCore {
  readonly id: number;
  readonly peer: Peer;
  readonly options: PathOptions;
  readonly negative: NegativeCache;
  readonly slots: readonly Slot[];
  readonly journal: Journal;
  readonly budget: ProbeBudget;
  active: Slot | undefined;
  activeSince = -Infinity;
  lastChange = -Infinity;
  companion: Slot | undefined;
  overlapUntil = -Infinity;
  probesAnswered: boolean | undefined;
  network: string;
  /** Datagrams that no transport took. */
  dropped = 0;
  readonly #setup: PathSetup;
  readonly #record = new Uint8Array(ENDPOINT_BYTES);
  readonly #udp: UdpTransport | undefined;
  readonly #race: Race;
  readonly #watch: Watch;
  readonly #climb: Climb;
  readonly #standby: Standby;
  #nextProbeId = 1;
  #started = false;
  /** The last initiation: sent again through each transport that opens before it is answered. */
  readonly #initiation = new Uint8Array(INITIATION_BYTES);
  #hasInitiation = false;
  #due = Infinity;

  constructor(setup: PathSetup, network: string) {
    this.#setup = setup;
    this.id = setup.id;
    this.peer = setup.peer;
    this.options = setup.options;
    this.negative = setup.negative;
    this.network = network;
    this.journal = new Journal(setup.options.journal);
    this.budget = new ProbeBudget(setup.options.dailyBudget, setup.clock.monotonic());
    writeVirtualEndpoint(this.#record, 0, setup.id, ANY_SLOT);
    this.slots = setup.transports.map(({ transport, place }, index) => {
      const slot = new Slot(transport, index, place, setup.id, setup.options);
      transport.events = {
        changed: () => this.#changed(slot),
        received: (bytes, offset, length) => setup.deliver(bytes, offset, length, slot.record),
        delivered: () => setup.delivered(),
      };
      return slot;
    });
    const udp = setup.transports.find(({ transport }) => transport instanceof UdpTransport)?.transport;
    this.#udp = udp instanceof UdpTransport ? udp : undefined;
    this.#race = new Race(this);
    this.#watch = new Watch(this);
    this.#climb = new Climb(this);
    this.#standby = new Standby(this);
  }

  get suspected(): boolean {
    return this.#watch.suspected;
  }

  get lastTraffic(): number {
    return this.#watch.lastTraffic;
  }

  /** Takes over where the peer's datagrams go. */
  start(): void {
    const { peer } = this;
    if (peer.hasEndpoint) this.#udp?.configure(peer.endpoint, 0);
    this.#started = true;
    this.race(this.#now(), 'race-started');
    peer.roaming = this;
    peer.pointTo(this.#record, 0);
  }

  /** Closes every transport; the peer goes on by plain roaming. */
  stop(): void {
    this.#started = false;
    for (const { transport } of this.slots) {
      transport.events = undefined;
      transport.close();
    }
    if (this.peer.roaming === this) this.peer.roaming = undefined;
    const endpoint = this.#udp?.endpoint;
    if (endpoint) this.peer.pointTo(endpoint, 0);
  }

  // ---- what the pump calls ----

  /** Sends a datagram that is addressed to this path, or to one of its transports (`slot`). */
  send(bytes: Uint8Array, offset: number, length: number, slot: number): void {
    if (slot !== ANY_SLOT) {
      const one = this.slots[slot];
      if (one) this.#sendOn(one, bytes, offset, length);
      return;
    }
    if (messageType(bytes, offset, length) === TYPE_INITIATION) this.#keepInitiation(bytes, offset);
    const { active } = this;
    if (!active) {
      for (const each of this.slots) if (each.racing && each.open) this.#sendOn(each, bytes, offset, length);
      return;
    }
    this.#sendOn(active, bytes, offset, length);
    if (this.companion?.open) this.#sendOn(this.companion, bytes, offset, length);
  }

  /** After a batch. */
  flush(): void {
    for (const { transport } of this.slots) if (transport.endpoint === undefined) transport.flush();
  }

  nextDeadline(): number {
    return this.#due;
  }

  /** Looks after everything that is due. */
  advance(): void {
    if (!this.#started) return;
    const now = this.#now();
    for (const { transport } of this.slots) if (transport.nextDeadline() <= now) transport.advance(now);
    this.#watch.observe(now);
    if (!this.active) this.#race.advance(now);
    else {
      this.#watch.advance(now, this.active);
      if (this.active) this.#climb.advance(now, this.active);
      if (this.active) this.#standby.advance(now, this.active);
    }
    this.#point();
    this.flush();
    this.#schedule(now);
  }

  /** Addresses or uplinks of this host changed; `network` names the network it is in now. */
  networkChanged(network: string, first: boolean): void {
    const now = this.#now();
    this.network = network;
    // The host has only just learned where it is.
    if (first) return;
    this.note(now, 'network-changed');
    this.#race.won();
    for (const slot of this.slots) {
      slot.forgive(now);
      // Connections of the old address are most likely dead; the active one is asked first.
      if (slot !== this.active && slot.transport.endpoint === undefined) slot.transport.close();
    }
    if (!this.active) this.race(now, 'race-started');
    else {
      this.probe(this.active, now);
      this.#watch.suspect(now, this.active);
    }
    this.#wake(now);
  }

  // ---- what the peer calls ----

  received(endpoints: Uint8Array, at: number): void {
    const slot = this.#slotOf(endpoints, at);
    if (!slot) return;
    const now = this.#now();
    slot.lastReceived = now;
    if (slot.transport === this.#udp) this.#followUdp(endpoints, at, slot);
    if (this.active) return;
    this.note(now, 'first-that-works', slot, { after: Math.round(now - this.#race.since) });
    this.#take(now, slot, 'first-that-works');
  }

  configured(endpoints: Uint8Array, at: number): void {
    const udp = this.#udp;
    if (!udp) return;
    const now = this.#now();
    udp.configure(endpoints, at);
    const slot = this.slots.find(({ transport }) => transport === udp)!;
    this.note(now, 'endpoint-configured', slot);
    slot.forgive(now);
    this.#point();
    this.#wake(now);
  }

  answered(id: number, endpoints: Uint8Array, at: number): void {
    const slot = this.#slotOf(endpoints, at);
    if (!slot || slot.probe !== id) return;
    const now = this.#now();
    slot.answered(now);
    this.#watch.answered();
    this.probesAnswered = true;
    this.#wake(now);
  }

  // ---- what its parts call ----

  awake(now: number): boolean {
    return this.peer.persistentKeepalive > 0 || now - this.lastTraffic < ASLEEP;
  }

  note(now: number, reason: PathReason, slot?: Slot, numbers: Record<string, number> = {}): void {
    const transport = slot?.transport.name ?? '';
    if (!this.journal.note(now, reason, transport, numbers)) return;
    const { log, label: peer } = this.#setup;
    log?.write('debug', 'path-decision', { peer, reason, transport, ...numbers });
  }

  probe(slot: Slot, now: number): boolean {
    const id = this.#nextProbeId;
    if (!slot.open || !this.peer.sendProbe(PROBE_ASKS, id, slot.address, 0)) return false;
    this.#nextProbeId = id === 0xffff_ffff ? 1 : id + 1;
    slot.asked(id, now);
    return true;
  }

  mayProbe(slot: Slot, now: number): boolean {
    const cost = slot.transport.endpoint === undefined ? STREAM_PROBE_COST : PROBE_COST;
    if (this.budget.take(cost, now)) return true;
    this.note(now, 'budget-used-up', slot);
    return false;
  }

  bestOther(active: Slot): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.slots) {
      if (slot === active || !slot.open) continue;
      // A silent UDP address is no standby: it takes everything and says nothing.
      if (slot.transport.endpoint !== undefined && slot.answers === 0) continue;
      if (!best || slot.score > best.score) best = slot;
    }
    return best;
  }

  resendInitiation(slot: Slot): void {
    if (!this.#hasInitiation || this.peer.state === 'established') return;
    this.#sendOn(slot, this.#initiation, 0, INITIATION_BYTES);
    slot.transport.flush();
  }

  race(now: number, reason: PathReason): void {
    this.note(now, reason, undefined, { transports: this.slots.length });
    this.active = this.companion = undefined;
    this.#watch.reset();
    this.#udp?.forget();
    this.#race.begin(now);
    this.#point();
    this.#wake(now);
  }

  change(now: number, to: Slot, from: Slot, numbers: Record<string, number>): void {
    this.note(now, 'better-path', to, numbers);
    this.companion = from;
    this.overlapUntil = now + this.options.overlap;
    this.lastChange = now;
    this.#take(now, to, 'better-path');
  }

  leave(now: number, active: Slot, reason: PathReason): void {
    active.failed(now);
    if (active.transport === this.#udp) this.#udp.forget();
    else if (reason === 'active-silent' && active.transport.endpoint === undefined) active.transport.close();
    const next = this.companion?.open ? this.companion : this.bestOther(active);
    this.note(now, reason, active, { silent: Math.round(now - active.lastReceived) });
    this.companion = undefined;
    if (!next) {
      this.race(now, 'all-silent');
      return;
    }
    this.lastChange = now;
    this.#take(now, next, reason);
  }

  #take(now: number, slot: Slot, reason: PathReason): void {
    this.active = slot;
    this.activeSince = now;
    this.#watch.reset();
    this.#race.won();
    this.#hasInitiation = false;
    for (const other of this.slots) if (other !== slot && other.nextTry < now) other.nextTry = now;
    const { kind, name } = slot.transport;
    this.#setup.log?.write('info', 'path', { peer: this.#setup.label, transport: kind, name, reason });
    this.#point();
    this.#wake(now);
  }

  #changed(slot: Slot): void {
    const now = this.#now();
    const { state, name, retryAfter } = slot.transport;
    if (state === 'open') {
      this.negative.worked(this.network, name);
      this.note(now, 'transport-opened', slot);
      slot.nextTry = now;
      if (slot.racing || this.suspected) this.resendInitiation(slot);
    } else if (state === 'failed') {
      this.note(now, 'transport-failed', slot, { retryAfter });
      if (slot === this.active) this.leave(now, slot, 'active-closed');
      else {
        if (slot === this.companion) this.companion = undefined;
        if (this.active) this.negative.failed(this.network, name, now);
        slot.answers = 0;
      }
    }
    this.#point();
    this.#wake(now);
  }

  #sendOn(slot: Slot, bytes: Uint8Array, offset: number, length: number): void {
    const { endpoint } = slot.transport;
    if (endpoint) this.#setup.sendUdp(bytes, offset, length, endpoint, 0);
    else if (!slot.transport.send(bytes, offset, length)) this.dropped++;
  }

  #keepInitiation(bytes: Uint8Array, offset: number): void {
    for (let i = 0; i < INITIATION_BYTES; i++) this.#initiation[i] = bytes[offset + i];
    this.#hasInitiation = true;
  }

  #followUdp(endpoints: Uint8Array, at: number, slot: Slot): void {
    const current = this.#udp?.endpoint;
    if (current && sameEndpoint(current, 0, endpoints, at)) return;
    this.#udp?.follow(endpoints, at);
    if (slot === this.active) this.#point();
  }

  #slotOf(endpoints: Uint8Array, at: number): Slot | undefined {
    for (const slot of this.slots) {
      if (sameEndpoint(slot.record, 0, endpoints, at)) return slot;
      const { endpoint } = slot.transport;
      if (endpoint && sameEndpoint(endpoint, 0, endpoints, at)) return slot;
    }
    // Plain UDP takes what nobody else knows.
    const owners = this.slots.filter(({ transport }) => transport.owns?.(endpoints, at));
    return owners.find(({ transport }) => transport !== this.#udp) ?? owners[0];
  }

  /** One plain address when it is as simple as that, so that the fast ways of the host are not left. */
  #point(): void {
    if (!this.#started) return;
    const { active, peer } = this;
    const endpoint = active?.transport.endpoint;
    const plain = endpoint !== undefined && !this.companion && peer.state === 'established';
    const record = plain ? endpoint : this.#record;
    if (!sameEndpoint(peer.endpoint, 0, record, 0)) peer.pointTo(record, 0);
  }

  #schedule(now: number): void {
    const busy = !this.active || this.suspected || this.companion !== undefined;
    const traffic = now - this.lastTraffic < this.options.silence * 4;
    const asking = this.slots.some(({ probe }) => probe !== 0);
    let due = now + (busy || traffic || asking ? TICK : IDLE_TICK);
    for (const { transport } of this.slots) due = Math.min(due, transport.nextDeadline());
    this.#due = due;
  }

  #wake(now: number): void {
    if (this.#due <= now) return;
    this.#due = now;
    this.#setup.onDeadline();
  }

  #now(): number {
    return this.#setup.clock.monotonic();
  }
}
