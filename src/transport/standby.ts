/** The best transport besides the active one is kept open and asked now and then; what nobody needs is closed. */

import type { PathCore } from './path-core.js';
import type { Slot } from './slot.js';

/** How long a transport stays open that nobody needs, ms. */
const UNNEEDED = 30_000;

export class Standby {
  readonly #path: PathCore;

  constructor(path: PathCore) {
    this.#path = path;
  }

  advance(now: number, active: Slot): void {
    const path = this.#path;
    const { standby } = path.options;
    const best = path.bestOther(active);
    if (standby && !best && !path.suspected) this.#open(now, active);
    for (const slot of path.slots) {
      if (slot === active || slot === path.companion || !slot.open) continue;
      const needed = (standby && slot === best) || slot.place < active.place;
      if (slot.transport.endpoint === undefined && !needed && now - path.activeSince > UNNEEDED) {
        path.note(now, 'transport-closed-unneeded', slot);
        slot.transport.close();
      } else if (slot === best) this.#ask(now, slot);
    }
  }

  #ask(now: number, slot: Slot): void {
    const path = this.#path;
    if (slot.probe !== 0 || path.probesAnswered === false || !path.awake(now)) return;
    const { heartbeat, standbyProbe } = path.options;
    const interval = slot.answers === 0 && slot.roundTrip === undefined ? heartbeat : standbyProbe;
    if (now - slot.probeSent >= interval && path.mayProbe(slot, now)) path.probe(slot, now);
  }

  #open(now: number, active: Slot): void {
    const { slots, negative, network } = this.#path;
    for (const slot of slots) {
      const { state, name } = slot.transport;
      if (state === 'opening') return;
      if (slot === active || state === 'open' || now < slot.nextTry) continue;
      if (negative.until(network, name, now) > 0) continue;
      slot.postpone(now);
      slot.transport.open(now);
      return;
    }
  }
}
