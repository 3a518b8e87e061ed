/** The tunnel's UDP sockets: IPv4 and IPv6 apart, on one port, so that each has its own family's options. */

import { createSocket, type Socket } from 'node:dgram';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { parseScopedAddress } from '../../../src/packet/address.js';
import { EXIT, GatewayError, messageOf, systemCode } from '../errors.js';
import { callOnDescriptor } from '../offload/ioctl-helper.js';
import type { UdpSockets } from './tunnel.js';

/** A free IPv4 port may be taken for IPv6; how often another one is tried. */
const PORT_ATTEMPTS = 16;
/** The kernel has no IPv6, or it is switched off. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT']);

const SOL_SOCKET = 1;
const SO_MARK = 36;

/**
 * Binds both families to `port` (0: any free one) on every address of this machine, or one family on `address` alone.
 * A machine without IPv6 has `v6` undefined.
 */
export async function bindUdpSockets(port: number, address?: string): Promise<UdpSockets> {
  if (address !== undefined) {
    const socket = await bind(isIPv6(address) ? 'udp6' : 'udp4', port, address);
    const [v4, v6] = isIPv6(address) ? [undefined, socket] : [socket, undefined];
    return { port: socket.address().port, v4, v6 };
  }
  for (let attempt = 1; ; attempt++) {
    const v4 = await bind('udp4', port);
    try {
      return { port: v4.address().port, v4, v6: await bindIpv6(v4.address().port) };
    } catch (error) {
      v4.close();
      if (port !== 0 || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

export function closeUdpSockets(sockets: UdpSockets): void {
  for (const socket of [sockets.v4, sockets.v6]) {
    try {
      socket?.close();
    } catch {
      // closed already, by whoever reads from it
    }
  }
}

async function bindIpv6(port: number): Promise<Socket | undefined> {
  try {
    return await bind('udp6', port);
  } catch (error) {
    if (NO_IPV6.has(systemCode((error as Error).cause) ?? '')) return undefined;
    throw error;
  }
}

function bind(type: 'udp4' | 'udp6', port: number, address?: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type,
      ipv6Only: type === 'udp6',
      // Only literal addresses come here. Without this Node asks its resolver about every datagram sent.
      lookup: (address, _options, done) => done(null, address, type === 'udp6' ? 6 : 4),
    });
    socket.once('error', (error) => {
      socket.close();
      reject(bindError(error, port, address));
    });
    socket.bind({ port, address, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // ICMP errors surface here; the reader listens for itself, and without it they must not end the process.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function bindError(error: unknown, port: number, address: string | undefined): GatewayError {
  const code = systemCode(error);
  if (address !== undefined && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'EINVAL')) {
    const sentence = `this machine has no address ${address} to listen at; "ip address" lists those it has`;
    return new GatewayError(EXIT.usage, sentence, { cause: error });
  }
  switch (code) {
    case 'EADDRINUSE':
      return new GatewayError(
        EXIT.portTaken,
        `UDP port ${port} is taken by another program ("ss -ulpn" shows which); choose another ListenPort or leave it out`,
        { cause: error },
      );
    case 'EACCES':
      return new GatewayError(
        EXIT.permission,
        `UDP port ${port} may be bound by root only; choose a ListenPort of 1024 or more`,
        { cause: error },
      );
    default:
      return new GatewayError(EXIT.system, `cannot bind UDP port ${port}: ${messageOf(error)}`, {
        cause: error,
      });
  }
}

/** Sets SO_MARK (0: none), so that policy rules can tell the tunnel's own datagrams. Needs CAP_NET_ADMIN. */
export function markUdpSockets(sockets: UdpSockets, mark: number): void {
  for (const socket of [sockets.v4, sockets.v6]) {
    if (socket === undefined) continue;
    const descriptor = descriptorOf(socket, sockets.port);
    const [result] = callOnDescriptor(descriptor, [
      { kind: 'setsockopt', level: SOL_SOCKET, option: SO_MARK, value: mark },
    ]);
    if (result.errno !== 0) {
      const code = getSystemErrorName(-result.errno);
      throw new GatewayError(
        code === 'EPERM' ? EXIT.permission : EXIT.system,
        `cannot set the firewall mark ${mark} on the UDP socket: ${code}; it takes CAP_NET_ADMIN`,
      );
    }
  }
}

/**
 * The descriptor behind a bound socket. Node keeps it private; the kernel tells it: /proc/PID/net/udp has the inode of
 * the socket at that address, /proc/self/fd the descriptor with that inode. A socket stays in the network namespace it
 * was made in, so in rootless mode it is the table of the outer process, our parent, that has it.
 */
export function descriptorOf(socket: Socket, port: number): number {
  const { address, family } = socket.address();
  const table = family === 'IPv6' ? 'udp6' : 'udp';
  const local = `${tableAddress(address)}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set<string>();
  for (const owner of ['self', String(process.ppid)]) {
    for (const line of readTable(`/proc/${owner}/net/${table}`)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1] === local) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (inodes.has(readlinkSync(`/proc/self/fd/${name}`))) return Number(name);
    } catch {
      // the descriptor of the directory itself, closed meanwhile
    }
  }
  throw new GatewayError(EXIT.system, `cannot find the descriptor of UDP port ${port} in /proc`);
}

/** An address as /proc/net/udp writes it: 32-bit words of network order, each printed as a number of this machine. */
function tableAddress(text: string): string {
  const address = Buffer.from(parseScopedAddress(text)?.address ?? []);
  if (endianness() === 'LE') address.swap32();
  return address.toString('hex').toUpperCase();
}

/** The lines below the heading; none where the table may not be read. */
function readTable(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split('\n').slice(1);
  } catch {
    return [];
  }
}

/** The part of Node's own state of a socket that turns a destination into an address. */
interface SocketState {
  readonly handle?: { lookup?: (address: string, done: (error: null, address: string) => void) => void };
}

/**
 * A socket that came from another process has Node's own name look-up, which answers a turn later even for a literal
 * address. Until then the bytes must stay as they are, and data planes use them again at once. So the look-up is
 * replaced as `bind` does it for a socket made here; where Node keeps it elsewhere the bytes are copied.
 */
export function sendAtOnce(socket: Socket): void {
  const states = socket as unknown as Record<symbol, SocketState | undefined>;
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const handle = states[symbol]?.handle;
    if (typeof handle?.lookup !== 'function') continue;
    handle.lookup = (address, done) => done(null, address);
    return;
  }
  const send = socket.send.bind(socket) as (...words: unknown[]) => void;
  const sendCopy = (bytes: Uint8Array, at: number, length: number, ...rest: unknown[]) =>
    send(Buffer.from(bytes.subarray(at, at + length)), 0, length, ...rest);
  socket.send = sendCopy as Socket['send'];
}
