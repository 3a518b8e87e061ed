/** The sending thread: frames from TUN, sealed messages to the UDP sockets. */

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
  readonly #vectorBytes: number;
  /** TUN said that it had nothing more. */
  #drained = true;

  constructor(thread: LaneThread) {
    this.#thread = thread;
    const { data, lane, call } = thread;
    this.#view = new DataView(data.memory.buffer);
    this.#frame = lane.input + FRAME_SKEW;
    this.#vectorBytes = thread.constant('VECTOR_BYTES');
    call.initOutward(data.vectors, data.room, data.roomBytes, data.ring);
  }

  /** Until told to stop: undefined; or why it cannot go on. */
  run(): string | undefined {
    const thread = this.#thread;
    while (!thread.stopped) {
      // Between two turns nothing waits to be sent: new descriptors may be used, the old ones are let go.
      thread.setWord(STATE.seen, thread.word(STATE.asked));
      const tun = thread.word(STATE.tun);
      if (this.#drained) {
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
    const { linux, call, base } = this.#thread;
    const now = this.#thread.now();
    this.#drained = false;
    for (let frames = 0; frames < FRAMES_PER_TURN; frames++) {
      const length = linux.read(tun, base + this.#frame, FRAME_BYTES);
      if (length < 0) {
        const errno = linux.errno();
        if (errno === EINTR) continue;
        if (errno !== EAGAIN) return `the interface cannot be read: ${errnoName(errno)}`;
        this.#drained = true;
        break;
      }
      let result = call.outward(this.#frame, length, now);
      while (result === FULL) {
        this.#send();
        if (this.#thread.stopped) return undefined;
        result = call.goOutward();
      }
      if (call.outwardBytes() >= SEND_BYTES) this.#send();
    }
    this.#send();
    this.#thread.wakeControl();
    return undefined;
  }

  /** Sends all runs. Waits while the sockets are full: TUN's queue then fills, and its senders slow down. */
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
    this.#thread.count('sendWaits', 1);
    this.#thread.wait([fd], [POLLOUT], CONGESTION_LOOK);
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
