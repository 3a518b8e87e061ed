/** The receiving thread: batches from the UDP sockets, opened and merged packets to TUN. */

import { errnoName, type LaneThread } from './lane.js';
import { STATE } from './lane-state.js';
import { EAGAIN, EINTR, MSG_DONTWAIT, POLLERR, POLLIN } from './linux.js';

/** Most buffers of one receive; VECTOR_MESSAGES of the kernel. */
const MOST_BUFFERS = 64;
/** Buffers of one receive while they come merged: together about what the processor's cache holds. */
const FEW_BUFFERS = 4;
/** Bytes from which on a buffer counts as merged. */
const MERGED_BYTES = 16_384;
/** Receives from one socket before the other has its turn. */
const RECEIVES_PER_TURN = 8;

export class InwardLoop {
  readonly #thread: LaneThread;
  #buffers = MOST_BUFFERS;

  constructor(thread: LaneThread) {
    this.#thread = thread;
    const { data, call } = thread;
    call.initInward(data.vectors, data.room, data.ring);
  }

  run(): string | undefined {
    const thread = this.#thread;
    const events = [POLLIN, POLLIN];
    while (!thread.stopped) {
      thread.setWord(STATE.seen, thread.word(STATE.asked));
      const sockets = [thread.word(STATE.udp4), thread.word(STATE.udp6)];
      thread.wait(sockets, events, -1);
      for (let i = 0; i < sockets.length; i++) {
        if (sockets[i] < 0 || thread.ready(i) === 0) continue;
        const ended = this.#receive(sockets[i], (thread.ready(i) & POLLERR) !== 0);
        if (ended !== undefined) return ended;
      }
    }
    return undefined;
  }

  #receive(fd: number, hasError: boolean): string | undefined {
    const { linux, call, base, data } = this.#thread;
    for (let receives = 0; receives < RECEIVES_PER_TURN && !this.#thread.stopped; receives++) {
      const asked = this.#buffers;
      const count = linux.recvmmsg(fd, base + data.vectors, asked, MSG_DONTWAIT, 0);
      if (count < 0) {
        const errno = linux.errno();
        if (errno === EAGAIN) return undefined;
        // An ICMP answer to something sent: told once and then forgotten.
        if (errno === EINTR || hasError) continue;
        if (receives > 0) return undefined;
        return `the UDP socket cannot be read: ${errnoName(errno)}`;
      }
      const bytes = call.inward(count, this.#thread.now());
      this.#deliver();
      call.prepareInward(count);
      this.#thread.wakeControl();
      this.#buffers = bytes / Math.max(count, 1) >= MERGED_BYTES ? FEW_BUFFERS : MOST_BUFFERS;
      if (count < asked) return undefined;
      this.#thread.turn();
    }
    return undefined;
  }

  /** Writes what was delivered to TUN. */
  #deliver(): void {
    const thread = this.#thread;
    const { linux, call, base, lane } = thread;
    const tun = thread.word(STATE.tun);
    const count = call.finishDeliveries();
    for (let i = 0; i < count; i++) {
      const at = lane.deliveries[2 * i];
      const length = lane.deliveries[2 * i + 1];
      if (linux.write(tun, base + at, length) >= 0) thread.count('framesWritten', 1);
      // The interface is down, has no room, or the packet is malformed: it is lost, as packets may be.
      else thread.count('tunnelDropped', 1);
    }
    call.clearDeliveries();
  }
}
