/**
 * The minimal mode's end of the tunnel, in user space: a `PacketDevice` that answers pings to its addresses, sends
 * pings, and has UDP ports. TCP is refused with an ICMP error, so that a client fails at once and not after minutes:
 * a TCP of our own would be a second kernel, and where namespaces are allowed the real one serves.
 */

import { formatAddress, parseAddress } from '../../../src/packet/address.js';
import { Batch } from '../../../src/packet/batch.js';
import { endpointRecord } from '../../../src/packet/endpoint-text.js';
import {
  ICMP_ECHO_REPLY,
  ICMPV6_ECHO_REPLY,
  IcmpView,
  isEchoRequest,
  writeEchoReply,
} from '../../../src/packet/icmp.js';
import { ipVersion, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_UDP } from '../../../src/packet/ip.js';
import { Ipv4View } from '../../../src/packet/ipv4.js';
import { Ipv6View } from '../../../src/packet/ipv6.js';
import { UdpView, writeUdpPacket } from '../../../src/packet/udp.js';
import type { PacketDevice } from '../../../src/ports.js';
import type { DatagramPort } from './datagram-port.js';
import { addressText, type SocketAddress } from './forward-rule.js';
import { IcmpWriter, type Refusal } from './minimal-icmp.js';

/** Packets that wait for the pump. */
const QUEUE_PACKETS = 256;
/** RFC 6335 section 6: the dynamic ports. */
const FIRST_DYNAMIC_PORT = 49152;
const LAST_PORT = 65535;
/** Outstanding pings; more are refused. */
const MAX_PINGS = 1024;

export interface MinimalCounters {
  /** Packets for addresses that are not ours. */
  notForUs: number;
  /** Malformed, damaged, or of a version that is none. */
  malformed: number;
  /** Fragments: nothing is put together here. */
  fragments: number;
  /** TCP and other protocols, and UDP ports nobody listens at. */
  refused: number;
  /** Own packets dropped: queue full, or larger than the MTU. */
  dropped: number;
}

type Ip = Ipv4View | Ipv6View;

export class MinimalDevice implements PacketDevice {
  onReadable: (() => void) | undefined;
  onClosed: ((reason: string) => void) | undefined;
  readonly counters: MinimalCounters = { notForUs: 0, malformed: 0, fragments: 0, refused: 0, dropped: 0 };
  /** Bytes of the largest packet sent. */
  readonly mtu: number;

  private addresses: readonly Uint8Array[];
  /** A ring of packets on their way into the tunnel. */
  private readonly queue: Batch;
  private first = 0;
  private waiting = 0;
  private readonly ports = new Map<string, MinimalPort>();
  private nextPort = FIRST_DYNAMIC_PORT;
  private readonly pings = new Map<number, (now: number) => void>();
  private readonly pingIdentifier: number;
  private pingSequence = 0;
  private readonly ipv4 = new Ipv4View();
  private readonly ipv6 = new Ipv6View();
  private readonly icmp = new IcmpView();
  private readonly udp = new UdpView();
  private readonly writer = new IcmpWriter();
  private readonly scratch: Uint8Array;

  /** `addresses` are the tunnel's own, 4 or 16 bytes each. */
  constructor(addresses: readonly Uint8Array[], mtu: number) {
    this.addresses = addresses;
    this.mtu = mtu;
    this.queue = new Batch(mtu, QUEUE_PACKETS);
    this.scratch = new Uint8Array(mtu);
    this.pingIdentifier = process.pid & 0xffff;
  }

  /** Others from now on; what is open at one that is gone hears nothing until it returns. */
  setAddresses(addresses: readonly Uint8Array[]): void {
    this.addresses = addresses;
  }

  readBatch(into: Batch): number {
    const { queue } = this;
    let moved = 0;
    while (this.waiting > 0 && !into.full) {
      const at = this.first;
      if (into.push(queue.bytes, queue.offset[at], queue.length[at]) < 0) this.counters.dropped++;
      else moved++;
      this.first = (at + 1) % queue.capacity;
      this.waiting--;
    }
    return moved;
  }

  writeBatch(from: Batch): void {
    for (let i = 0; i < from.count; i++) {
      if (from.length[i] > 0) this.receive(from.bytes, from.offset[i], from.length[i]);
    }
  }

  close(): void {
    for (const port of [...this.ports.values()]) port.close();
    this.waiting = 0;
  }

  /** The own address to use towards `address`, as text; `undefined` when there is none of its family. */
  sourceFor(address: Uint8Array): Uint8Array | undefined {
    return this.addresses.find((own) => own.length === address.length);
  }

  /** A UDP port at one of our addresses; 0 takes a free one. Throws when it is taken. */
  openPort(host: string, port = 0): DatagramPort {
    const address = parseAddress(host);
    if (address === undefined || !this.isOurs(address, 0, address.length)) {
      throw new Error(`${host} is not an address of the tunnel`);
    }
    const number = port === 0 ? this.freePort(host) : port;
    const key = addressText({ host: formatAddress(address), port: number });
    if (this.ports.has(key)) throw new Error(`UDP ${key} is taken`);
    const opened = new MinimalPort(this, endpointRecord(address, number, 0), () => this.ports.delete(key));
    this.ports.set(key, opened);
    return opened;
  }

