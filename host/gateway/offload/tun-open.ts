/**
 * Opens a TUN interface without native code, with segmentation and checksum offload when the kernel has them
 * (linux/if_tun.h; the requests below have these numbers on every architecture but MIPS, PowerPC and SPARC).
 */

import { closeSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { callOnDescriptor, type DescriptorCall } from './ioctl-helper.js';

const TUN_DEVICE = '/dev/net/tun';
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;

const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_MULTI_QUEUE = 0x0100;

const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const TUN_F_TSO_ECN = 0x08;
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;
const TCP_OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
/** UDP segmentation came with Linux 6.2; asking an older kernel gives EINVAL and changes nothing. */
const ALL_OFFLOADS = TCP_OFFLOADS | TUN_F_USO4 | TUN_F_USO6;

/** struct ifreq: 16 bytes of name, then a union of 24 bytes of which the first two are the flags here. */
const IFREQ_BYTES = 40;
export const INTERFACE_NAME_MAX = 15;

/** Length of the `struct virtio_net_hdr` before every packet when `offload` is true. */
export const VNET_HEADER_BYTES = 10;

export interface OpenTunOptions {
  /** Interface name; empty or with `%d` lets the kernel choose. At most 15 bytes. */
  name: string;
  /** False opens the plain device: no header, one packet of at most the MTU a read. Default true. */
  offload?: boolean;
  /** Descriptors of one interface, among which the kernel spreads flows. Default 1; without offload always 1. */
  queues?: number;
}

export interface TunDescriptor {
  /** Blocking descriptor, owned by the caller. The interface vanishes when it is closed and no read is pending. */
  readonly fd: number;
  readonly name: string;
  /** True: every packet read and written is preceded by a virtio_net_hdr, and reads give TSO super-packets. */
  readonly offload: boolean;
  /** Descriptors of further queues, owned by the caller as `fd` is. */
  readonly more: readonly number[];
}

/** The interface could not be opened. `code` is the errno name: EPERM (missing right), EBUSY (in use), ENOENT ... */
export class TunOpenError extends Error {
  override name = 'TunOpenError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function interfaceRequest(name: string, flags: number): DescriptorCall {
  const bytes = Buffer.alloc(IFREQ_BYTES);
  bytes.write(name, 0, INTERFACE_NAME_MAX, 'latin1');
  bytes[16] = flags;
  bytes[17] = flags >>> 8;
  return { kind: 'ioctl-bytes', request: TUNSETIFF, bytes };
}

/**
 * Creates (or attaches to) the interface. Throws {@link TunOpenError}, or HelperMissingError when neither perl nor
 * python3 can be run. When the kernel refuses the offloads the interface is opened without them.
 */
export function openTun(options: OpenTunOptions): TunDescriptor {
  const { name, offload = true, queues = 1 } = options;
  if (Buffer.byteLength(name) > INTERFACE_NAME_MAX) {
    throw new TunOpenError(
      'ENAMETOOLONG',
      `interface name ${JSON.stringify(name)} is longer than ${INTERFACE_NAME_MAX} bytes`,
    );
  }
  const fds: number[] = [];
  let opened: TunDescriptor | undefined;
  try {
    fds.push(openDevice());
    opened = attach(fds[0], name, offload, queues > 1);
    while (opened !== undefined && fds.length < queues) {
      const fd = openDevice();
      fds.push(fd);
      attach(fd, opened.name, offload, true);
    }
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    throw error;
  }
  if (opened !== undefined) return { ...opened, more: fds.slice(1) };
  closeSync(fds[0]);
  return openTun({ name, offload: false });
}

function openDevice(): number {
  try {
    return openSync(TUN_DEVICE, 'r+');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
    throw new TunOpenError(code, `cannot open ${TUN_DEVICE}: ${code}`);
  }
}

/** The interface behind `fd`, or undefined when it exists now but refuses the offloads. */
function attach(fd: number, name: string, offload: boolean, several: boolean): TunDescriptor | undefined {
  const flags = IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0) | (several ? IFF_MULTI_QUEUE : 0);
  const calls: DescriptorCall[] = [interfaceRequest(name, flags)];
  if (offload) {
    calls.push({ kind: 'ioctl-value', request: TUNSETOFFLOAD, value: TCP_OFFLOADS });
    calls.push({ kind: 'ioctl-value', request: TUNSETOFFLOAD, value: ALL_OFFLOADS });
  }
  const [created, tcpOffloads] = callOnDescriptor(fd, calls);
  if (created.errno !== 0) {
    const code = getSystemErrorName(-created.errno);
    throw new TunOpenError(code, `cannot create the interface ${JSON.stringify(name)}: ${code}`);
  }
  if (offload && tcpOffloads.errno !== 0) return undefined;
  const end = created.bytes.indexOf(0);
  return { fd, name: Buffer.from(created.bytes.subarray(0, end)).toString('latin1'), offload, more: [] };
}
