/** Takes UDP sockets over from Node: their descriptors, the options the threads need, and no more reading by libuv. */

import { createSocket, type Socket } from 'node:dgram';
import type { UdpSockets } from '../platform/tunnel.js';
import { descriptorOf } from '../platform/udp-sockets.js';
import { NativeMissingError } from './linux.js';

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_IP = 0;
const IP_PKTINFO = 8;
const IP_RECVTOS = 13;
const SOL_IPV6 = 41;
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
