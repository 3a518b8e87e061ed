import type { Clock } from '../../../src/ports.js';

/** Linux's clocks; the monotonic one counts on while the machine is suspended. */
export class SystemClock implements Clock {
  monotonic(): number {
    return native('xs_clock_monotonic').call(this);
  }

  wall(): number {
    return native('xs_clock_wall').call(this);
  }
}
