import Timer from 'timer';
import type { Timer as OneShotTimer } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';

/** A one-shot timer of the SDK's loop; whole milliseconds, never early. */
export class OneShot implements OneShotTimer {
  readonly #edge: Edge;
  readonly #fire: () => void;
  #timer: ReturnType<typeof Timer.set> | undefined;
  #then: (() => void) | undefined;

  constructor(edge: Edge) {
    this.#edge = edge;
    this.#fire = () => this.#due();
  }

  schedule(delay: number, wake: () => void): void {
    this.cancel();
    this.#then = wake;
    this.#timer = Timer.set(this.#fire, Math.ceil(delay));
  }

  cancel(): void {
    if (this.#timer !== undefined) Timer.clear(this.#timer);
    this.#timer = this.#then = undefined;
  }

  #due(): void {
    const then = this.#then;
    this.#timer = this.#then = undefined;
    try {
      then?.();
    } catch (error) {
      this.#edge.caught('timer', error);
    }
  }
}
