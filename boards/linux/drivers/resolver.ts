import type { Resolver } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';
import { errorText } from './system-error.js';

type Done = (addresses: readonly string[], error: string | undefined) => void;

/** Look-ups under way at a time; each has a thread. */
const LOOK_UPS = 8;

/** The system's names (hosts file, DNS, mDNS), looked up aside; further ones wait for their turn. */
export class SystemResolver implements Resolver {
  readonly #edge: Edge;
  readonly #waiting: { name: string; done: Done }[] = [];
  #running = 0;

  constructor(edge: Edge) {
    this.#edge = edge;
  }

  resolve(name: string, done: Done): void {
    if (this.#running < LOOK_UPS) this.#begin(name, done);
    else this.#waiting.push({ name, done });
  }

  /** Called by the main loop. */
  wake(done: Done, addresses: readonly string[], error: string | undefined): void {
    this.#running--;
    try {
      const next = this.#waiting.shift();
      if (next) this.#begin(next.name, next.done);
      done(addresses, error);
    } catch (caught) {
      this.#edge.caught('resolver', caught);
    }
  }

  #begin(name: string, done: Done): void {
    this.#running++;
    const result = this.#lookUpNative(name, done);
    if (result === 0) return;
    this.#running--;
    done([], errorText(-result));
  }

  #lookUpNative(name: string, done: Done): number {
    return native('xs_resolver_look_up').call(this, name, done);
  }
}
