/**
 * Reads frames from a blocking TUN descriptor in a thread of its own, into a ring in the kernel's shared memory, so
 * that a burst costs one wake-up of this thread and not one for each packet (`fs.read` on the thread pool: 30 us a
 * packet here).
 *
 * A read that blocks in the descriptor ends only when the interface is deleted, and until then it also keeps the
 * process from exiting; deleting is for the one who made the interface.
 */

import { Worker } from 'node:worker_threads';

/** Frames that wait in the ring at most; a power of two. */
const ENTRIES = 1024;
/**
 * The two threads wake each other; this often, in ms, they also look by themselves. Nothing is known to be missed, but
 * a wake-up lost to a fault anywhere below must cost a moment and not the tunnel.
 */
const LOOK_INTERVAL = 100;
/** Frames worked on before other events of this thread get their turn. */
const FRAMES_PER_TURN = 64;

// Words of the control block that both threads use.
const PRODUCED = 0; // frames read, modulo 2^32
const CONSUMED = 1; // frames worked on, likewise
const CONSUMER_SLEEPS = 2; // 1: the next frame has to be announced
const PRODUCER_WAITS = 3; // 1: the ring is full, room has to be announced
const STOP = 4;
const FIRST_ENTRY = 8; // pairs: place relative to the ring, length

interface ReaderData {
  readonly fd: number;
  readonly memory: SharedArrayBuffer;
  readonly ring: number;
  readonly ringBytes: number;
  readonly frameBytes: number;
  /** Where in its first 16 bytes a frame begins. */
  readonly skew: number;
  readonly control: SharedArrayBuffer;
  readonly entries: number;
  readonly lookInterval: number;
  readonly words: Readonly<Record<'produced' | 'consumed' | 'sleeps' | 'waits' | 'stop' | 'first', number>>;
}

/** Runs in the reader's thread from its source text, so it uses nothing from around it. */
function readFrames(): void {
  const { readSync } = process.getBuiltinModule('node:fs');
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads');
  const { fd, memory, ring, ringBytes, frameBytes, skew, control, entries, lookInterval, words } =
    workerData as ReaderData;
  const bytes = new Uint8Array(memory);
  const shared = new Int32Array(control);
  const { produced, consumed, sleeps, waits, stop, first } = words;
  const options = { offset: 0, length: frameBytes, position: null };

  /** Room for the largest frame at `place`, given the oldest frame that is still in use. */
  const free = (place: number): boolean => {
    const used = Atomics.load(shared, consumed);
    const waiting = (Atomics.load(shared, produced) - used) | 0;
    if (waiting === 0) return true;
    if (waiting === entries) return false;
    const oldest = shared[first + 2 * (used & (entries - 1))] - skew;
    return oldest < place || place + skew + frameBytes <= oldest;
  };

  let place = 0;
  try {
    while (Atomics.load(shared, stop) === 0) {
      // Behind the last frame, or at the beginning where that does not fit: only there the oldest can be in the way.
      if (place + skew + frameBytes > ringBytes) place = 0;
      while (!free(place)) {
        const used = Atomics.load(shared, consumed);
        Atomics.store(shared, waits, 1);
        if (!free(place)) Atomics.wait(shared, consumed, used, lookInterval);
        if (Atomics.load(shared, stop) !== 0) return;
      }
      options.offset = ring + place + skew;
      const length = readSync(fd, bytes, options);
      if (length === 0) throw new Error('end of file');
      const entry = Atomics.load(shared, produced);
      shared[first + 2 * (entry & (entries - 1))] = place + skew;
      shared[first + 2 * (entry & (entries - 1)) + 1] = length;
      Atomics.store(shared, produced, (entry + 1) | 0);
      place += (skew + length + 15) & ~15;
      if (Atomics.exchange(shared, sleeps, 0) === 1) parentPort?.postMessage(undefined);
    }
  } catch (error) {
    parentPort?.postMessage((error as NodeJS.ErrnoException).code ?? String(error));
  }
}

export interface FrameRing {
  readonly memory: SharedArrayBuffer;
  /** Start and size in the memory; a multiple of 16, and room for several of the largest frames. */
  readonly at: number;
  readonly bytes: number;
  /** The largest frame. */
  readonly frameBytes: number;
  /** Where in its first 16 bytes a frame begins. */
  readonly skew: number;
}

