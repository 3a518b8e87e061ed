/** The sending thread: frames from TUN, sealed messages to the UDP sockets. */

import { Codel } from './codel.js';
import { FrameQueue } from './frame-queue.js';
import { errnoName, type LaneThread } from './lane.js';
import { STATE } from './lane-state.js';
import {
  EADDRNOTAVAIL,
  EAGAIN,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  POLLERR,
  POLLIN,
  POLLOUT,
} from './linux.js';

/** The largest frame. */
const FRAME_BYTES = 65_545;
/** Where in 16 bytes a frame begins, so that its packet is aligned. */
const FRAME_SKEW = 6;
/** Frames after which the thread looks around, also under load. */
const FRAMES_PER_TURN = 64;
/** Sealed bytes after which they are sent although more frames wait: they are still in the processor's cache. */
const SEND_BYTES = 60_000;
/** ms after which a full socket is looked at without being told that it has room. */
const CONGESTION_LOOK = 20;
/** Frames that wait for a full socket at most; in bytes, what is left of the lane. */
const QUEUE_FRAMES = 1024;
/** From the place of one frame to that of another. */
const LOST_DISTANCE = 0x20000;
/** What a short frame holds, as its header has it, in bytes: less than that behind a frame is no queue. */
const SHORT_FRAME = 1600;
const VNET_BYTES = 10;
const FULL = 1;
const FAMILIES = [4, 6] as const;

// struct mmsghdr and struct iovec; see wasm/assembly/vector.ts
const HEADER_BYTES = 64;
const HEADER_CONTROL_LENGTH = 40;
const IOVECS = 0x1000;
const CONTROLS = 0x1c00;
const CONTROL_BYTES = 128;

export class OutwardLoop {
  readonly #thread: LaneThread;
  readonly #view: DataView;
  readonly #frame: number;
  /** Where frames go for which there is no room. */
  readonly #lost: number;
  readonly #vectorBytes: number;
  /** Frames that came while a socket was full. TUN's own queue would keep them, too, but not tell since when. */
  readonly #queue: FrameQueue;
  readonly #codel = new Codel();
  /** TUN said that it had nothing more. */
  #drained = true;
  #tunEnded: string | undefined;

  constructor(thread: LaneThread) {
    this.#thread = thread;
    const { data, lane, call } = thread;
    this.#view = new DataView(data.memory.buffer);
    this.#frame = lane.input + FRAME_SKEW;
    this.#lost = this.#frame + LOST_DISTANCE;
    this.#vectorBytes = thread.constant('VECTOR_BYTES');
    const queueAt = lane.base + thread.constant('SUPERS');
    const queueBytes = thread.constant('LANE_BYTES') - thread.constant('SUPERS');
    this.#queue = new FrameQueue(queueAt, queueBytes, FRAME_BYTES, FRAME_SKEW, QUEUE_FRAMES);
    call.initOutward(data.vectors, data.room, data.roomBytes, data.ring);
  }

  /** Until told to stop: undefined; or why it cannot go on. */
  run(): string | undefined {
    const thread = this.#thread;
    while (!thread.stopped) {
      // Between two turns nothing waits to be sent: new descriptors may be used, the old ones are let go.
      thread.setWord(STATE.seen, thread.word(STATE.asked));
      const tun = thread.word(STATE.tun);
      if (this.#drained && this.#queue.count === 0) {
        thread.wait([tun], [POLLIN], -1);
        if ((thread.ready(0) & POLLERR) !== 0) return 'the interface is gone';
        if (thread.ready(0) === 0) continue;
      } else thread.turn();
      const ended = this.#turn(tun);
      if (ended !== undefined) return ended;
    }
    return undefined;
  }

