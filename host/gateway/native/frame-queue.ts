/** Frames that wait for a full socket, in the lane's memory: bounded, and each with the time at which it came. */

const LINE = 64;

export class FrameQueue {
  /** Where the frame taken last lies, its length, and ms it waited. It stays there until the next `take`. */
  at = 0;
  length = 0;
  waited = 0;
  readonly #start: number;
  readonly #bytes: number;
  readonly #frame: number;
  readonly #skew: number;
  readonly #ats: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #times: Float64Array;
  readonly #capacity: number;
  #first = 0;
  #count = 0;
  /** 1: the first of them was taken and is still in use. */
  #held = 0;
  #next: number;
  #waiting = 0;

  /** `frame` is the largest frame; each begins `skew` bytes behind a cache line. At most `capacity` frames wait. */
  constructor(start: number, bytes: number, frame: number, skew: number, capacity: number) {
    this.#start = start;
    this.#bytes = bytes;
    this.#frame = frame;
    this.#skew = skew;
    this.#capacity = capacity;
    this.#ats = new Uint32Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#times = new Float64Array(capacity);
    this.#next = start;
  }

  /** Frames that wait. */
  get count(): number {
    return this.#count - this.#held;
  }

  /** Bytes of the frames that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Where the largest frame could be put now; 0 when the queue is full. */
  place(): number {
    if (this.#count === this.#capacity) return 0;
    const room = this.#skew + this.#frame;
    if (this.#count === 0) {
      this.#next = this.#start;
      return this.#next + this.#skew;
    }
    const oldest = this.#ats[this.#first] - this.#skew;
    const end = this.#start + this.#bytes;
    if (this.#next > oldest) {
      if (this.#next + room <= end) return this.#next + this.#skew;
      // Nothing wraps: on from the beginning, if the oldest is far enough.
      if (this.#start + room > oldest) return 0;
      return this.#start + this.#skew;
    }
    return this.#next + room <= oldest ? this.#next + this.#skew : 0;
  }

  /** The frame of `length` bytes that was put `at` the place came at `time`. */
  push(at: number, length: number, time: number): void {
    const i = (this.#first + this.#count) % this.#capacity;
    this.#ats[i] = at;
    this.#lengths[i] = length;
    this.#times[i] = time;
    this.#count++;
    this.#waiting += length;
    this.#next = Math.ceil((at + length) / LINE) * LINE;
  }

  /** Takes the oldest frame at `now`; false when there is none. */
  take(now: number): boolean {
    if (this.#held === 1) {
      this.#held = 0;
      this.#first = (this.#first + 1) % this.#capacity;
      this.#count--;
    }
    if (this.#count === 0) return false;
    this.#held = 1;
    const i = this.#first;
    this.at = this.#ats[i];
    this.length = this.#lengths[i];
    this.waited = now - this.#times[i];
    this.#waiting -= this.length;
    return true;
  }
}
