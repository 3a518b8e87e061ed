/**
 * The few calls of Linux that Node does not have, through koffi: an optional dependency, loaded only here. Pointers are
 * numbers: every address given to the operating system lies in the kernel's WebAssembly memory, which neither moves nor
 * is collected.
 */

import { createRequire } from 'node:module';
import { endianness } from 'node:os';

/** Why the native tier cannot be had on this host: one clause for the owner. */
export class NativeMissingError extends Error {
  override name = 'NativeMissingError';
}

/** Structures in the kernel's memory are laid out for 64-bit little-endian Linux. */
const ARCHITECTURES = new Set(['x64', 'arm64', 'riscv64', 'loong64']);

// errno.h, the same on all of these
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EINVAL = 22;
export const EMSGSIZE = 90;
export const EADDRNOTAVAIL = 99;
export const ENOBUFS = 105;

// poll.h
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 16;
export const POLLNVAL = 32;

export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_GETFL = 3;
const F_SETFL = 4;

/** Results are those of C: -1 with `errno` on failure. Nothing here blocks but `poll` with a timeout. */
export interface Linux {
  errno(): number;
  /** Where a shared memory begins. */
  addressOf(memory: SharedArrayBuffer): number;
  read(fd: number, at: number, length: number): number;
  write(fd: number, at: number, length: number): number;
  close(fd: number): number;
  poll(fds: number, count: number, timeout: number): number;
  sendmsg(fd: number, message: number, flags: number): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  setsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  eventfd(initial: number, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
}

/** What making sockets takes beside. */
export interface LinuxSockets extends Linux {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
}

/** What is used of koffi. */
export interface Koffi {
  /** Only what the process has loaded already: a second copy of a library may clash with Node's own. */
  load(path: null): { func(definition: string): unknown };
  address(value: unknown): bigint;
  errno(): number;
}

const CALLS = {
  read: 'int64_t read(int, uintptr_t, size_t)',
  write: 'int64_t write(int, uintptr_t, size_t)',
  close: 'int close(int)',
  poll: 'int poll(uintptr_t, unsigned long, int)',
  sendmsg: 'int64_t sendmsg(int, uintptr_t, int)',
  sendmmsg: 'int sendmmsg(int, uintptr_t, unsigned int, int)',
  recvmmsg: 'int recvmmsg(int, uintptr_t, unsigned int, int, uintptr_t)',
  setsockopt: 'int setsockopt(int, int, int, uintptr_t, unsigned int)',
  getsockopt: 'int getsockopt(int, int, int, uintptr_t, uintptr_t)',
  ioctl: 'int ioctl(int, unsigned long, uintptr_t)',
  eventfd: 'int eventfd(unsigned int, int)',
  fcntl: 'int fcntl(int, int, int)',
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, uintptr_t, unsigned int)',
} as const;

/** Throws {@link NativeMissingError}. */
export function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === 'MODULE_NOT_FOUND' ? 'it is not installed' : firstLine(error);
    throw new NativeMissingError(`the package koffi cannot be loaded: ${reason}`);
  }
}

/** Loads koffi and finds the calls in the running process. Throws {@link NativeMissingError}. */
export function loadLinux(): LinuxSockets {
  if (process.platform !== 'linux') throw new NativeMissingError(`${process.platform} is not Linux`);
  if (!ARCHITECTURES.has(process.arch) || endianness() !== 'LE') {
    throw new NativeMissingError(`the native tier is not made for ${process.arch}`);
  }
  const koffi = loadKoffi();
  try {
    const self = koffi.load(null);
    const calls = Object.fromEntries(
      Object.entries(CALLS).map(([name, definition]) => [name, self.func(definition)]),
    );
    return {
      ...(calls as unknown as Omit<LinuxSockets, 'errno' | 'addressOf'>),
      errno: () => koffi.errno(),
      addressOf: (memory) => Number(koffi.address(new Uint8Array(memory))),
    };
  } catch (error) {
    throw new NativeMissingError(`this C library lacks something: ${firstLine(error)}`);
  }
}

/** A descriptor that wakes a `poll`. */
export function openEvent(linux: Linux): number {
  const fd = linux.eventfd(0, O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw new NativeMissingError(`no event descriptor (errno ${linux.errno()})`);
  return fd;
}

/** Applies to the open file, so to everybody who shares it. False when refused. */
export function setNonBlocking(linux: Linux, fd: number, nonBlocking: boolean): boolean {
  const flags = linux.fcntl(fd, F_GETFL, 0);
  if (flags < 0) return false;
  return linux.fcntl(fd, F_SETFL, nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) === 0;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}
