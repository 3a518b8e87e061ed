/**
 * The path of one peer: several transports under one WireGuard session, of which the best that works carries the
 * datagrams. Decisions only, no I/O: the host calls `advance` by deadline, `send` for what is addressed to the path, and
 * the peer tells where authenticated messages came from. Nothing else makes a transport alive: neither a connection that
 * stands nor a datagram that was not authenticated.
 *
 * - Race: until something authenticated came, all that is sent goes through every transport that is open; they are
 *   opened one after the other. The first that works is taken.
 * - Watch: what was sent and not answered makes the active transport suspect. A probe asks; while it is not answered
 *   everything goes through the next best as well; the first of the two that answers has it.
 * - Climb: better transports are probed, more and more seldom, and taken when they have proven themselves.
 */

import { ENDPOINT_BYTES, sameEndpoint, writeVirtualEndpoint } from '../packet/endpoint.js';
import type { Clock, Log } from '../ports.js';
import { INITIATION_BYTES, messageType, TYPE_INITIATION } from '../wireguard/messages.js';
import type { Peer } from '../wireguard/peer.js';
import { PROBE_ASKS } from '../wireguard/probe.js';
import type { Roaming } from '../wireguard/roaming.js';
import { refusal } from './damping.js';
import { Journal, type PathReason } from './journal.js';
import type { NegativeCache } from './negative-cache.js';
import type { PathOptions } from './path-options.js';
import { PROBE_COST, ProbeBudget, STREAM_PROBE_COST } from './probe-budget.js';
import { Slot } from './slot.js';
import type { Transport } from './transport.js';
import { UdpTransport } from './udp-transport.js';

/** In the place of a transport: "whatever the path has chosen". */
export const ANY_SLOT = 0xffff;
/** How often a path looks after itself while there is traffic, and while there is none; ms. */
const TICK = 50;
const IDLE_TICK = 250;
/** A peer that answers no probe is of another make: WireGuard promises a sign of life only after 10 s (section 6.5). */
const SILENCE_WITHOUT_PROBES = 12_000;
/** Probes in vain, while authenticated messages come, after which a peer counts as of another make. */
const VAIN_PROBES = 4;
/** Neither the active transport nor another one answered for so long: everything is tried again, ms. */
const ALL_SILENT = 4_000;
/** Between probes of a transport that is about to prove itself, and of one that must show stability; ms. */
const PROOF_INTERVAL = 100;
const STABILITY_INTERVAL = 1_000;
/** Without traffic for so long nothing is probed any more: WireGuard's Reject-After-Time (section 6.1), ms. */
const ASLEEP = 180_000;
/** How long a transport stays open that nobody needs, ms. */
const UNNEEDED = 30_000;

export interface PathSetup {
  /** Names the path in endpoint records. */
  readonly id: number;
  readonly peer: Peer;
  /** In the order in which a race opens them; `place` is the transport's in the decision table. */
  readonly transports: readonly { readonly transport: Transport; readonly place: number }[];
  readonly options: PathOptions;
  readonly clock: Clock;
  readonly negative: NegativeCache;
  /** Sends from the gateway's own UDP socket. */
  readonly sendUdp: (
    bytes: Uint8Array,
    offset: number,
    length: number,
    endpoints: Uint8Array,
    at: number,
  ) => void;
  /** A datagram came through a transport; `record` names it. */
  readonly deliver: (bytes: Uint8Array, offset: number, length: number, record: Uint8Array) => void;
  /** What came together was handed over. */
  readonly delivered: () => void;
  /** `nextDeadline` moved nearer. */
  readonly onDeadline: () => void;
  readonly log?: Log | undefined;
  /** For logs: the peer, shortened. */
  readonly label: string;
}

