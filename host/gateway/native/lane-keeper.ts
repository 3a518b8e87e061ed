/** The control thread's side of one of the data plane's threads: starts it, watches it, replaces it, ends it. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Log } from '../../../src/ports.js';
import { messageOf } from '../errors.js';
import type { Kernel } from '../wasm/kernel.js';
import { ControlRing } from './control-ring.js';
import {
  LANE_COUNTERS,
  type LaneCounter,
  type LaneData,
  type LaneMessage,
  type Role,
  STATE,
} from './lane-state.js';
import { type Linux, NativeMissingError, openEvent } from './linux.js';

/** ms between two looks at a thread, and looks without progress after which it counts as stuck. */
const LOOK_INTERVAL = 500;
const STUCK_LOOKS = 4;
/** A thread that has been replaced this often within the time (ms) is not replaced again. */
const REPLACEMENTS = 5;
const REPLACEMENT_TIME = 60_000;
/** ms within which a thread must have ended when asked, and when made to. */
const STOP_TIME = 40;
const TERMINATE_TIME = 2_000;

export interface LaneRoom {
  /** Bytes for the vectors of system calls, for messages, and for the queue to the control thread. */
  readonly vectors: number;
  readonly room: number;
  readonly ring: number;
}

export interface LaneKeeperOptions {
  readonly kernel: Kernel;
  readonly linux: Linux;
  /** Where the kernel's memory begins for the operating system. */
  readonly base: number;
  readonly role: Role;
  /** Of several of one role. */
  readonly number: number;
  readonly size: LaneRoom;
  /** The compiled `worker.ts`. */
  readonly workerFile: string;
  readonly origin: number;
  readonly openssl?: boolean;
  readonly log: Log;
  /** There is something to look at: notes, the queue. */
  readonly onWake: () => void;
  /** The thread is dead; before another takes its place. */
  readonly onDead: (keeper: LaneKeeper) => void;
  /** It has ended for good, and why. */
  readonly onEnded: (reason: string) => void;
}

