import type { Timer } from '../../../src/ports.js';
import type { Edge } from '../../xs/edge.js';

/** A one-shot timer of the main loop; whole milliseconds, never early. */
export class OneShot extends Native('xs_one_shot_destructor') implements Timer {
  readonly #edge: Edge;
  #then: (() => void) | undefined;

  constructor(edge: Edge) {
    super();
    this.#edge = edge;
  }

  schedule(delay: number, wake: () => void): void {
    this.#then = wake;
    this.#scheduleNative(delay);
  }

  cancel(): void {
    this.#then = undefined;
    this.#cancelNative();
  }

  /** Called by the main loop. */
  wake(): void {
    const then = this.#then;
    this.#then = undefined;
    try {
      then?.();
    } catch (error) {
      this.#edge.caught('timer', error);
    }
  }

  #scheduleNative(delay: number): void {
    native('xs_one_shot_schedule').call(this, delay);
  }

  #cancelNative(): void {
    native('xs_one_shot_cancel').call(this);
  }
}