export class FrameReader {
  /** Gets each frame's place in the memory. It stays there until this returns. */
  onFrame: ((at: number, length: number) => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  /** Times that frames lay in the ring and nobody had been told. */
  missedWakeUps = 0;
  readonly #fd: number;
  readonly #ring: FrameRing;
  readonly #control = new SharedArrayBuffer(4 * (FIRST_ENTRY + 2 * ENTRIES));
  readonly #shared = new Int32Array(this.#control);
  #exited: Promise<void> = Promise.resolve();
  #look: NodeJS.Timeout | undefined;
  #consumedAtLook = -1;
  #paused = false;
  #scheduled = false;
  #stopped = false;

  constructor(fd: number, ring: FrameRing) {
    this.#fd = fd;
    this.#ring = ring;
  }

  start(): void {
    const { memory, at, bytes, frameBytes, skew } = this.#ring;
    const workerData: ReaderData = {
      fd: this.#fd,
      memory,
      ring: at,
      ringBytes: bytes,
      frameBytes,
      skew,
      control: this.#control,
      entries: ENTRIES,
      lookInterval: LOOK_INTERVAL,
      words: {
        produced: PRODUCED,
        consumed: CONSUMED,
        sleeps: CONSUMER_SLEEPS,
        waits: PRODUCER_WAITS,
        stop: STOP,
        first: FIRST_ENTRY,
      },
    };
    Atomics.store(this.#shared, CONSUMER_SLEEPS, 1);
    const worker = new Worker(`(${readFrames.toString()})()`, {
      eval: true,
      name: 'frame-reader',
      workerData,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
    });
    worker.on('message', (reason: string | undefined) => {
      if (reason === undefined) this.#work();
      else this.#close(reason);
    });
    worker.on('error', (error) => this.#close(error.message));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => resolve());
    });
    this.#look = setInterval(() => this.#lookForFrames(), LOOK_INTERVAL);
    this.#look.unref();
  }

  /** Frames stay in the ring; when it is full, the kernel's queue fills, and its senders slow down. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  /** No frame comes after this. Resolves when no read is under way: after the interface was deleted. */
  stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#look);
    Atomics.store(this.#shared, STOP, 1);
    Atomics.notify(this.#shared, CONSUMED);
    return this.#exited;
  }

  #close(reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#look);
    this.onClosed?.(`the interface cannot be read: ${reason}`);
  }

  /** Frames that lie there since the last look, and no frame was worked on meanwhile: a wake-up was missed. */
  #lookForFrames(): void {
    const consumed = Atomics.load(this.#shared, CONSUMED);
    const waiting = consumed !== Atomics.load(this.#shared, PRODUCED);
    if (waiting && consumed === this.#consumedAtLook && !this.#paused && !this.#scheduled) {
      this.missedWakeUps++;
      this.#work();
    }
    // Not yet comparable with a look that found the ring empty.
    this.#consumedAtLook = waiting ? consumed : -1;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#work();
    });
  }

  /** Works on what waits, then sleeps; what comes between the last look and the sleep is seen by the second look. */
  #work(): void {
    const shared = this.#shared;
    for (let frames = 0; !this.#stopped && !this.#paused; frames++) {
      const consumed = Atomics.load(shared, CONSUMED);
      if (consumed === Atomics.load(shared, PRODUCED)) {
        Atomics.store(shared, CONSUMER_SLEEPS, 1);
        if (consumed === Atomics.load(shared, PRODUCED)) return;
        Atomics.store(shared, CONSUMER_SLEEPS, 0);
      }
      if (frames === FRAMES_PER_TURN) {
        this.#schedule();
        return;
      }
      const entry = FIRST_ENTRY + 2 * (consumed & (ENTRIES - 1));
      this.onFrame?.(this.#ring.at + shared[entry], shared[entry + 1]);
      Atomics.store(shared, CONSUMED, (consumed + 1) | 0);
      if (Atomics.exchange(shared, PRODUCER_WAITS, 0) === 1) Atomics.notify(shared, CONSUMED);
    }
  }
}
