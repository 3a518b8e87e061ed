/** Nothing works yet, or nothing any more: transports are opened one after the other, and all of them are used. */

import type { PathCore } from './path-core.js';

export class Race {
  /** Monotonic ms. */
  since = Infinity;
  readonly #path: PathCore;
  #pause: number;

  constructor(path: PathCore) {
    this.#path = path;
    this.#pause = path.options.retryFirst;
  }

  /** Next time it begins with short pauses again. */
  won(): void {
    this.#pause = this.#path.options.retryFirst;
  }

  begin(now: number): void {
    const { slots, options } = this.#path;
    this.since = now;
    slots.forEach((slot, i) => {
      slot.nextTry = now + i * options.stagger;
      slot.racing = false;
    });
  }

  /** Opens what is due. */
  advance(now: number): void {
    const { slots, options, negative, network } = this.#path;
    for (const slot of slots) {
      const { state, name, retryAfter } = slot.transport;
      if (now < slot.nextTry) continue;
      const joins = !slot.racing;
      slot.racing = true;
      if (joins && state === 'open') this.#path.resendInitiation(slot);
      if (state === 'open' || state === 'opening') continue;
      // Nothing else works: also what failed here before is tried, after the others.
      const others = slots.some((other) => other !== slot && other.transport.state === 'opening');
      if (negative.until(network, name, now) > 0 && others) continue;
      slot.nextTry = now + Math.max(this.#pause, retryAfter);
      slot.transport.open(now);
      // Nothing was asked of anybody: it comes as soon as there is something to show.
      if (slot.transport.reason === 'no-token') slot.nextTry = now + options.retryFirst;
    }
    if (now - this.since > this.#pause) {
      this.since = now;
      this.#pause = Math.min(options.retryMost, this.#pause * 2);
    }
  }
}
