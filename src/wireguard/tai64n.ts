/**
 * TAI64N timestamps of handshake initiations: 12 bytes that must grow for ever, over reboots, on boards that
 * have no clock. What may have been used is therefore reserved in the store ahead of its use; a boot starts
 * above the reservation, and wall time only ever moves the value forward.
 */

import type { Clock, Log, Store } from '../ports.js';

export const TIMESTAMP_BYTES = 12;

/** TAI64 label of 1970-01-01 (https://cr.yp.to/libtai/tai64.html), ten leap seconds included as WireGuard does. */
const TAI64_EPOCH_HIGH = 0x4000_0000;
const TAI64_EPOCH_LOW = 0x0000_000a;

/** Nanoseconds are cut to this step (about 16.8 ms): a finer one would tell the peer about our clock. */
const STEP_NANOSECONDS = 0x100_0000;
const NANOSECONDS = 1_000_000_000;

/** Seconds reserved by one write. */
export const TIMESTAMP_RESERVATION = 3600;

const STORE_NAME = 'tai64n';

export class TimestampSource {
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #log: Log | undefined;
  #seconds: number;
  #nanoseconds = 0;
  /** Values below this second are covered by what is stored. */
  #reserved: number;

  /** Reads and renews the reservation; throws what the store throws when it cannot be written. */
  constructor(clock: Clock, store: Store, log?: Log) {
    this.#clock = clock;
    this.#store = store;
    this.#log = log;
    this.#seconds = decode(store.get(STORE_NAME));
    this.#reserved = this.#seconds;
    this.#reserve(Math.max(this.#seconds, wallSeconds(clock)));
  }

  /** Writes the next timestamp, greater than every one before it. */
  next(out: Uint8Array, at: number): void {
    const wall = this.#clock.wall();
    const seconds = wallSeconds(this.#clock);
    const nanoseconds = wall > 0 ? Math.floor((wall % 1000) * 1_000_000) & ~(STEP_NANOSECONDS - 1) : 0;
    if (seconds > this.#seconds || (seconds === this.#seconds && nanoseconds > this.#nanoseconds)) {
      this.#seconds = seconds;
      this.#nanoseconds = nanoseconds;
    } else {
      this.#nanoseconds += STEP_NANOSECONDS;
      if (this.#nanoseconds >= NANOSECONDS) {
        this.#nanoseconds = 0;
        this.#seconds++;
      }
    }
    if (this.#seconds >= this.#reserved) this.#reserveOrReport();
    writeU32BigEndian(
      out,
      at,
      TAI64_EPOCH_HIGH + Math.floor((this.#seconds + TAI64_EPOCH_LOW) / 0x1_0000_0000),
    );
    writeU32BigEndian(out, at + 4, (this.#seconds + TAI64_EPOCH_LOW) % 0x1_0000_0000);
    writeU32BigEndian(out, at + 8, this.#nanoseconds);
  }

  #reserve(seconds: number): void {
    const reserved = seconds + TIMESTAMP_RESERVATION;
    this.#store.set(STORE_NAME, encode(reserved));
    this.#reserved = reserved;
  }

  /**
   * A store that fails while the gateway runs must not stop it: the next boot starts from the old reservation and
   * the wall clock, and the owner is told.
   */
  #reserveOrReport(): void {
    try {
      this.#reserve(this.#seconds);
    } catch (error) {
      this.#log?.write('error', 'timestamp-not-reserved', { reason: String(error) });
    }
  }
}

function wallSeconds(clock: Clock): number {
  return Math.max(0, Math.floor(clock.wall() / 1000));
}

function encode(seconds: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeU32BigEndian(bytes, 0, Math.floor(seconds / 0x1_0000_0000));
  writeU32BigEndian(bytes, 4, seconds % 0x1_0000_0000);
  return bytes;
}

function decode(bytes: Uint8Array | undefined): number {
  if (bytes?.length !== 8) return 0;
  const seconds = readU32BigEndian(bytes, 0) * 0x1_0000_0000 + readU32BigEndian(bytes, 4);
  return Number.isSafeInteger(seconds) ? seconds : 0;
}

function readU32BigEndian(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function writeU32BigEndian(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** True when the 12-byte timestamp at `at` is greater than `than`. */
export function timestampAfter(bytes: Uint8Array, at: number, than: Uint8Array): boolean {
  for (let i = 0; i < TIMESTAMP_BYTES; i++) {
    if (bytes[at + i] !== than[i]) return bytes[at + i] > than[i];
  }
  return false;
}
