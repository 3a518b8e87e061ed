/**
 * An operating system of arrays for the threads of tier T1: frames wait to be read, what is written and sent is kept.
 * It reads and writes the very structures in the kernel's memory that Linux would. Nothing blocks: when there is no more
 * to do, the thread is told to end.
 */

import type { Linux } from '../../host/gateway/native/linux.js';

const EAGAIN = 11;
const POLLIN = 1;
const POLLOUT = 4;
const EVENT = 3;
export const TUN = 4;
export const UDP = 5;
/** Where the memory seems to begin unless told: a number that nobody adds to an address by accident. */
const BASE = 0x7100_0000_0000;

// struct mmsghdr, struct cmsghdr; socket levels and options of Linux
const MMSGHDR_BYTES = 64;
const SOL_IP = 0;
const IP_TOS = 1;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const AF_INET = 2;

export interface Arriving {
  /** Datagrams of one length and a perhaps shorter last one. */
  readonly datagrams: readonly Uint8Array[];
  /** Four bytes of IPv4, and the port. */
  readonly address: Uint8Array;
  readonly port: number;
  readonly trafficClass: number;
}

export interface Sent {
  readonly bytes: Uint8Array;
  readonly trafficClass: number;
}

export class MemoryLinux implements Linux {
  /** Frames that TUN still gives, and those that were written to it. */
  readonly frames: Uint8Array[] = [];
  readonly written: Uint8Array[] = [];
  readonly arriving: Arriving[] = [];
  readonly sent: Sent[] = [];
  /** Called by a `poll` that finds nothing. */
  onIdle: () => void = () => {};
  /** Told how many messages of a call are wanted: how many are sent now, 0 when the socket is full. */
  room: (count: number) => number = (count) => count;
  readonly #baseOf: (memory: SharedArrayBuffer) => number;
  #base = BASE;
  #memory = new Uint8Array(new SharedArrayBuffer(0));
  #view = new DataView(this.#memory.buffer);
  #errno = 0;

  /** `baseOf` gives the memory's true address, for whoever uses it beside this. */
  constructor(baseOf: (memory: SharedArrayBuffer) => number = () => BASE) {
    this.#baseOf = baseOf;
  }

  errno(): number {
    return this.#errno;
  }

  addressOf(memory: SharedArrayBuffer): number {
    this.#memory = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#base = this.#baseOf(memory);
    return this.#base;
  }

  #at(address: number | bigint): number {
    const at = Number(address) - this.#base;
    if (!(at >= 0x1000 && at < this.#memory.length)) throw new Error(`a wild address: ${address}`);
    return at;
  }

  #fail(errno: number): number {
    this.#errno = errno;
    return -1;
  }

  read(fd: number, at: number, length: number): number {
    if (fd === EVENT) return 8;
    const frame = this.frames.shift();
    if (fd !== TUN || frame === undefined) return this.#fail(EAGAIN);
    if (frame.length > length) throw new Error('a frame does not fit where it is read to');
    this.#memory.set(frame, this.#at(at));
    return frame.length;
  }

  write(fd: number, at: number, length: number): number {
    if (fd === EVENT) return 8;
    if (fd !== TUN) throw new Error(`write to ${fd}`);
    const from = this.#at(at);
    this.written.push(this.#memory.slice(from, from + length));
    return length;
  }

  close(): number {
    return 0;
  }

  poll(fds: number, count: number): number {
    let found = 0;
    for (let i = 0; i < count; i++) {
      const at = this.#at(fds) + 8 * i;
      const fd = this.#view.getInt32(at, true);
      const events = this.#view.getInt16(at + 4, true);
      const readable = (fd === TUN && this.frames.length > 0) || (fd === UDP && this.arriving.length > 0);
      const now = events & ((readable ? POLLIN : 0) | (fd === UDP ? POLLOUT : 0));
      this.#view.setInt16(at + 6, now, true);
      if (now !== 0) found++;
    }
    if (found === 0) this.onIdle();
    return found;
  }

  sendmsg(fd: number, message: number): number {
    if (fd !== UDP) throw new Error(`sendmsg to ${fd}`);
    if (this.room(1) === 0) return this.#fail(EAGAIN);
    return this.#send(this.#at(message));
  }

  sendmmsg(fd: number, messages: number, count: number): number {
    if (fd !== UDP) throw new Error(`sendmmsg to ${fd}`);
    const now = this.room(count);
    if (now === 0) return this.#fail(EAGAIN);
    for (let i = 0; i < now; i++) this.#send(this.#at(messages) + MMSGHDR_BYTES * i);
    return now;
  }

  /** One message, cut as its control messages ask. */
  #send(header: number): number {
    const view = this.#view;
    const iovec = this.#at(view.getBigUint64(header + 16, true));
    if (view.getBigUint64(header + 24, true) !== 1n) throw new Error('not one buffer');
    const name = this.#at(view.getBigUint64(header, true));
    if (view.getUint16(name, true) !== AF_INET) throw new Error('not to an IPv4 address');
    const from = this.#at(view.getBigUint64(iovec, true));
    const length = Number(view.getBigUint64(iovec + 8, true));
    const control = this.#control(header);
    const segment = control.get(`${SOL_UDP} ${UDP_SEGMENT}`);
    const size = segment === undefined ? length : view.getUint16(segment, true);
    const tos = control.get(`${SOL_IP} ${IP_TOS}`);
    const trafficClass = tos === undefined ? 0 : view.getInt32(tos, true);
    if (length > 65_507 || Math.ceil(length / size) > 64) throw new Error('more than one send can carry');
    for (let done = 0; done < length; done += size) {
      const bytes = this.#memory.slice(from + done, from + Math.min(done + size, length));
      this.sent.push({ bytes, trafficClass });
    }
    return length;
  }

