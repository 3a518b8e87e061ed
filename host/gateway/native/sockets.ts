/** Takes UDP sockets over from Node: their descriptors, the options the threads need, and no more reading by libuv. */

import { createSocket, type Socket } from 'node:dgram';
import { parseScopedAddress } from '../../../src/packet/address.js';
import type { UdpSockets } from '../platform/tunnel.js';
import { descriptorOf } from '../platform/udp-sockets.js';
import { NativeMissingError } from './linux.js';

export const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_REUSEPORT = 15;
export const SO_MARK = 36;
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_IP = 0;
const IP_PKTINFO = 8;
const IP_RECVTOS = 13;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_RECVTCLASS = 66;
const SOL_UDP = 17;
const UDP_GRO = 104;

/** Receive room for bursts of whole super-packets; send room for some ten milliseconds of a fast link. */
const RECEIVE_BUFFER = 7 << 20;
const SEND_BUFFER = 4 << 20;

export interface SocketDescriptors {
  /** -1: there is none. */
  readonly udp4: number;
  readonly udp6: number;
  /** Both coalesce what comes in. */
  readonly gro: boolean;
}

/** Sets an option; false when the system refuses. */
export type SetOption = (fd: number, level: number, option: number, value: number) => boolean;

interface Handle {
  recvStop?(): number;
}

interface SocketState {
  readonly handle?: Handle;
}

/** Node's own state of a socket, which it keeps under a symbol. */
function handleOf(socket: Socket): Handle | undefined {
  const states = socket as unknown as Record<symbol, SocketState | undefined>;
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const handle = states[symbol]?.handle;
    if (typeof handle?.recvStop === 'function') return handle;
  }
  return undefined;
}

/** Throws {@link NativeMissingError} when this Node does not let its sockets be read by others. */
export function requireReleasableSockets(): void {
  const socket = createSocket('udp4');
  try {
    if (handleOf(socket) === undefined) {
      throw new NativeMissingError(`Node.js ${process.versions.node} does not let go of its UDP sockets`);
    }
  } finally {
    socket.close();
  }
}

/** Prepares both sockets. They stay open until they are closed as Node's sockets. */
export function takeSockets(sockets: UdpSockets, setOption: SetOption): SocketDescriptors {
  const { v4, v6, port } = sockets;
  const udp4 = v4 === undefined ? -1 : takeSocket(v4, port);
  const udp6 = v6 === undefined ? -1 : takeSocket(v6, port);
  return prepare(udp4, udp6, setOption);
}

/** Sockets beside those taken, on the same addresses and port: the kernel spreads peers among them. */
export interface MoreSockets {
  /** A descriptor, -1 when the system refuses. */
  open(family: number): number;
  /** Binds it; false when the system refuses. */
  bind(fd: number, name: Uint8Array): boolean;
  /** The firewall mark of a socket. */
  mark(fd: number): number;
  close(fd: number): void;
  readonly setOption: SetOption;
}

/**
 * Opens one more pair beside `first`, which was made of `sockets`. Undefined when the system refuses any of it: there
 * is one pair for all then.
 */
export function openBeside(
  sockets: UdpSockets,
  first: SocketDescriptors,
  system: MoreSockets,
): SocketDescriptors | undefined {
  const opened: number[] = [];
  const beside = (fd: number, socket: Socket | undefined): number | undefined => {
    if (socket === undefined) return -1;
    const { address, family, port } = socket.address();
    const six = family === 'IPv6';
    const another = system.open(six ? AF_INET6 : AF_INET);
    if (another < 0) return undefined;
    opened.push(another);
    const isReady =
      // The first socket was bound without it: the kernel begins the group when the second one comes.
      system.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
      system.setOption(another, SOL_SOCKET, SO_REUSEPORT, 1) &&
      (!six || system.setOption(another, SOL_IPV6, IPV6_V6ONLY, 1)) &&
      (system.mark(fd) === 0 || system.setOption(another, SOL_SOCKET, SO_MARK, system.mark(fd))) &&
      system.bind(another, socketName(address, port));
    return isReady ? another : undefined;
  };
  const udp4 = beside(first.udp4, sockets.v4);
  const udp6 = udp4 === undefined ? undefined : beside(first.udp6, sockets.v6);
  if (udp4 === undefined || udp6 === undefined) {
    for (const fd of opened) system.close(fd);
    return undefined;
  }
  return prepare(udp4, udp6, system.setOption);
}

/** Gives further sockets the mark of the first. */
export function followMark(from: number, to: number, system: MoreSockets): void {
  if (from >= 0 && to >= 0) system.setOption(to, SOL_SOCKET, SO_MARK, system.mark(from));
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. */
function socketName(text: string, port: number): Uint8Array {
  const address = parseScopedAddress(text)?.address ?? new Uint8Array(4);
  const six = address.length === 16;
  const name = new Uint8Array(six ? 28 : 16);
  name[0] = six ? AF_INET6 : AF_INET;
  name[2] = port >>> 8;
  name[3] = port;
  name.set(address, six ? 8 : 4);
  return name;
}

function prepare(udp4: number, udp6: number, setOption: SetOption): SocketDescriptors {
  let gro = true;
  for (const fd of [udp4, udp6]) {
    if (fd < 0) continue;
    // The unprivileged request first: where forcing is forbidden its effect stays.
    setOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    setOption(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
    setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
    gro = setOption(fd, SOL_UDP, UDP_GRO, 1) && gro;
  }
  if (udp4 >= 0) {
    setOption(udp4, SOL_IP, IP_PKTINFO, 1);
    setOption(udp4, SOL_IP, IP_RECVTOS, 1);
  }
  if (udp6 >= 0) {
    setOption(udp6, SOL_IPV6, IPV6_RECVPKTINFO, 1);
    setOption(udp6, SOL_IPV6, IPV6_RECVTCLASS, 1);
  }
  return { udp4, udp6, gro };
}

function takeSocket(socket: Socket, port: number): number {
  const fd = descriptorOf(socket, port);
  handleOf(socket)?.recvStop?.();
  return fd;
}
