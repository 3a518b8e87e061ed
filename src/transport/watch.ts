/**
 * Whether the active transport still works. What was sent and not answered makes it ask; an answer that is overdue makes
 * it suspect: everything then goes through the next best transport as well, and the first of the two that is heard has it.
 */

import type { PathCore } from './path-core.js';
import type { Slot } from './slot.js';

/** A peer that answers no probe is of another make: WireGuard promises a sign of life only after 10 s (section 6.5). */
const SILENCE_WITHOUT_PROBES = 12_000;
/** Probes in vain, while authenticated messages come, after which a peer counts as of another make. */
const VAIN_PROBES = 4;
/** Neither the active transport nor another one answered for so long: everything is tried again, ms. */
const ALL_SILENT = 4_000;
/** Until the round trip is asked for again that nobody knows yet, ms. */
const FIRST_PROBES = 1_000;

export class Watch {
  lastTraffic = -Infinity;
  readonly #path: PathCore;
  #suspectedAt = Infinity;
  /** Since when something sent waits for a sign of life; Infinity when nothing does. */
  #waitingSince = Infinity;
  #sentSeen = 0;
  #dataSeen = 0;
  #vain = 0;

  constructor(path: PathCore) {
    this.#path = path;
  }

  get suspected(): boolean {
    return this.#suspectedAt !== Infinity;
  }

  /** Another transport is active, or none. */
  reset(): void {
    this.#suspectedAt = this.#waitingSince = Infinity;
  }

  answered(): void {
    this.#vain = 0;
  }

  /** What was sent and received since the last look. Probes wait for nothing, and keepalives are no traffic. */
  observe(now: number): void {
    const { peer, active } = this.#path;
    const sent = peer.txBytes - peer.probeBytesSent;
    if (active && active.lastReceived >= this.#waitingSince) this.#waitingSince = Infinity;
    if (sent !== this.#sentSeen && this.#waitingSince === Infinity) this.#waitingSince = now;
    if (peer.dataMessages !== this.#dataSeen) this.lastTraffic = now;
    this.#sentSeen = sent;
    this.#dataSeen = peer.dataMessages;
  }

  advance(now: number, active: Slot): void {
    const path = this.#path;
    if (path.companion && !this.suspected && now >= path.overlapUntil) path.companion = undefined;
    if (active.overdue(now)) this.#missed(now, active);
    for (const slot of path.slots) if (slot !== active) slot.overdue(now);
    if (this.suspected) this.#judge(now, active);
    else if (!this.#ask(now, active)) this.#beat(now, active);
  }

  suspect(now: number, active: Slot): void {
    if (this.suspected) return;
    this.#suspectedAt = now;
    this.#path.note(now, 'active-suspected', active, { silent: Math.round(now - active.lastReceived) });
    this.#accompany(now, active);
  }

  /** Asks when something waits for too long; true when it did. */
  #ask(now: number, active: Slot): boolean {
    const { options, probesAnswered } = this.#path;
    const slow = 1.5 * (active.roundTrip ?? 0) + 50;
    const silence = probesAnswered ? Math.max(options.silence, slow) : SILENCE_WITHOUT_PROBES;
    if (now - this.#waitingSince < silence || now - active.lastReceived < silence) return false;
    if (active.probe !== 0) return false;
    // Without a session there is nothing to ask with, and an initiation was not answered.
    if (!probesAnswered || !this.#path.probe(active, now)) this.suspect(now, active);
    return true;
  }

  /** Asks from time to time all the same. */
  #beat(now: number, active: Slot): void {
    const path = this.#path;
    if (path.probesAnswered === false || active.probe !== 0 || !path.awake(now)) return;
    const { activeFor, heartbeat, idleHeartbeat } = path.options;
    const interval = now - this.lastTraffic < activeFor ? heartbeat : idleHeartbeat;
    const due = now - Math.max(active.lastReceived, active.probeSent) >= interval;
    // The round trip, and whether the peer knows probes, are asked for as soon as there is a session.
    const first = active.roundTrip === undefined && now - active.probeSent >= FIRST_PROBES;
    if (due || first) path.probe(active, now);
  }

  /** An answer of the active transport is overdue. */
  #missed(now: number, active: Slot): void {
    const path = this.#path;
    if (path.probesAnswered) this.suspect(now, active);
    else if (path.probesAnswered === undefined && active.lastReceived > active.probeSent) {
      if (++this.#vain >= VAIN_PROBES) path.probesAnswered = false;
    }
  }

  /** Everything goes through the next best transport as well, once one is open. */
  #accompany(now: number, active: Slot): void {
    const path = this.#path;
    if (path.companion?.open && path.companion !== active) return;
    path.companion = path.bestOther(active);
    if (path.companion) {
      path.probe(path.companion, now);
      path.resendInitiation(path.companion);
      return;
    }
    for (const slot of path.slots) {
      const { state } = slot.transport;
      if (slot !== active && state !== 'open' && state !== 'opening') slot.transport.open(now);
    }
  }

  #judge(now: number, active: Slot): void {
    const path = this.#path;
    if (active.lastReceived > this.#suspectedAt) {
      const after = Math.round(active.lastReceived - this.#suspectedAt);
      path.note(now, 'active-answered', active, { after });
      this.reset();
      path.companion = undefined;
      return;
    }
    this.#accompany(now, active);
    const { companion } = path;
    const waited = now - this.#suspectedAt;
    if (companion && companion.lastReceived > this.#suspectedAt && waited >= active.patience / 2) {
      path.leave(now, active, 'active-silent');
      return;
    }
    if (waited >= ALL_SILENT) {
      active.failed(now);
      path.race(now, 'all-silent');
      return;
    }
    if (active.probe === 0) path.probe(active, now);
    if (companion && companion.probe === 0) path.probe(companion, now);
  }
}
