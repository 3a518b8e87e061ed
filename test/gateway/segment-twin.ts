/** The slow twin of `assembly/segment.ts`: what Linux would put on the wire for a frame with segmentation offload. */

import {
  GSO,
  get16,
  get32,
  join,
  NEEDS_CSUM,
  onesSum,
  put16,
  put32,
  readVnet,
  setIpv4Checksum,
  TCP_FLAG,
  VNET,
} from './frames.js';

export type Segmented = { packets: Uint8Array[] } | { refused: 'not-ip' | 'bad-offload' };

const BAD: Segmented = { refused: 'bad-offload' };
const NOT_IP: Segmented = { refused: 'not-ip' };

export function segmentFrame(frame: Uint8Array): Segmented {
  if (frame.length < VNET + 20) return NOT_IP;
  const vnet = readVnet(frame);
  const packet = frame.slice(VNET);
  const version = packet[0]! >> 4;
  if (version === 4) {
    const header = (packet[0]! & 15) * 4;
    if (header < 20 || header > packet.length || get16(packet, 2) !== packet.length) return NOT_IP;
  } else if (version === 6) {
    if (packet.length < 40 || get16(packet, 4) + 40 !== packet.length) return NOT_IP;
  } else return NOT_IP;

  const type = vnet.type & ~GSO.ecn & 0xff;
  const needsChecksum = (vnet.flags & NEEDS_CSUM) !== 0;
  if (type === GSO.none) {
    if (!needsChecksum) return { packets: [packet] };
    if (vnet.start < 20 || vnet.start + vnet.offset + 2 > packet.length) return BAD;
    const value = 0xffff - onesSum(packet.subarray(vnet.start));
    put16(packet, vnet.start + vnet.offset, value === 0 ? 0xffff : value);
    return { packets: [packet] };
  }
  if (!needsChecksum || vnet.size === 0) return BAD;
  const transport = vnet.start;
  if (version === 4 && (transport !== (packet[0]! & 15) * 4 || transport < 20)) return BAD;
  if (version === 6 && transport < 40) return BAD;
  let headers: number;
  let protocol: 6 | 17;
  if (type === GSO.udp) {
    if (vnet.offset !== 6 || transport + 8 > packet.length) return BAD;
    headers = transport + 8;
    protocol = 17;
  } else if (type === (version === 4 ? GSO.tcp4 : GSO.tcp6)) {
    if (vnet.offset !== 16 || transport + 20 > packet.length) return BAD;
    const tcpHeader = (packet[transport + 12]! >> 4) * 4;
    headers = transport + tcpHeader;
    if (tcpHeader < 20 || headers > packet.length) return BAD;
    protocol = 6;
  } else return BAD;

  const packets: Uint8Array[] = [];
  const payload = packet.subarray(headers);
  for (let from = 0; from === 0 || from < payload.length; from += vnet.size) {
    const segment = join(packet.subarray(0, headers), payload.subarray(from, from + vnet.size));
    const last = from + vnet.size >= payload.length;
    if (version === 4) {
      put16(segment, 2, segment.length);
      put16(segment, 4, (get16(packet, 4) + packets.length) & 0xffff);
      setIpv4Checksum(segment);
    } else put16(segment, 4, segment.length - 40);
    if (protocol === 17) put16(segment, transport + 4, segment.length - transport);
    else {
      put32(segment, transport + 4, (get32(packet, transport + 4) + from) % 2 ** 32);
      if (from > 0) segment[transport + 13]! &= ~TCP_FLAG.cwr;
      if (!last) segment[transport + 13]! &= ~(TCP_FLAG.fin | TCP_FLAG.psh);
    }
    // The field holds the pseudo-header's sum with the length of the whole.
    const field = transport + (protocol === 6 ? 16 : 6);
    const partial = [get16(packet, field), 0xffff - (packet.length - transport), segment.length - transport];
    put16(segment, field, 0);
    const sums = Uint8Array.from(partial.flatMap((word) => [word >> 8, word & 255]));
    const value = 0xffff - onesSum(segment.subarray(transport), onesSum(sums));
    put16(segment, field, value === 0 && protocol === 17 ? 0xffff : value);
    packets.push(segment);
  }
  return { packets };
}
