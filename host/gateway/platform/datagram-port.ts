/** A bound place to receive and send datagrams: a UDP socket of the kernel or of the minimal mode's user space. */

import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { SocketAddress } from './forward-rule.js';

export interface DatagramPort {
  onDatagram: ((bytes: Uint8Array, from: SocketAddress) => void) | undefined;
  send(bytes: Uint8Array, to: SocketAddress): void;
  close(): void;
}

/** A kernel socket. What cannot be sent is lost, as UDP may be. */
export class SocketPort implements DatagramPort {
  onDatagram: ((bytes: Uint8Array, from: SocketAddress) => void) | undefined;
  private readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (bytes, from) => this.onDatagram?.(bytes, { host: from.address, port: from.port }));
    // ICMP errors: the other side is not there (yet).
    socket.on('error', () => {});
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    this.socket.send(bytes, to.port, to.host, ignoreError);
  }

  close(): void {
    this.socket.close();
  }
}

/** A socket on a free port for one flow towards `target`. */
export function openSocketPort(target: SocketAddress): Promise<DatagramPort> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
    socket.once('error', reject);
    socket.bind(0, () => {
      socket.off('error', reject);
      resolve(new SocketPort(socket));
    });
  });
}

function ignoreError(): void {}