/** Beside the bundle, or in `dist/` when the host runs from its sources. Throws {@link NativeMissingError}. */
export function laneWorkerFile(): string {
  for (const place of ['./cloudbridge-lane.js', '../../../dist/cloudbridge-lane.js']) {
    const file = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new NativeMissingError('cloudbridge-lane.js is not beside the program: run `npm run build`');
}

export class LaneKeeper {
  readonly ring: ControlRing;
  /** Where the thread says which slot it uses. */
  readonly slotInUse: number;
  /** Times that the thread died or was stuck and another took its place. */
  replacements = 0;
  readonly #options: LaneKeeperOptions;
  readonly #data: LaneData;
  readonly #state: number;
  readonly #counters: number;
  /** Where the number 1 lies, which wakes the thread. */
  readonly #one: number;
  readonly #replacedAt: number[] = [];
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #look: NodeJS.Timeout | undefined;
  #lastTurn = 0;
  #idleLooks = 0;
  #stopped = false;

  /** Throws KernelError or {@link NativeMissingError}. */
  constructor(options: LaneKeeperOptions) {
    const { kernel, linux, role, size, origin } = options;
    this.#options = options;
    this.ring = new ControlRing(kernel, size.ring);
    const lane = kernel.allocateLane();
    this.#data = {
      role,
      module: kernel.share.module,
      memory: kernel.share.memory,
      lane,
      vectors: kernel.allocate(size.vectors),
      room: kernel.allocate(size.room),
      roomBytes: size.room,
      ring: this.ring.address,
      event: openEvent(linux),
      openssl: options.openssl ?? false,
      origin,
    };
    this.slotInUse = lane + kernel.constant('SLOT_IN_USE');
    this.#state = (lane + kernel.constant('LANE_STATE')) >> 2;
    this.#counters = (lane + kernel.constant('COUNTERS')) >> 3;
    this.#one = kernel.allocate(8);
    kernel.words[this.#one >> 2] = 1;
    for (const word of ['tun', 'udp4', 'udp6'] as const) this.#set(STATE[word], -1);
  }

  get role(): Role {
    return this.#data.role;
  }

  word(index: number): number {
    return Atomics.load(this.#options.kernel.words, this.#state + index);
  }

  counter(name: LaneCounter): number {
    return this.#options.kernel.doubles[this.#counters + LANE_COUNTERS.indexOf(name)];
  }

  /** Descriptors, -1 for none. Resolves when the thread has let go of those before. */
  async setDescriptors(tun: number, udp4: number, udp6: number): Promise<void> {
    this.#set(STATE.tun, tun);
    this.#set(STATE.udp4, udp4);
    this.#set(STATE.udp6, udp6);
    this.#set(STATE.asked, this.word(STATE.asked) + 1);
    this.#poke();
    while (this.#worker !== undefined && !this.#stopped && this.word(STATE.seen) !== this.word(STATE.asked)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  start(): void {
    this.#launch();
    this.#look = setInterval(() => this.#lookAfter(), LOOK_INTERVAL);
    this.#look.unref();
  }

  /** Resolves when the thread has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#look);
    this.#set(STATE.stop, 1);
    this.#poke();
    if (!(await within(this.#exited, STOP_TIME))) {
      this.#options.log.write('warn', 'lane-made-to-end', { lane: this.#name });
      await this.#terminate();
    }
    if (this.#worker === undefined) this.#options.linux.close(this.#data.event);
  }

  /** Overwrites what the thread worked on: keys are derived there, packets pass through. After `stop`. */
  erase(): void {
    const { kernel, size } = this.#options;
    const { lane, room } = this.#data;
    kernel.all.fill(0, lane, lane + kernel.constant('LANE_BYTES'));
    kernel.all.fill(0, room, room + size.room);
    kernel.all.fill(0, this.ring.address, this.ring.address + size.ring);
  }

  get #name(): string {
    return `${this.#data.role} ${this.#options.number}`;
  }

  #launch(): void {
    const worker = new Worker(this.#options.workerFile, {
      name: `${this.#data.role}-${this.#options.number}`,
      workerData: this.#data,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 24, stackSizeMb: 1 },
    });
    this.#worker = worker;
    let reason = 'it ended by itself';
    worker.on('message', (message: LaneMessage) => {
      if (message === undefined) this.#options.onWake();
      else {
        this.#worker = undefined;
        if (!this.#stopped) this.#options.onEnded(message.ended);
      }
    });
    worker.on('error', (error) => {
      reason = messageOf(error);
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        resolve();
        if (this.#worker !== worker) return;
        this.#worker = undefined;
        if (!this.#stopped) this.#replace(reason);
      });
    });
  }

  /** The thread is gone: another takes its place, unless that has happened too often. */
  #replace(reason: string): void {
    const { log, onDead, onEnded } = this.#options;
    onDead(this);
    const now = performance.now();
    this.#replacedAt.push(now);
    while (now - this.#replacedAt[0] > REPLACEMENT_TIME) this.#replacedAt.shift();
    if (this.#replacedAt.length > REPLACEMENTS) {
      onEnded(`the ${this.#name} thread died again and again: ${reason}`);
      return;
    }
    this.replacements++;
    log.write('error', 'lane-replaced', { lane: this.#name, reason });
    this.#idleLooks = 0;
    this.#launch();
  }

  #lookAfter(): void {
    const turn = this.word(STATE.turns);
    const progress = turn !== this.#lastTurn || this.word(STATE.busy) === 0;
    this.#lastTurn = turn;
    this.#idleLooks = progress ? 0 : this.#idleLooks + 1;
    if (this.#idleLooks < STUCK_LOOKS) return;
    this.#idleLooks = 0;
    this.#options.log.write('error', 'lane-stuck', { lane: this.#name });
    void this.#terminate();
  }

  /** Makes the thread end; `exit` does the rest. */
  async #terminate(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = worker.terminate().then(() => undefined);
    if (await within(ended, TERMINATE_TIME)) return;
    // It sits in the operating system. Another would meet it in the same memory.
    if (!this.#stopped) this.#options.onEnded(`the ${this.#name} thread is stuck and cannot be ended`);
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#options.kernel.words, this.#state + index, value);
  }

  #poke(): void {
    const { linux, base } = this.#options;
    linux.write(this.#data.event, base + this.#one, 8);
  }
}

/** True when it settled in time (ms). */
async function within(promise: Promise<void>, time: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), time);
  });
  const inTime = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
