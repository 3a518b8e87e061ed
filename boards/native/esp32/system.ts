import type { Clock } from '../../../src/ports.js';

/** The chip's clocks. The wall clock begins at 1970 at every start, until somebody sets it. */
export class ChipClock implements Clock {
  monotonic(): number {
    return native('xs_chip_clock_monotonic').call(this);
  }

  wall(): number {
    return native('xs_chip_clock_wall').call(this);
  }
}

/** The chip as a whole. */
export class Chip {
  /** Writes to the serial console. */
  print(text: string): void {
    native('xs_chip_print').call(this, text);
  }

  /** Whether the last run ended by a crash or a watchdog. */
  get crashed(): boolean {
    return this.#crashedNative();
  }

  /** Whether somebody pressed a key at the serial console since this was last asked. */
  get keyPressed(): boolean {
    return this.#keyPressedNative();
  }

  /** From now on the chip restarts unless it is fed in time. False when the firmware was built without the watchdog. */
  beginWatchdog(): boolean {
    return native('xs_chip_watchdog_begin').call(this);
  }

  feedWatchdog(): void {
    native('xs_chip_watchdog_feed').call(this);
  }

  #keyPressedNative(): boolean {
    return native('xs_chip_key_pressed').call(this);
  }

  #crashedNative(): boolean {
    return native('xs_chip_crashed').call(this);
  }
}
