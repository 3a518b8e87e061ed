/**
 * Explicit congestion notification through a tunnel (RFC 6040): what of an inner packet's traffic class the outer header
 * shows, and what of the outer header's the inner packet takes over. A "traffic class" is the byte that IPv4 calls TOS:
 * six bits of DSCP (RFC 2474) and two of ECN (RFC 3168).
 */

import { updateChecksum } from './checksum.js';

/** RFC 3168 section 5, figure 1. Note the order of the bits. */
export const NOT_ECT = 0;
export const ECT_1 = 1;
export const ECT_0 = 2;
export const CE = 3;
export const ECN_MASK = 3;

/** What `decapsulatedEcn` and `takeOverEcn` say of a packet that must be dropped. */
export const ECN_DROP = -1;

/**
 * Our own choice, and the Linux kernel's WireGuard makes the same one: handshake messages go as AF41 (RFC 2597), data
 * with DSCP 0. The inner DSCP is not copied: it would tell the wire which application talks, and would let whoever is
 * behind the tunnel choose among the queues before it. RFC 2983 section 3.1 calls that the pipe model.
 */
export const HANDSHAKE_TRAFFIC_CLASS = 0x88;

/**
 * RFC 6040 section 4.1. `normal` shows the inner ECN field outside, so that a router may mark instead of drop;
 * `compatibility` does not, for an egress that throws the mark away (wireguard-go does) would leave the sender of the
 * inner packet without any sign of congestion. Whoever does not know the egress has to choose the latter.
 */
export type EcnMode = 'normal' | 'compatibility';

/** The outer header's traffic class for a packet of this inner one: RFC 6040 section 4.1, figure 3. */
export function outerTrafficClass(inner: number, mode: EcnMode): number {
  return mode === 'normal' ? inner & ECN_MASK : NOT_ECT;
}

/**
 * The ECN field with which a packet leaves the tunnel, or `ECN_DROP`: RFC 6040 section 4.2, figure 4. The same table for
 * whatever mode the ingress had. Only the two low bits of either argument count.
 */
export function decapsulatedEcn(inner: number, outer: number): number {
  const arrived = inner & ECN_MASK;
  switch (outer & ECN_MASK) {
    case CE:
      // Its sender does not know marks: only a loss tells it of the congestion.
      return arrived === NOT_ECT ? ECN_DROP : CE;
    case ECT_1:
      // Some schemes mark a first level of congestion with it, and the tunnel cannot know.
      return arrived === ECT_0 ? ECT_1 : arrived;
    default:
      return arrived;
  }
}

/**
 * Whether no ingress of any specification makes this pair, or only a rare one: those marked with exclamation marks in
 * RFC 6040 figure 4, which an operator may want to hear of.
 */
export function isEcnAnomaly(inner: number, outer: number): boolean {
  const arrived = inner & ECN_MASK;
  const around = outer & ECN_MASK;
  if (arrived === NOT_ECT) return around !== NOT_ECT;
  return (arrived === ECT_1 && around === ECT_0) || (arrived === CE && around === ECT_1);
}

/** The traffic class of the IPv4 or IPv6 packet at `offset`, of which at least two bytes exist. */
export function trafficClassOf(bytes: Uint8Array, offset: number): number {
  // RFC 8200 section 3: the class straddles the first two bytes.
  return bytes[offset] >>> 4 === 4
    ? bytes[offset + 1]
    : ((bytes[offset] & 15) << 4) | (bytes[offset + 1] >>> 4);
}

/**
 * Lets the IP packet at `offset`, whose whole header is there, take over the mark of the outer header it came in. Gives
 * the packet's ECN field afterwards, or `ECN_DROP`; then nothing was changed. An IPv4 header's checksum stays as right or
 * as wrong as it was.
 */
export function takeOverEcn(bytes: Uint8Array, offset: number, outer: number): number {
  const inner = trafficClassOf(bytes, offset);
  const ecn = decapsulatedEcn(inner, outer);
  if (ecn === ECN_DROP || ecn === (inner & ECN_MASK)) return ecn;
  setEcn(bytes, offset, ecn);
  return ecn;
}

function setEcn(bytes: Uint8Array, offset: number, ecn: number): void {
  const second = bytes[offset + 1];
  if (bytes[offset] >>> 4 !== 4) {
    bytes[offset + 1] = (second & 0xcf) | (ecn << 4);
    return;
  }
  const changed = (second & ~ECN_MASK) | ecn;
  const first = bytes[offset] << 8;
  // RFC 1624: what else is wrong in the header stays so, for repairing it would hide it.
  const checksum = updateChecksum(
    (bytes[offset + 10] << 8) | bytes[offset + 11],
    first | second,
    first | changed,
  );
  bytes[offset + 1] = changed;
  bytes[offset + 10] = checksum >>> 8;
  bytes[offset + 11] = checksum;
}
