/**
 * Segmentation (UDP_SEGMENT) and coalescing (UDP_GRO) on Node's own UDP sockets. Node can neither set these options
 * nor pass control messages, so they are set for the whole socket: a send of up to one segment goes out as it is, a
 * longer one is cut by the kernel into datagrams of exactly that size and a last, shorter one.
 */

import type { Socket } from 'node:dgram';
import { getSystemErrorName } from 'node:util';
import { descriptorOf } from '../platform/udp-sockets.js';
import { callOnDescriptor, type DescriptorCall, HelperMissingError } from './ioctl-helper.js';

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;

export interface SocketOffload {
  /** Bytes of a segment; 0: sends are not cut. */
  segment: number;
  /** A received buffer may hold several datagrams. */
  gro: boolean;
}

export interface SocketBuffers {
  /** Bytes. Beyond the system's maximum only with CAP_NET_ADMIN, else the maximum. */
  readonly send: number;
  readonly receive: number;
}

/**
 * Asks for both offloads and for larger buffers; what the kernel refuses stays off. Never throws for a refusal:
 * `reason` then says what was refused.
 */
export function enableUdpOffload(
  socket: Socket,
  port: number,
  segment: number,
  buffers: SocketBuffers,
): { offload: SocketOffload; reason: string | undefined } {
  // The unprivileged request first: where forcing is forbidden its effect stays.
  const calls: DescriptorCall[] = [
    { kind: 'setsockopt', level: SOL_SOCKET, option: SO_RCVBUF, value: buffers.receive },
    { kind: 'setsockopt', level: SOL_SOCKET, option: SO_SNDBUF, value: buffers.send },
    { kind: 'setsockopt', level: SOL_SOCKET, option: SO_RCVBUFFORCE, value: buffers.receive },
    { kind: 'setsockopt', level: SOL_SOCKET, option: SO_SNDBUFFORCE, value: buffers.send },
    { kind: 'setsockopt', level: SOL_UDP, option: UDP_SEGMENT, value: segment },
    { kind: 'setsockopt', level: SOL_UDP, option: UDP_GRO, value: 1 },
  ];
  try {
    const results = callOnDescriptor(descriptorOf(socket, port), calls);
    const [, , , , segmented, merged] = results;
    const refused = [segmented, merged].find((result) => result.errno !== 0);
    return {
      offload: { segment: segmented.errno === 0 ? segment : 0, gro: merged.errno === 0 },
      reason:
        refused &&
        `the kernel refuses UDP ${segmented.errno === 0 ? 'GRO' : 'GSO'}: ${getSystemErrorName(-refused.errno)}`,
    };
  } catch (error) {
    if (!(error instanceof HelperMissingError)) throw error;
    return { offload: { segment: 0, gro: false }, reason: error.message };
  }
}

/** Changes the segment size of a socket, 0 to switch segmentation off. Blocks for some 10 ms. False when refused. */
export function setSegment(socket: Socket, port: number, segment: number): boolean {
  const [result] = callOnDescriptor(descriptorOf(socket, port), [
    { kind: 'setsockopt', level: SOL_UDP, option: UDP_SEGMENT, value: segment },
  ]);
  return result.errno === 0;
}
