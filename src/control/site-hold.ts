/** Why site traffic is held back, kept over restarts: who was told to stop does not begin again by a power cut. */

import type { SealedStore } from '../identity/sealed-store.js';
import type { Log } from '../ports.js';
import type { Hold } from './agent-options.js';

const RECORD = 'hold';

export class SiteHold {
  readonly #store: SealedStore;
  readonly #log: Log | undefined;
  #hold: Hold | undefined;

  /** Throws what the store throws. */
  constructor(store: SealedStore, log?: Log) {
    this.#store = store;
    this.#log = log;
    this.#hold = store.read(RECORD) as Hold | undefined;
  }

  /** Undefined while it flows. */
  get reason(): Hold | undefined {
    return this.#hold;
  }

  /** True when something changed. Throws what the store throws, and nothing has. */
  set(hold: Hold | undefined): boolean {
    if (hold?.kind === this.#hold?.kind && hold?.reason === this.#hold?.reason) return false;
    if (hold) this.#store.write(RECORD, hold);
    else this.#store.delete(RECORD);
    this.#hold = hold;
    this.#log?.write('warn', hold ? `${hold.kind}-begun` : 'hold-ended', { reason: hold?.reason });
    return true;
  }
}