  #turn(tun: number): string | undefined {
    const { linux, base } = this.#thread;
    const now = this.#thread.now();
    this.#drained = false;
    for (let frames = 0; frames < FRAMES_PER_TURN && !this.#thread.stopped; frames++) {
      if (this.#queue.take(now)) {
        if (!this.#dropsLate(now)) this.#outward(this.#queue.at, this.#queue.length, now);
        continue;
      }
      const length = linux.read(tun, base + this.#frame, FRAME_BYTES);
      if (length >= 0) this.#outward(this.#frame, length, now);
      else {
        this.#notRead(linux.errno());
        if (this.#drained || this.#tunEnded !== undefined) break;
      }
    }
    this.#send();
    this.#thread.wakeControl();
    return this.#tunEnded;
  }

  #outward(at: number, length: number, now: number): void {
    const { call } = this.#thread;
    let result = call.outward(at, length, now);
    while (result === FULL && !this.#thread.stopped) {
      this.#send();
      result = call.goOutward();
    }
    if (call.outwardBytes() >= SEND_BYTES) this.#send();
  }

  #notRead(errno: number): void {
    if (errno === EAGAIN) this.#drained = true;
    else if (errno !== EINTR) this.#tunEnded = `the interface cannot be read: ${errnoName(errno)}`;
  }

  /** The frame taken last waited too long: it is dropped, or its sender is told by a mark, which drops nothing. */
  #dropsLate(now: number): boolean {
    const { at, waited, waiting } = this.#queue;
    if (!this.#codel.drops(now, waited, waiting, SHORT_FRAME)) return false;
    if (this.#thread.call.markCongestion(at + VNET_BYTES) !== 0) {
      this.#thread.count('congestionMarked', 1);
      return false;
    }
    this.#thread.count('congestionDropped', 1);
    return true;
  }

  /** Frames that TUN has now go to the queue; what finds no room there is dropped. */
  #takeIn(tun: number): void {
    const { linux, base } = this.#thread;
    const now = this.#thread.now();
    for (let frames = 0; frames < FRAMES_PER_TURN; frames++) {
      const place = this.#queue.place();
      const length = linux.read(tun, base + (place === 0 ? this.#lost : place), FRAME_BYTES);
      if (length < 0) {
        this.#notRead(linux.errno());
        return;
      }
      if (place === 0) this.#thread.count('congestionDropped', 1);
      else this.#queue.push(place, length, now);
    }
  }

  /** Sends all runs. While a socket is full, frames wait in the queue. */
  #send(): void {
    const { call, data } = this.#thread;
    for (const family of FAMILIES) {
      const count = call.finishOutward(family);
      if (count > 0) this.#sendVector(family, data.vectors + (family === 4 ? 0 : this.#vectorBytes), count);
    }
    call.clearOutward();
  }

