/** Random frames as TUN gives them, of a few connections at a time, and what a network does to datagrams. */

import type { Seeded } from '../crypto/seeded.js';
import {
  GSO,
  ipHeader,
  join,
  NEEDS_CSUM,
  pseudoSum,
  put16,
  superFrame,
  TCP_FLAG,
  type TcpFields,
  tcpFields,
  tcpPacket,
  udpPacket,
  vnetFrame,
} from '../gateway/frames.js';

const ICMP = { 4: 1, 6: 58 } as const;
const FRAGMENT_HEADER = 44;
const DESTINATION_OPTIONS = 60;
const LARGEST_PACKET = 65_535;
/** A little above the tunnel's MTU, for packets that exceed it. */
const LONGEST = 1_500;

export interface Addresses {
  readonly source: Record<4 | 6, Uint8Array>;
  readonly destination: Record<4 | 6, Uint8Array>;
}

/** Makes the frames of one case. */
export class Frames {
  readonly #random: Seeded;
  readonly #addresses: Addresses;
  readonly #mtu: number;
  readonly #connections: TcpFields[];

  constructor(random: Seeded, addresses: Addresses, mtu: number) {
    this.#random = random;
    this.#addresses = addresses;
    this.#mtu = mtu;
    this.#connections = Array.from({ length: 1 + random.below(5) }, () => this.#fields());
  }

  next(): Uint8Array {
    const random = this.#random;
    const frame = this.#sound();
    if (random.below(16) > 0) return frame;
    // The offload header and the headers behind it are where a wrong number could lead astray.
    const damaged = Uint8Array.from(frame);
    for (let n = 1 + random.below(3); n > 0; n--)
      damaged[random.below(Math.min(damaged.length, 80))] = random.below(256);
    return random.below(4) === 0 ? damaged.subarray(0, random.below(damaged.length + 1)) : damaged;
  }