  /** Where the data of each control message lies, by level and type. */
  #control(header: number): Map<string, number> {
    const view = this.#view;
    const found = new Map<string, number>();
    const length = Number(view.getBigUint64(header + 40, true));
    const first = this.#at(view.getBigUint64(header + 32, true));
    for (let place = first; place + 16 <= first + length; ) {
      const size = Number(view.getBigUint64(place, true));
      if (size < 16 || place + size > first + length) throw new Error('a broken control message');
      found.set(`${view.getInt32(place + 8, true)} ${view.getInt32(place + 12, true)}`, place + 16);
      place += (size + 7) & ~7;
    }
    return found;
  }

  recvmmsg(fd: number, messages: number, count: number): number {
    if (fd !== UDP) throw new Error(`recvmmsg from ${fd}`);
    if (this.arriving.length === 0) return this.#fail(EAGAIN);
    let got = 0;
    for (; got < count; got++) {
      const next = this.arriving.shift();
      if (next === undefined) break;
      this.#receive(this.#at(messages) + MMSGHDR_BYTES * got, next);
    }
    return got;
  }

  #receive(header: number, { datagrams, address, port, trafficClass }: Arriving): void {
    const view = this.#view;
    const iovec = this.#at(view.getBigUint64(header + 16, true));
    const to = this.#at(view.getBigUint64(iovec, true));
    const room = Number(view.getBigUint64(iovec + 8, true));
    let length = 0;
    for (const bytes of datagrams) {
      if (length + bytes.length > room) throw new Error('more than one buffer takes');
      this.#memory.set(bytes, to + length);
      length += bytes.length;
    }
    view.setUint32(header + 56, length, true);
    view.setUint32(header + 48, 0, true);
    const name = this.#at(view.getBigUint64(header, true));
    if (view.getUint32(header + 8, true) < 16) throw new Error('no room for a name');
    view.setUint16(name, AF_INET, true);
    view.setUint16(name + 2, port, false);
    this.#memory.set(address, name + 4);
    view.setUint32(header + 8, 16, true);
    const first = this.#at(view.getBigUint64(header + 32, true));
    let control = this.#writeControl(first, SOL_IP, IP_TOS, 1, trafficClass);
    if (datagrams.length > 1)
      control += this.#writeControl(first + control, SOL_UDP, UDP_GRO, 4, datagrams[0].length);
    if (control > Number(view.getBigUint64(header + 40, true)))
      throw new Error('no room for control messages');
    view.setBigUint64(header + 40, BigInt(control), true);
  }

  #writeControl(place: number, level: number, type: number, bytes: 1 | 4, value: number): number {
    const view = this.#view;
    view.setBigUint64(place, BigInt(16 + bytes), true);
    view.setInt32(place + 8, level, true);
    view.setInt32(place + 12, type, true);
    if (bytes === 1) view.setUint8(place + 16, value);
    else view.setInt32(place + 16, value, true);
    return 24;
  }

  setsockopt(): number {
    return 0;
  }

  getsockopt(): number {
    return 0;
  }

  ioctl(): number {
    return 0;
  }

  eventfd(): number {
    return EVENT;
  }

  fcntl(): number {
    return 0;
  }
}
