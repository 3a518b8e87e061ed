import type { Clock } from '../../src/ports.js';

/** Node's clocks. */
export class NodeClock implements Clock {
  monotonic(): number {
    return performance.now();
  }

  wall(): number {
    return Date.now();
  }
}