  #fields(): TcpFields {
    const random = this.#random;
    const version = random.pick([4, 6] as const);
    const fields = tcpFields(random, version);
    fields.source = this.#addresses.source[version];
    fields.destination = this.#addresses.destination[version];
    // Now and then somebody else's: no peer's, or not the sender's.
    if (random.below(24) === 0) fields.destination = random.bytes(fields.destination.length);
    if (random.below(24) === 0) fields.source = random.bytes(fields.source.length);
    // Around their wrap, too.
    if (random.below(4) === 0) fields.sequence = 2 ** 32 - random.below(100_000);
    if (random.below(4) === 0) fields.id = 65_535 - random.below(60);
    return fields;
  }

  #sound(): Uint8Array {
    const random = this.#random;
    const kind = random.below(16);
    if (kind < 8) return this.#stream(random.pick(this.#connections));
    const fields = this.#fields();
    if (kind < 10) return this.#udpSuper(fields);
    if (kind < 12) return this.#halfChecksum(fields);
    if (kind === 12) return vnetFrame({}, this.#icmp(fields));
    if (kind === 13) return vnetFrame({}, this.#fragment(fields));
    if (kind === 14) return vnetFrame({}, this.#unusual(fields));
    fields.payload = random.bytes(random.below(this.#mtu - 100));
    return vnetFrame({}, random.pick([tcpPacket, udpPacket])(fields));
  }

  /** The next piece of a connection, as one super-packet or as a single segment. */
  #stream(fields: TcpFields): Uint8Array {
    const random = this.#random;
    const transport = fields.version === 4 ? 20 : 40;
    const headers = transport + 20 + fields.options.length;
    const size = random.pick([1, 7, 100, 536, 1220, this.#mtu - headers]);
    const most = Math.min(LARGEST_PACKET - headers, 70 * size);
    const payload = random.bytes(
      random.pick([size, size, random.below(size + 1), random.below(most + 1), random.below(most + 1)]),
    );
    const odd = random.below(16);
    const flags =
      odd === 0
        ? random.below(256)
        : TCP_FLAG.ack | random.pick([0, 0, 0, TCP_FLAG.psh, TCP_FLAG.fin, TCP_FLAG.cwr]);
    if (odd === 1) fields.window = random.below(65_536);
    if (odd === 2) fields.sequence = random.word();
    if (odd === 3) fields.trafficClass ^= 1 + random.below(3);
    const packet = tcpPacket({ ...fields, flags, payload });
    const count = Math.max(1, Math.ceil(payload.length / size));
    fields.sequence = (fields.sequence + payload.length) % 2 ** 32;
    fields.id = (fields.id + count) & 0xffff;
    if (count === 1 && random.below(2) === 0) return vnetFrame({}, packet);
    const ecn = (flags & TCP_FLAG.cwr) !== 0 ? GSO.ecn : 0;
    return superFrame(packet, transport, 6, size, (fields.version === 4 ? GSO.tcp4 : GSO.tcp6) | ecn);
  }

  #udpSuper(fields: TcpFields): Uint8Array {
    const random = this.#random;
    const transport = fields.version === 4 ? 20 : 40;
    const size = random.pick([1, 64, 512, 1200, this.#mtu - transport - 8]);
    fields.payload = random.bytes(random.below(Math.min(60_000, 70 * size)));
    return superFrame(udpPacket(fields), transport, 17, size, GSO.udp);
  }

  /** One packet whose checksum the kernel left to the device. */
  #halfChecksum(fields: TcpFields): Uint8Array {
    const random = this.#random;
    const transport = fields.version === 4 ? 20 : 40;
    fields.payload = random.bytes(random.below(this.#mtu - 80));
    const [packet, protocol, offset] = random.pick([
      [tcpPacket(fields), 6, 16],
      [udpPacket(fields), 17, 6],
    ] as const);
    put16(packet, transport + offset, pseudoSum(packet, protocol, packet.length - transport));
    return vnetFrame({ flags: NEEDS_CSUM, start: transport, offset }, packet);
  }

  #icmp(fields: TcpFields): Uint8Array {
    const message = this.#random.bytes(8 + this.#random.below(LONGEST - 60));
    return join(ipHeader(fields, ICMP[fields.version], message.length), message);
  }

  #fragment(fields: TcpFields): Uint8Array {
    const random = this.#random;
    const part = random.bytes(8 + random.below(1_300));
    if (fields.version === 4) {
      fields.fragment = random.pick([0x2000, 0x2010, 0x00b9]);
      return join(ipHeader(fields, random.pick([6, 17]), part.length), part);
    }
    const header = Uint8Array.of(random.pick([6, 17]), 0, random.below(256), random.below(256));
    const rest = random.bytes(4);
    return join(ipHeader(fields, FRAGMENT_HEADER, 8 + part.length), header, rest, part);
  }

  /** Options, extension headers, unknown protocols, nothing behind the header. */
  #unusual(fields: TcpFields): Uint8Array {
    const random = this.#random;
    const body = random.bytes(random.pick([0, 1, 20, 700]));
    if (fields.version === 4) {
      fields.ipOptions = new Uint8Array(random.pick([4, 40])).fill(1);
      return random.below(2) === 0
        ? tcpPacket({ ...fields, payload: body })
        : join(ipHeader(fields, random.below(256), body.length), body);
    }
    if (random.below(2) === 0) return join(ipHeader(fields, random.below(256), body.length), body);
    const options = Uint8Array.of(6, 0, 1, 4, 0, 0, 0, 0);
    const tcp = tcpPacket({ ...fields, payload: body }).subarray(40);
    return join(ipHeader(fields, DESTINATION_OPTIONS, 8 + tcp.length), options, tcp);
  }
}

/** What becomes of the datagrams on their way: doubled, flipped, cut, lost, late; noise and old ones between
 * them. Of `rate` datagrams eight have such a fate; 8 is the least. */
export function hostileWire(random: Seeded, datagrams: readonly Uint8Array[], rate: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  const late: Uint8Array[] = [];
  for (const datagram of datagrams) {
    switch (random.below(rate)) {
      case 0:
        out.push(datagram, datagram);
        break;
      case 1: {
        const flipped = Uint8Array.from(datagram);
        flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
        out.push(flipped);
        break;
      }
      case 2:
        out.push(random.bytes(1 + random.below(1_600)), datagram);
        break;
      case 3:
        out.push(datagram.subarray(0, 1 + random.below(datagram.length - 1)));
        break;
      case 4:
        break;
      case 5:
        late.push(datagram);
        break;
      case 6:
        if (out.length > 0) out.push(random.pick(out));
        out.push(datagram);
        break;
      case 7:
        out.push(datagram);
        if (late.length > 0) out.push(late.pop()!);
        break;
      default:
        out.push(datagram);
    }
  }
  return [...out, ...late];
}
