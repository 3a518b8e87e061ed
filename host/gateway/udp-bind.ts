import { createSocket, type Socket, type SocketType } from 'node:dgram';
import { EXIT, GatewayError, messageOf, systemCode } from './errors.js';

/** Socket buffers asked for, in bytes; the kernel gives at most `net.core.rmem_max`. */
const SOCKET_BUFFER = 7 << 20;
/** Tries to find a random port that is free for IPv4 and IPv6 alike. */
const RANDOM_PORT_TRIES = 32;

/** IPv4 and IPv6 apart (`IPV6_V6ONLY`), on one port. */
export interface UdpPair {
  readonly port: number;
  readonly v4: Socket | undefined;
  readonly v6: Socket | undefined;
  /** Why there is no IPv6; `undefined` when there is. */
  readonly v6Missing?: string | undefined;
}

/** Descriptors of bound UDP sockets that another process made. */
export interface UdpDescriptors {
  readonly v4?: number | undefined;
  readonly v6?: number | undefined;
}

/** Binds both families to `port`; 0 takes a random one. Throws a {@link GatewayError} when it cannot be had. */
export function bindUdp(port: number): UdpPair {
  for (let attempt = 1; ; attempt++) {
    const v4 = bind('udp4', port);
    const bound = v4.address().port;
    try {
      return { port: bound, v4, v6: bind('udp6', bound) };
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EPROTONOSUPPORT') {
        return { port: bound, v4, v6: undefined, v6Missing: `this system has no IPv6 (${code})` };
      }
      v4.close();
      if (port === 0 && code === 'EADDRINUSE' && attempt < RANDOM_PORT_TRIES) continue;
      throw bindError(error, port);
    }
  }
}

/** Binds at once: Node's `bind` is only as asynchronous as its `lookup`, and ours answers within the call. */
function bind(type: SocketType, port: number): Socket {
  const socket = make(type);
  let failure: Error | undefined;
  let bound = false;
  const failed = (error: Error) => {
    failure = error;
  };
  socket.once('error', failed);
  socket.once('listening', () => {
    bound = true;
  });
  socket.bind({ port, exclusive: true });
  socket.off('error', failed);
  if (!bound) {
    socket.close();
    const error = failure ?? new Error('the socket was not bound within the call');
    throw type === 'udp4' ? bindError(error, port) : error;
  }
  enlarge(socket);
  return socket;
}

function make(type: SocketType): Socket {
  return createSocket({
    type,
    ipv6Only: type === 'udp6',
    // Only literals ever come here; names are resolved by the gateway's resolver, never on the packet path.
    lookup: (address, _options, done) => {
      (done as (error: null, address: string, family: number) => void)(
        null,
        address,
        type === 'udp6' ? 6 : 4,
      );
    },
  });
}

/** Takes over sockets bound by another process. */
export function adoptUdp(descriptors: UdpDescriptors): UdpPair {
  const open = (type: SocketType, fd: number | undefined): Socket | undefined => {
    if (fd === undefined) return undefined;
    const socket = make(type);
    socket.bind({ fd, exclusive: true });
    return socket;
  };
  const v4 = open('udp4', descriptors.v4);
  const v6 = open('udp6', descriptors.v6);
  const v6Missing = v6 ? undefined : 'the outer process has no IPv6 socket';
  return { port: (v4 ?? v6)?.address().port ?? 0, v4, v6, v6Missing };
}

function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER);
    socket.setSendBufferSize(SOCKET_BUFFER);
  } catch {
    // Smaller buffers only mean more drops under load.
  }
}

/** Safe to call twice. */
export function closeUdp(pair: UdpPair): void {
  for (const socket of [pair.v4, pair.v6]) {
    try {
      socket?.close();
    } catch {
      // It was closed already.
    }
  }
}

function bindError(error: unknown, port: number): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = systemCode(error);
  if (code === 'EADDRINUSE') {
    const sentence = `UDP port ${port} is taken by another program; stop that program or choose another ListenPort`;
    return new GatewayError(EXIT.portTaken, sentence, { cause: error });
  }
  if (code === 'EACCES') {
    const sentence = `UDP port ${port} needs a right this user does not have; choose a ListenPort from 1024 to 65535`;
    return new GatewayError(EXIT.permission, sentence, { cause: error });
  }
  return new GatewayError(EXIT.system, `cannot open UDP port ${port}: ${messageOf(error)}`, { cause: error });
}