  #sendVector(family: 4 | 6, vector: number, count: number): void {
    const thread = this.#thread;
    const { linux, base } = thread;
    const fd = thread.word(family === 4 ? STATE.udp4 : STATE.udp6);
    if (fd < 0) {
      thread.count('sendDropped', count);
      return;
    }
    let done = 0;
    if (thread.word(STATE.noSegmentation) !== 0) {
      for (; done < count; done++) this.#sendPieces(fd, vector, done);
      return;
    }
    while (done < count && !thread.stopped) {
      const at = base + vector + done * HEADER_BYTES;
      const left = count - done;
      const sent =
        left === 1
          ? linux.sendmsg(fd, at, MSG_DONTWAIT | MSG_NOSIGNAL) < 0
            ? -1
            : 1
          : linux.sendmmsg(fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0) {
        thread.count('sends', sent);
        done += sent;
        continue;
      }
      const errno = linux.errno();
      if (errno === EAGAIN) this.#waitForRoom(fd);
      else if (errno !== EINTR) this.#failed(fd, vector, done++, errno);
    }
  }

  #waitForRoom(fd: number): void {
    const thread = this.#thread;
    const tun = this.#tunEnded === undefined ? thread.word(STATE.tun) : -1;
    thread.count('sendWaits', 1);
    thread.wait([fd, tun], [POLLOUT, POLLIN], CONGESTION_LOOK);
    if ((thread.ready(1) & POLLERR) !== 0) this.#tunEnded = 'the interface is gone';
    else if (thread.ready(1) !== 0) this.#takeIn(tun);
  }

  /** One message was refused: it goes once more without what may be the reason, or is lost, as datagrams may be. */
  #failed(fd: number, vector: number, i: number, errno: number): void {
    const thread = this.#thread;
    const refusesLocal = errno === EINVAL || errno === EADDRNOTAVAIL;
    if (this.#segment(vector, i) !== 0 && (errno === EIO || errno === EMSGSIZE || refusesLocal)) {
      // No checksum offload on the way, or a path with a smaller MTU.
      if (errno === EIO) thread.setWord(STATE.noSegmentation, 1);
      this.#sendPieces(fd, vector, i);
      return;
    }
    if (refusesLocal && this.#controlLength(vector, i) !== 0) {
      this.#explain(vector, i, errno);
      this.#setControlLength(vector, i, 0);
      const at = thread.base + vector + i * HEADER_BYTES;
      if (thread.linux.sendmsg(fd, at, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        thread.count('sends', 1);
        return;
      }
    }
    thread.count('sendFailed', 1);
    this.#explain(vector, i, errno);
  }

  #explain(vector: number, i: number, errno: number): void {
    const thread = this.#thread;
    thread.setWord(STATE.sendOwner, thread.call.ownerOf(vector, i));
    thread.setWord(STATE.sendErrno, errno);
    thread.setWord(STATE.sendFailures, thread.word(STATE.sendFailures) + 1);
  }

  /** Sends the datagrams of a run one by one. */
  #sendPieces(fd: number, vector: number, i: number): void {
    const thread = this.#thread;
    const { linux, base } = thread;
    const iovec = vector + IOVECS + 16 * i;
    const start = this.#view.getBigUint64(iovec, true);
    const length = Number(this.#view.getBigUint64(iovec + 8, true));
    const stride = this.#segment(vector, i) || length;
    if (stride < length) this.#setControlLength(vector, i, this.#controlLength(vector, i) - 24);
    for (let done = 0; done < length && !thread.stopped; done += stride) {
      this.#view.setBigUint64(iovec, start + BigInt(done), true);
      this.#view.setBigUint64(iovec + 8, BigInt(Math.min(stride, length - done)), true);
      const at = base + vector + i * HEADER_BYTES;
      while (linux.sendmsg(fd, at, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && !thread.stopped) {
        const errno = linux.errno();
        if (errno === EAGAIN) {
          this.#waitForRoom(fd);
          continue;
        }
        if ((errno === EINVAL || errno === EADDRNOTAVAIL) && this.#controlLength(vector, i) !== 0) {
          this.#explain(vector, i, errno);
          this.#setControlLength(vector, i, 0);
          continue;
        }
        thread.count('sendFailed', 1);
        this.#explain(vector, i, errno);
        break;
      }
      thread.count('sends', 1);
    }
  }

  /** Size of the datagrams of a run, 0 when it is a single one: the last control message tells. */
  #segment(vector: number, i: number): number {
    const length = this.#controlLength(vector, i);
    if (length < 24) return 0;
    const place = vector + CONTROLS + CONTROL_BYTES * i + length - 24;
    const isSegment =
      this.#view.getInt32(place + 8, true) === 17 && this.#view.getInt32(place + 12, true) === 103;
    return isSegment ? this.#view.getUint16(place + 16, true) : 0;
  }

  #controlLength(vector: number, i: number): number {
    return Number(this.#view.getBigUint64(vector + HEADER_BYTES * i + HEADER_CONTROL_LENGTH, true));
  }

  #setControlLength(vector: number, i: number, length: number): void {
    this.#view.setBigUint64(vector + HEADER_BYTES * i + HEADER_CONTROL_LENGTH, BigInt(length), true);
  }
}
