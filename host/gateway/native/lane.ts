/** What both kinds of threads have: their lane, its words and counters, the clock, and the wait for something to do. */

import { getSystemErrorName } from 'node:util';
import type { MessagePort } from 'node:worker_threads';
import { type KernelConstant, type KernelFunctions, type Lane, openLane } from '../wasm/kernel.js';
import { hrtimeMs, LANE_COUNTERS, type LaneCounter, type LaneData, STATE } from './lane-state.js';
import { EINTR, type Linux } from './linux.js';
import { loadOpenSsl, OPENSSL_LEAST, OpenSslAead } from './openssl.js';

const POLLFD_BYTES = 8;

export class LaneThread {
  readonly data: LaneData;
  readonly linux: Linux;
  readonly lane: Lane;
  readonly call: KernelFunctions;
  /** Where the memory begins for the operating system. */
  readonly base: number;
  readonly #openssl: OpenSslAead | undefined;
  readonly #port: MessagePort;
  readonly #state: Int32Array;
  readonly #counters: Float64Array;
  readonly #poll: number;
  readonly #pollWords: Int32Array;
  readonly #pollHalves: Int16Array;
  readonly #arguments: number;
  /** To be added to this thread's `performance.now()`. */
  readonly #offset: number;

  constructor(data: LaneData, linux: Linux, port: MessagePort) {
    this.data = data;
    this.linux = linux;
    this.#port = port;
    const { buffer } = data.memory;
    this.base = linux.addressOf(buffer);
    this.#openssl = data.openssl ? new OpenSslAead(loadOpenSsl(), data.memory, this.base) : undefined;
    this.lane = openLane(data, data.lane, this.#openssl);
    this.call = this.lane.call;
    if (this.#openssl) {
      this.#openssl.scratch = data.lane + this.constant('ARGUMENTS') + 16;
      this.call.useNative(OPENSSL_LEAST);
    }
    this.#state = new Int32Array(buffer, data.lane + this.constant('LANE_STATE'), 16);
    this.#counters = new Float64Array(buffer, data.lane + this.constant('COUNTERS'), 32);
    this.#poll = data.lane + this.constant('POLL');
    this.#pollWords = new Int32Array(buffer, this.#poll, 16);
    this.#pollHalves = new Int16Array(buffer, this.#poll, 32);
    this.#arguments = data.lane + this.constant('ARGUMENTS');
    this.#offset = hrtimeMs() - performance.now() - data.origin;
  }

  constant(name: KernelConstant): number {
    return (this.call as unknown as Record<KernelConstant, { value: number }>)[name].value;
  }

  /** Monotonic ms of the control thread's clock. */
  now(): number {
    return performance.now() + this.#offset;
  }

  word(index: number): number {
    return Atomics.load(this.#state, index);
  }

  setWord(index: number, value: number): void {
    Atomics.store(this.#state, index, value);
  }

  count(counter: LaneCounter, n: number): void {
    this.#counters[LANE_COUNTERS.indexOf(counter)] += n;
  }

  get stopped(): boolean {
    return Atomics.load(this.#state, STATE.stop) !== 0;
  }

  /** Tells the control thread to look if anything worth it was noted. */
  wakeControl(): void {
    if (this.call.takeWake() !== 0) this.#port.postMessage(undefined);
  }

  /**
   * Waits for one of at most four descriptors (`events` for each; below 0: left out), or the keeper's word. Afterwards
   * `ready(i)` tells what is with each.
   */
  wait(fds: readonly number[], events: readonly number[], timeout: number): void {
    // What this thread derived from keys last does not lie around while it sleeps.
    this.call.eraseScratch();
    this.#openssl?.forget();
    for (let i = 0; i < fds.length; i++) {
      this.#pollWords[2 * i] = fds[i];
      this.#pollHalves[4 * i + 2] = events[i];
      this.#pollHalves[4 * i + 3] = 0;
    }
    const own = fds.length;
    this.#pollWords[2 * own] = this.data.event;
    this.#pollHalves[4 * own + 2] = 1;
    this.#pollHalves[4 * own + 3] = 0;
    this.setWord(STATE.busy, 0);
    const found = this.linux.poll(this.base + this.#poll, own + 1, timeout);
    if (found < 0) {
      for (let i = 0; i <= own; i++) this.#pollHalves[4 * i + 3] = 0;
      if (this.linux.errno() !== EINTR) throw new Error(`poll: ${errnoName(this.linux.errno())}`);
    }
    this.setWord(STATE.busy, 1);
    Atomics.add(this.#state, STATE.turns, 1);
    if (this.#pollHalves[4 * own + 3] !== 0) {
      this.linux.read(this.data.event, this.base + this.#arguments, POLLFD_BYTES);
    }
  }

  /** The thread ends. */
  close(): void {
    this.#openssl?.close();
  }

  ready(i: number): number {
    return this.#pollHalves[4 * i + 3];
  }

  turn(): void {
    Atomics.add(this.#state, STATE.turns, 1);
  }
}

export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}