export class PeerPath implements Roaming {
  readonly id: number;
  readonly peer: Peer;
  readonly options: PathOptions;
  readonly slots: readonly Slot[];
  readonly journal: Journal;
  readonly budget: ProbeBudget;
  /** The one in use; undefined during a race. */
  active: Slot | undefined;
  activeSince = -Infinity;
  /** -Infinity until the first transport was replaced by another. */
  lastChange = -Infinity;
  /** Datagrams that no transport took. */
  dropped = 0;
  /** Whether the peer answers probes; undefined while nobody knows. */
  probesAnswered: boolean | undefined;
  readonly #setup: PathSetup;
  readonly #record = new Uint8Array(ENDPOINT_BYTES);
  readonly #udp: UdpTransport | undefined;
  /** Carries everything, too. */
  #companion: Slot | undefined;
  #overlapUntil = -Infinity;
  #suspectedAt = Infinity;
  /** Since when something sent waits for a sign of life; Infinity when nothing does. */
  #waitingSince = Infinity;
  #lastTraffic = -Infinity;
  #sentSeen = 0;
  #dataSeen = 0;
  #vain = 0;
  #raceSince = Infinity;
  #retryPause: number;
  #network: string;
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
    this.#network = network;
    this.#retryPause = setup.options.retryFirst;
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
  }

  get network(): string {
    return this.#network;
  }

  get companion(): Slot | undefined {
    return this.#companion;
  }

  get suspected(): boolean {
    return this.#suspectedAt !== Infinity;
  }

  /** Takes over where the peer's datagrams go. */
  start(): void {
    const { peer } = this;
    if (peer.hasEndpoint) this.#udp?.configure(peer.endpoint, 0);
    this.#started = true;
    this.#race(this.#now(), 'race-started');
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
    if (this.#companion?.open) this.#sendOn(this.#companion, bytes, offset, length);
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
    this.#observe(now);
    if (!this.active) this.#openForRace(now);
    else {
      this.#watch(now, this.active);
      if (this.active) this.#climb(now, this.active);
      if (this.active) this.#keepStandby(now, this.active);
    }
    this.#point();
    this.flush();
    this.#schedule(now);
  }

  /** Addresses or uplinks of this host changed; `network` names the network it is in now. */
  networkChanged(network: string, first: boolean): void {
    const now = this.#now();
    this.#network = network;
    // The host has only just learned where it is.
    if (first) return;
    this.#note(now, 'network-changed', undefined);
    this.#retryPause = this.options.retryFirst;
    for (const slot of this.slots) {
      slot.forgive(now);
      // Connections of the old address are most likely dead; the active one is asked first.
      if (slot !== this.active && slot.transport.endpoint === undefined) slot.transport.close();
    }
    if (!this.active) this.#race(now, 'race-started');
    else {
      this.#probe(this.active, now);
      this.#suspect(now, this.active);
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
    if (!this.active) this.#take(now, slot, 'first-that-works');
  }

  configured(endpoints: Uint8Array, at: number): void {
    const udp = this.#udp;
    if (!udp) return;
    const now = this.#now();
    udp.configure(endpoints, at);
    this.#note(now, 'endpoint-configured', this.#slotOf(endpoints, at));
    const slot = this.slots.find(({ transport }) => transport === udp)!;
    slot.forgive(now);
    this.#point();
    this.#wake(now);
  }

  answered(id: number, endpoints: Uint8Array, at: number): void {
    const slot = this.#slotOf(endpoints, at);
    if (!slot || slot.probe !== id) return;
    const now = this.#now();
    slot.answered(now);
    this.#vain = 0;
    this.probesAnswered = true;
    this.#wake(now);
  }

  // ---- race ----

  #race(now: number, reason: PathReason): void {
    this.#note(now, reason, undefined, { transports: this.slots.length });
    this.active = this.#companion = undefined;
    this.#suspectedAt = this.#waitingSince = Infinity;
    this.#raceSince = now;
    this.slots.forEach((slot, i) => {
      slot.nextTry = now + i * this.options.stagger;
      slot.racing = false;
    });
    this.#point();
    this.#wake(now);
  }

  #openForRace(now: number): void {
    for (const slot of this.slots) {
      const { state } = slot.transport;
      if (now < slot.nextTry) continue;
      const joins = !slot.racing;
      slot.racing = true;
      if (joins && state === 'open') this.#resendInitiation(slot);
      if (state === 'open' || state === 'opening') continue;
      // Nothing else works: also what failed here before is tried, after the others.
      const negative = this.#setup.negative.until(this.#network, slot.transport.name, now);
      const others = this.slots.some((other) => other !== slot && other.transport.state === 'opening');
      if (negative > 0 && others) continue;
      slot.nextTry = now + Math.max(this.#retryPause, slot.transport.retryAfter);
      slot.transport.open(now);
    }
    if (now - this.#raceSince > this.#retryPause) {
      this.#raceSince = now;
      this.#retryPause = Math.min(this.options.retryMost, this.#retryPause * 2);
    }
  }

  #changed(slot: Slot): void {
    const now = this.#now();
    const { state, name, retryAfter } = slot.transport;
    if (state === 'open') {
      this.#setup.negative.worked(this.#network, name);
      this.#note(now, 'transport-opened', slot);
      slot.nextTry = now;
      if (slot.racing || this.suspected) this.#resendInitiation(slot);
    } else if (state === 'failed') {
      this.#note(now, 'transport-failed', slot, { retryAfter });
      if (slot === this.active) this.#leave(now, slot, 'active-closed');
      else {
        if (slot === this.#companion) this.#companion = undefined;
        if (this.active) this.#setup.negative.failed(this.#network, name, now);
        slot.answers = 0;
      }
    }
    this.#point();
    this.#wake(now);
  }

  // ---- the active transport ----

  /** What was sent and received since the last look. Probes wait for nothing, and keepalives are no traffic. */
  #observe(now: number): void {
    const { peer, active } = this;
    const sent = peer.txBytes - peer.probeBytesSent;
    if (active && active.lastReceived >= this.#waitingSince) this.#waitingSince = Infinity;
    if (sent !== this.#sentSeen && this.#waitingSince === Infinity) this.#waitingSince = now;
    if (peer.dataMessages !== this.#dataSeen) this.#lastTraffic = now;
    this.#sentSeen = sent;
    this.#dataSeen = peer.dataMessages;
  }

  #watch(now: number, active: Slot): void {
    if (this.#companion && !this.suspected && now >= this.#overlapUntil) this.#companion = undefined;
    if (active.overdue(now)) this.#missed(now, active);
    for (const slot of this.slots) if (slot !== active) slot.overdue(now);
    if (this.suspected) {
      this.#judge(now, active);
      return;
    }
    const slow = 1.5 * (active.roundTrip ?? 0) + 50;
    const silence = this.probesAnswered ? Math.max(this.options.silence, slow) : SILENCE_WITHOUT_PROBES;
    const asleep = this.#waitingSince;
    if (now - asleep >= silence && now - active.lastReceived >= silence && active.probe === 0) {
      // Without a session there is nothing to ask with, and an initiation was not answered.
      if (!this.probesAnswered || !this.#probe(active, now)) this.#suspect(now, active);
    }
    const busy = now - this.#lastTraffic < this.options.activeFor;
    const interval = busy ? this.options.heartbeat : this.options.idleHeartbeat;
    if (this.probesAnswered === false || active.probe !== 0 || !this.#awake(now)) return;
    if (now - Math.max(active.lastReceived, active.probeSent) >= interval) this.#probe(active, now);
    // The round trip, and whether the peer knows probes, are asked for as soon as there is a session.
    else if (active.roundTrip === undefined && now - active.probeSent >= STABILITY_INTERVAL)
      this.#probe(active, now);
  }

  /** A session that nobody uses is left to end, as WireGuard does; a persistent keepalive asks for more. */
  #awake(now: number): boolean {
    return this.peer.persistentKeepalive > 0 || now - this.#lastTraffic < ASLEEP;
  }

  /** An answer of the active transport is overdue. */
  #missed(now: number, active: Slot): void {
    if (this.probesAnswered) this.#suspect(now, active);
    else if (this.probesAnswered === undefined && active.lastReceived > active.probeSent) {
      if (++this.#vain >= VAIN_PROBES) this.probesAnswered = false;
    }
  }

  #suspect(now: number, active: Slot): void {
    if (this.suspected) return;
    this.#suspectedAt = now;
    this.#note(now, 'active-suspected', active, { silent: Math.round(now - active.lastReceived) });
    this.#accompany(now, active);
  }

  /** Everything goes through the next best transport as well, once one is open. */
  #accompany(now: number, active: Slot): void {
    if (this.#companion?.open && this.#companion !== active) return;
    this.#companion = this.#bestOther(active);
    if (this.#companion) {
      this.#probe(this.#companion, now);
      this.#resendInitiation(this.#companion);
      return;
    }
    for (const slot of this.slots) {
      const { state } = slot.transport;
      if (slot !== active && state !== 'open' && state !== 'opening') slot.transport.open(now);
    }
  }

  #judge(now: number, active: Slot): void {
    if (active.lastReceived > this.#suspectedAt) {
      this.#note(now, 'active-answered', active, {
        after: Math.round(active.lastReceived - this.#suspectedAt),
      });
      this.#suspectedAt = this.#waitingSince = Infinity;
      this.#companion = undefined;
      return;
    }
    this.#accompany(now, active);
    const companion = this.#companion;
    const waited = now - this.#suspectedAt;
    if (companion && companion.lastReceived > this.#suspectedAt && waited >= active.patience / 2) {
      this.#leave(now, active, 'active-silent');
      return;
    }
    if (waited >= ALL_SILENT) {
      active.failed(now);
      this.#udp?.forget();
      this.#race(now, 'all-silent');
      return;
    }
    if (active.probe === 0) this.#probe(active, now);
    if (companion && companion.probe === 0) this.#probe(companion, now);
  }

  /** The active transport is of no use any more: the best other one takes over at once. */
  #leave(now: number, active: Slot, reason: PathReason): void {
    active.failed(now);
    if (active.transport === this.#udp) this.#udp.forget();
    else if (reason === 'active-silent' && active.transport.endpoint === undefined) active.transport.close();
    const next = this.#companion?.open ? this.#companion : this.#bestOther(active);
    this.#note(now, reason, active, { silent: Math.round(now - active.lastReceived) });
    this.#companion = undefined;
    this.#suspectedAt = this.#waitingSince = Infinity;
    if (!next) {
      this.#race(now, 'all-silent');
      return;
    }
    this.lastChange = now;
    this.#take(now, next, reason);
  }

  #take(now: number, slot: Slot, reason: PathReason): void {
    this.active = slot;
    this.activeSince = now;
    this.#suspectedAt = this.#waitingSince = Infinity;
    this.#hasInitiation = false;
    this.#retryPause = this.options.retryFirst;
    for (const other of this.slots) if (other !== slot && other.nextTry < now) other.nextTry = now;
    if (reason === 'first-that-works')
      this.#note(now, reason, slot, { after: Math.round(now - this.#raceSince) });
    const { kind, name } = slot.transport;
    this.#setup.log?.write('info', 'path', { peer: this.#setup.label, transport: kind, name, reason });
    this.#point();
    this.#wake(now);
  }

  // ---- better ones ----

  #climb(now: number, active: Slot): void {
    if (this.suspected || this.peer.state !== 'established' || !this.#awake(now)) return;
    for (const slot of this.slots) {
      if (slot === active || slot.place > active.place) continue;
      if (slot.place === active.place && slot.transport.kind === active.transport.kind) continue;
      this.#court(now, slot, active);
      if (this.active !== active) return;
    }
  }

  /** Opens, probes and at last takes a transport that may be better. */
  #court(now: number, slot: Slot, active: Slot): void {
    const { state, name } = slot.transport;
    if (state === 'opening' || slot.probe !== 0) return;
    if (state !== 'open') {
      if (now < slot.nextTry) return;
      if (this.#setup.negative.until(this.#network, name, now) > 0) {
        this.#note(now, 'skipped-in-this-network', slot);
        slot.postpone(now);
      } else if (this.#mayProbe(slot, now)) {
        slot.postpone(now);
        slot.transport.open(now);
      }
      return;
    }
    if (this.probesAnswered === false) {
      this.#courtSilently(now, slot, active);
      return;
    }
    if (slot.answers === 0) {
      if (now < slot.nextTry || !this.#mayProbe(slot, now)) return;
      this.#note(now, 'returns-to-probe', slot, { failures: slot.failures });
      slot.postpone(now);
      this.#probe(slot, now);
      return;
    }
    const waits = slot.proven ? refusal(this.#situation(slot, active, now), this.options) : undefined;
    if (slot.proven && waits === undefined) {
      this.#change(now, slot, active);
      return;
    }
    if (waits)
      this.#note(now, waits, slot, { score: Math.round(slot.score), active: Math.round(active.score) });
    const interval = slot.proven ? STABILITY_INTERVAL : PROOF_INTERVAL;
    if (now - slot.probeSent >= interval && this.#mayProbe(slot, now)) this.#probe(slot, now);
  }

  /** A peer of another make shows that it hears us somewhere only by sending its own traffic there. */
  #courtSilently(now: number, slot: Slot, active: Slot): void {
    if (slot.lastReceived > this.#overlapUntil - this.options.overlap && slot === this.#companion) {
      if (slot.answers++ === 0) slot.answersSince = now;
      if (refusal(this.#situation(slot, active, now), this.options) === undefined)
        this.#change(now, slot, active);
      return;
    }
    if (now < slot.nextTry || now - this.#lastTraffic > this.options.heartbeat) return;
    this.#note(now, 'returns-to-probe', slot, { failures: slot.failures });
    slot.postpone(now);
    this.#companion = slot;
    this.#overlapUntil = now + this.options.overlap;
  }

  #situation(to: Slot, from: Slot, now: number) {
    return { from, to, activeSince: this.activeSince, lastChange: this.lastChange, now };
  }

  /** Planned: both carry everything for a while. */
  #change(now: number, slot: Slot, active: Slot): void {
    const numbers = { from: Math.round(active.score), to: Math.round(slot.score) };
    this.#note(now, 'better-path', slot, numbers);
    this.#companion = active;
    this.#overlapUntil = now + this.options.overlap;
    this.lastChange = now;
    this.#take(now, slot, 'better-path');
  }

  // ---- standby ----

  #keepStandby(now: number, active: Slot): void {
    const best = this.#bestOther(active);
    if (this.options.standby && !best && !this.suspected) this.#openStandby(now, active);
    for (const slot of this.slots) {
      if (slot === active || slot === this.#companion || !slot.open) continue;
      const stream = slot.transport.endpoint === undefined;
      const needed = (this.options.standby && slot === best) || slot.place < active.place;
      if (stream && !needed && now - this.activeSince > UNNEEDED) {
        this.#note(now, 'transport-closed-unneeded', slot);
        slot.transport.close();
        continue;
      }
      if (slot !== best || slot.probe !== 0 || this.probesAnswered === false || !this.#awake(now)) continue;
      const interval =
        slot.answers === 0 && slot.roundTrip === undefined
          ? this.options.heartbeat
          : this.options.standbyProbe;
      if (now - slot.probeSent >= interval && this.#mayProbe(slot, now)) this.#probe(slot, now);
    }
  }

  #openStandby(now: number, active: Slot): void {
    for (const slot of this.slots) {
      const { state, name } = slot.transport;
      if (state === 'opening') return;
      if (slot === active || state === 'open' || now < slot.nextTry) continue;
      if (this.#setup.negative.until(this.#network, name, now) > 0) continue;
      slot.postpone(now);
      slot.transport.open(now);
      return;
    }
  }

  /** The best that is open besides the active one: one that has answered lately before one that has not. */
  #bestOther(active: Slot): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.slots) {
      if (slot === active || !slot.open) continue;
      // A silent UDP address is no standby: it takes everything and says nothing.
      if (slot.transport.endpoint !== undefined && slot.answers === 0) continue;
      if (!best || slot.score > best.score) best = slot;
    }
    return best;
  }

  // ---- ways and means ----

  #sendOn(slot: Slot, bytes: Uint8Array, offset: number, length: number): void {
    const { endpoint } = slot.transport;
    if (endpoint) this.#setup.sendUdp(bytes, offset, length, endpoint, 0);
    else if (!slot.transport.send(bytes, offset, length)) this.dropped++;
  }

  #keepInitiation(bytes: Uint8Array, offset: number): void {
    for (let i = 0; i < INITIATION_BYTES; i++) this.#initiation[i] = bytes[offset + i];
    this.#hasInitiation = true;
  }

  #resendInitiation(slot: Slot): void {
    if (!this.#hasInitiation || this.peer.state === 'established') return;
    this.#sendOn(slot, this.#initiation, 0, INITIATION_BYTES);
    slot.transport.flush();
  }

  #probe(slot: Slot, now: number): boolean {
    const id = this.#nextProbeId;
    if (!slot.open || !this.peer.sendProbe(PROBE_ASKS, id, slot.address, 0)) return false;
    this.#nextProbeId = id === 0xffff_ffff ? 1 : id + 1;
    slot.asked(id, now);
    return true;
  }

  #mayProbe(slot: Slot, now: number): boolean {
    const cost = slot.transport.endpoint === undefined ? STREAM_PROBE_COST : PROBE_COST;
    if (this.budget.take(cost, now)) return true;
    this.#note(now, 'budget-used-up', slot);
    return false;
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
    return this.slots.find(({ transport }) => transport.owns?.(endpoints, at));
  }

  /** One plain address when it is as simple as that, so that the fast ways of the host are not left. */
  #point(): void {
    if (!this.#started) return;
    const { active, peer } = this;
    const endpoint = active?.transport.endpoint;
    const plain = endpoint !== undefined && !this.#companion && peer.state === 'established';
    const record = plain ? endpoint : this.#record;
    if (!sameEndpoint(peer.endpoint, 0, record, 0)) peer.pointTo(record, 0);
  }

  #note(now: number, reason: PathReason, slot: Slot | undefined, numbers: Record<string, number> = {}): void {
    const transport = slot?.transport.name ?? '';
    if (this.journal.note(now, reason, transport, numbers))
      this.#setup.log?.write('debug', 'path-decision', {
        peer: this.#setup.label,
        reason,
        transport,
        ...numbers,
      });
  }

  #schedule(now: number): void {
    const busy = !this.active || this.suspected || this.#companion !== undefined;
    const traffic =
      now - this.#lastTraffic < this.options.silence * 4 || this.slots.some(({ probe }) => probe !== 0);
    let due = now + (busy || traffic ? TICK : IDLE_TICK);
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