  /** Milliseconds until the answer; `undefined` when none came in time or the address cannot be reached at all. */
  ping(address: string, timeout: number): Promise<number | undefined> {
    const destination = parseAddress(address);
    const source = destination === undefined ? undefined : this.sourceFor(destination);
    if (destination === undefined || source === undefined || this.pings.size >= MAX_PINGS) {
      return Promise.resolve(undefined);
    }
    const sequence = this.pingSequence;
    this.pingSequence = (sequence + 1) & 0xffff;
    const sent = performance.now();
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.pings.delete(sequence);
        resolve(undefined);
      }, timeout);
      this.pings.set(sequence, (now) => {
        clearTimeout(late);
        this.pings.delete(sequence);
        resolve(now - sent);
      });
      const length = this.writer.echoRequest(source, destination, this.pingIdentifier, sequence);
      this.enqueue(this.writer.packet, length);
    });
  }

  /** Sends a datagram from one of our ports. Too large for the MTU: dropped, nothing is fragmented here. */
  sendDatagram(source: Uint8Array, destination: Uint8Array, payload: Uint8Array): void {
    const length = writeUdpPacket(this.scratch, 0, source, 0, destination, 0, payload, 0, payload.length);
    if (length === 0) this.counters.dropped++;
    else this.enqueue(this.scratch, length);
  }

  private receive(bytes: Uint8Array, offset: number, length: number): void {
    const ip: Ip = ipVersion(bytes, offset, length) === 6 ? this.ipv6 : this.ipv4;
    if (!ip.at(bytes, offset, length) || (ip.version === 4 && !ip.checksumRight)) {
      this.counters.malformed++;
    } else if (!this.isOurs(bytes, ip.destinationOffset, ip.version === 4 ? 4 : 16)) {
      this.counters.notForUs++;
    } else if (ip.moreFragments || ip.fragmentOffset !== 0) {
      this.counters.fragments++;
    } else if (ip.protocol === (ip.version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) {
      this.receiveIcmp(ip);
    } else if (ip.protocol === PROTOCOL_UDP) {
      this.receiveUdp(ip);
    } else {
      this.refuse(ip, 'no-protocol');
    }
  }

  private receiveIcmp(ip: Ip): void {
    const { icmp } = this;
    if (!icmp.at(ip.bytes, ip.payloadOffset, payloadLength(ip)) || !icmp.checksumRight(ip)) {
      this.counters.malformed++;
    } else if (isEchoRequest(ip, icmp)) {
      const reply = writeEchoReply(this.scratch, 0, ip, icmp);
      if (reply === 0) this.counters.dropped++;
      else this.enqueue(this.scratch, reply);
    } else if (icmp.type === (ip.version === 4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY)) {
      if (icmp.identifier === this.pingIdentifier) this.pings.get(icmp.sequence)?.(performance.now());
    }
  }

  private receiveUdp(ip: Ip): void {
    const { udp } = this;
    if (!udp.at(ip.bytes, ip.payloadOffset, payloadLength(ip)) || !udp.checksumRight(ip)) {
      this.counters.malformed++;
      return;
    }
    const size = ip.version === 4 ? 4 : 16;
    const host = formatAddress(ip.bytes, ip.destinationOffset, size);
    const port = this.ports.get(addressText({ host, port: udp.destinationPort }));
    if (port === undefined) {
      this.refuse(ip, 'no-port');
      return;
    }
    const from = { host: formatAddress(ip.bytes, ip.sourceOffset, size), port: udp.sourcePort };
    // A copy: the batch is filled anew before the kernel has taken the datagram.
    port.onDatagram?.(udp.bytes.slice(udp.payloadOffset, udp.payloadOffset + udp.payloadLength), from);
  }

  private refuse(ip: Ip, why: Refusal): void {
    this.counters.refused++;
    this.enqueue(this.writer.packet, this.writer.refusal(ip, why));
  }

  private enqueue(packet: Uint8Array, length: number): void {
    const { queue } = this;
    if (this.waiting === queue.capacity || length > this.mtu) {
      this.counters.dropped++;
      return;
    }
    const slot = (this.first + this.waiting) % queue.capacity;
    queue.offset[slot] = queue.start(slot);
    queue.length[slot] = length;
    queue.bytes.set(packet.subarray(0, length), queue.offset[slot]);
    this.waiting++;
    if (this.waiting === 1) this.onReadable?.();
  }

  private isOurs(bytes: Uint8Array, at: number, size: number): boolean {
    for (const own of this.addresses) {
      if (own.length !== size) continue;
      let i = 0;
      while (i < size && own[i] === bytes[at + i]) i++;
      if (i === size) return true;
    }
    return false;
  }

  private freePort(host: string): number {
    for (let tries = FIRST_DYNAMIC_PORT; tries <= LAST_PORT; tries++) {
      const port = this.nextPort;
      this.nextPort = port === LAST_PORT ? FIRST_DYNAMIC_PORT : port + 1;
      if (!this.ports.has(addressText({ host, port }))) return port;
    }
    throw new Error(`no UDP port of ${host} is free`);
  }
}

/** One UDP port of the device. */
class MinimalPort implements DatagramPort {
  onDatagram: ((bytes: Uint8Array, from: SocketAddress) => void) | undefined;
  private readonly device: MinimalDevice;
  private readonly own: Uint8Array;
  private readonly closed: () => void;

  constructor(device: MinimalDevice, own: Uint8Array, closed: () => void) {
    this.device = device;
    this.own = own;
    this.closed = closed;
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    const address = parseAddress(to.host);
    if (address !== undefined) this.device.sendDatagram(this.own, endpointRecord(address, to.port, 0), bytes);
  }

  close(): void {
    this.closed();
  }
}

function payloadLength(ip: Ip): number {
  return ip.offset + ip.totalLength - ip.payloadOffset;
}
