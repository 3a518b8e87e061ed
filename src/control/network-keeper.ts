/** Keeps the last good network on flash, so that the tunnel starts without the control plane; not at every change. */

import type { SealedStore } from '../identity/sealed-store.js';
import type { Clock, Log } from '../ports.js';
import type { NetworkState } from './network-state.js';
import type { RecordValue } from './shape.js';

const RECORD = 'network';
/** ms: flash wears out. */
const WITHIN = 5_000;

export interface NetworkKeeperOptions {
  readonly store: SealedStore;
  readonly clock: Clock;
  /** A change is on flash so many ms later at the latest. */
  readonly within?: number | undefined;
  readonly log?: Log | undefined;
}

export class NetworkKeeper {
  readonly #network: NetworkState;
  readonly #options: NetworkKeeperOptions;
  #keepAt = Number.POSITIVE_INFINITY;

  /** Takes up what was kept. Throws what the store throws. */
  constructor(network: NetworkState, options: NetworkKeeperOptions) {
    this.#network = network;
    this.#options = options;
    const kept = options.store.read(RECORD) as RecordValue | undefined;
    if (kept && network.apply('snapshot', kept).kind !== 'applied') {
      options.log?.write('error', 'record-damaged', { name: RECORD });
    }
  }

  /** The network is another one. */
  changed(): void {
    const { clock, within = WITHIN } = this.#options;
    this.#keepAt = Math.min(this.#keepAt, clock.monotonic() + within);
  }

  /** Now, if there is something new. Throws what the store throws. */
  keep(): void {
    if (this.#keepAt === Number.POSITIVE_INFINITY) return;
    this.#options.store.write(RECORD, this.#network.toRecord());
    this.#keepAt = Number.POSITIVE_INFINITY;
  }

  /** Monotonic ms. */
  nextDeadline(): number {
    return this.#keepAt;
  }

  advance(): void {
    if (this.#options.clock.monotonic() >= this.#keepAt) this.keep();
  }
}
