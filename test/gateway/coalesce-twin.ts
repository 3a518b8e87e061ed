/** The slow twin of `assembly/coalesce.ts`: which packets become one super-packet, decided on objects. */

import {
  GSO,
  get16,
  get32,
  join,
  onesSum,
  pseudoSum,
  put16,
  setIpv4Checksum,
  superFrame,
  TCP_FLAG,
  transportChecksumHolds,
  vnetFrame,
} from './frames.js';

const MOST_SUPERS = 16;
const LARGEST_PACKET = 65535;

interface Super {
  connection: string;
  /** All that must be equal in every segment. */
  likeness: string;
  packets: Uint8Array[];
  transport: number;
  headers: number;
  open: boolean;
}

interface Tcp {
  connection: string;
  likeness: string;
  transport: number;
  headers: number;
  flags: number;
  sequence: number;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A whole TCP packet directly behind a fixed IP header, or undefined. */
function asTcp(p: Uint8Array): Tcp | undefined {
  const version = p[0]! >> 4;
  const transport = version === 4 ? 20 : 40;
  if (p.length < transport + 20) return undefined;
  if (version === 4) {
    const fragmented = (get16(p, 6) & ~0x4000) !== 0;
    if (p[0] !== 0x45 || p[9] !== 6 || fragmented) return undefined;
    if (get16(p, 2) !== p.length || onesSum(p.subarray(0, 20)) !== 0xffff) return undefined;
  } else if (p[6] !== 6 || get16(p, 4) + 40 !== p.length) return undefined;
  const headers = transport + (p[transport + 12]! >> 4) * 4;
  const addresses = version === 4 ? p.subarray(12, 20) : p.subarray(8, 40);
  const fixed = version === 4 ? [p[1], p[8], get16(p, 6)] : [get32(p, 0), p[7]];
  return {
    connection: `${version} ${hex(addresses)} ${hex(p.subarray(transport, transport + 4))}`,
    likeness: [
      fixed,
      hex(p.subarray(transport + 8, transport + 13)),
      hex(p.subarray(transport + 14, transport + 16)),
      hex(p.subarray(transport + 18, Math.max(headers, transport + 20))),
    ].join(' '),
    transport,
    headers,
    flags: p[transport + 13]!,
    sequence: get32(p, transport + 4),
  };
}

/** Frames for TUN in the order they are written. */
export function coalesce(packets: readonly Uint8Array[]): Uint8Array[] {
  const out: (Uint8Array | Super)[] = [];
  const supers: Super[] = [];
  for (const packet of packets) {
    const tcp = asTcp(packet);
    if (!tcp) {
      out.push(packet);
      continue;
    }
    const flow = supers.find((one) => one.open && one.connection === tcp.connection);
    const pushed = (tcp.flags & TCP_FLAG.psh) !== 0;
    const mergeable =
      (tcp.flags & ~TCP_FLAG.psh) === TCP_FLAG.ack &&
      (packet[tcp.transport + 12]! & 15) === 0 &&
      tcp.headers >= tcp.transport + 20 &&
      tcp.headers < packet.length &&
      transportChecksumHolds(packet, tcp.transport, 6);
    if (flow) {
      if (mergeable && continues(flow, tcp, packet)) {
        flow.packets.push(packet);
        const first = flow.packets[0]!;
        if (pushed || packet.length < first.length) flow.open = false;
        continue;
      }
      flow.open = false;
    }
    if (mergeable && !pushed && supers.length < MOST_SUPERS) {
      const begun = { ...tcp, packets: [packet], open: true };
      supers.push(begun);
      out.push(begun);
    } else out.push(packet);
  }
  return out.map((one) => (one instanceof Uint8Array ? vnetFrame({}, one) : frameOf(one)));
}

function continues(flow: Super, tcp: Tcp, packet: Uint8Array): boolean {
  const first = flow.packets[0]!;
  const sent = flow.packets.reduce((n, p) => n + p.length - flow.headers, 0);
  const id = (get16(first, 4) + flow.packets.length) & 0xffff;
  return (
    tcp.likeness === flow.likeness &&
    tcp.headers === flow.headers &&
    packet.length <= first.length &&
    flow.headers + sent + packet.length - flow.headers <= LARGEST_PACKET &&
    tcp.sequence === (get32(first, flow.transport + 4) + sent) % 2 ** 32 &&
    (first[0]! >> 4 === 6 || get16(packet, 4) === id)
  );
}

function frameOf(flow: Super): Uint8Array {
  const first = flow.packets[0]!;
  if (flow.packets.length === 1) return vnetFrame({}, first);
  const whole = join(first, ...flow.packets.slice(1).map((p) => p.subarray(flow.headers)));
  for (const p of flow.packets) whole[flow.transport + 13]! |= p[flow.transport + 13]!;
  const version = whole[0]! >> 4;
  if (version === 4) {
    put16(whole, 2, whole.length);
    setIpv4Checksum(whole);
  } else put16(whole, 4, whole.length - 40);
  put16(whole, flow.transport + 16, pseudoSum(whole, 6, whole.length - flow.transport));
  return superFrame(
    whole,
    flow.transport,
    6,
    first.length - flow.headers,
    version === 4 ? GSO.tcp4 : GSO.tcp6,
  );
}
