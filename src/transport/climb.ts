/** Better transports than the active one: asked for more and more seldom, and taken when they have proven themselves. */

import { refusal } from './damping.js';
import type { PathReason } from './journal.js';
import type { PathCore } from './path-core.js';
import type { Slot } from './slot.js';

/** Between probes of a transport that is about to prove itself, and of one that must show stability; ms. */
const PROOF_INTERVAL = 100;
const STABILITY_INTERVAL = 1_000;

export class Climb {
  readonly #path: PathCore;

  constructor(path: PathCore) {
    this.#path = path;
  }

  advance(now: number, active: Slot): void {
    const path = this.#path;
    if (path.suspected || path.peer.state !== 'established' || !path.awake(now)) return;
    for (const slot of path.slots) {
      if (slot === active || slot.place > active.place) continue;
      if (slot.place === active.place && slot.transport.kind === active.transport.kind) continue;
      this.#court(now, slot, active);
      if (path.active !== active) return;
    }
  }

  /** Opens, probes and at last takes a transport that may be better. */
  #court(now: number, slot: Slot, active: Slot): void {
    const path = this.#path;
    const { state } = slot.transport;
    if (state === 'opening' || slot.probe !== 0) return;
    if (state !== 'open') this.#open(now, slot);
    else if (path.probesAnswered === false) this.#try(now, slot, active);
    else if (slot.answers === 0) this.#ask(now, slot);
    else this.#weigh(now, slot, active);
  }

  #open(now: number, slot: Slot): void {
    const path = this.#path;
    if (now < slot.nextTry) return;
    if (path.negative.until(path.network, slot.transport.name, now) > 0) {
      path.note(now, 'skipped-in-this-network', slot);
      slot.postpone(now);
    } else if (path.mayProbe(slot, now)) {
      slot.postpone(now);
      slot.transport.open(now);
    }
  }

  #ask(now: number, slot: Slot): void {
    const path = this.#path;
    if (now < slot.nextTry || !path.mayProbe(slot, now)) return;
    path.note(now, 'returns-to-probe', slot, { failures: slot.failures });
    slot.postpone(now);
    path.probe(slot, now);
  }

  /** It answers: often enough, and better by enough? */
  #weigh(now: number, slot: Slot, active: Slot): void {
    const path = this.#path;
    const waits = slot.proven ? this.#refusal(now, slot, active) : undefined;
    if (slot.proven && waits === undefined) {
      path.change(now, slot, active, scores(slot, active));
      return;
    }
    if (waits) path.note(now, waits, slot, scores(slot, active));
    const interval = slot.proven ? STABILITY_INTERVAL : PROOF_INTERVAL;
    if (now - slot.probeSent >= interval && path.mayProbe(slot, now)) path.probe(slot, now);
  }

  /** A peer of another make shows that it hears us somewhere only by sending its own traffic there. */
  #try(now: number, slot: Slot, active: Slot): void {
    const path = this.#path;
    const { overlap, heartbeat } = path.options;
    if (slot === path.companion && slot.lastReceived > path.overlapUntil - overlap) {
      if (slot.answers++ === 0) slot.answersSince = now;
      if (this.#refusal(now, slot, active) === undefined)
        path.change(now, slot, active, scores(slot, active));
      return;
    }
    if (now < slot.nextTry || now - path.lastTraffic > heartbeat) return;
    path.note(now, 'returns-to-probe', slot, { failures: slot.failures });
    slot.postpone(now);
    path.companion = slot;
    path.overlapUntil = now + overlap;
  }

  #refusal(now: number, to: Slot, from: Slot): PathReason | undefined {
    const { activeSince, lastChange, options } = this.#path;
    return refusal({ from, to, activeSince, lastChange, now }, options);
  }
}

function scores(to: Slot, from: Slot): Record<string, number> {
  return { score: Math.round(to.score), active: Math.round(from.score) };
}
