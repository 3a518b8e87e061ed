/**
 * What IPv4 and IPv6 headers have in common: the version nibble, the length, and the protocol numbers.
 * Functions over `(bytes, offset, available)`; they look only at `bytes[offset .. offset + available)`.
 */

/** IANA "Assigned Internet Protocol Numbers", those this project names. */
export const PROTOCOL_HOP_BY_HOP = 0;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ROUTING = 43;
export const PROTOCOL_FRAGMENT = 44;
export const PROTOCOL_ESP = 50;
export const PROTOCOL_AH = 51;
export const PROTOCOL_ICMPV6 = 58;
export const PROTOCOL_NONE = 59;
export const PROTOCOL_DESTINATION_OPTIONS = 60;

/** RFC 791 section 3.1: five 32-bit words without options. */
export const IPV4_HEADER_BYTES = 20;
/** RFC 8200 section 3. */
export const IPV6_HEADER_BYTES = 40;
/** RFC 8200 section 5: every IPv6 link carries packets of this size. */
export const IPV6_MINIMUM_MTU = 1280;

/** The version nibble, 4 or 6 for IP packets; 0 when there is no byte to read. */
export function ipVersion(bytes: Uint8Array, offset: number, available: number): number {
  return available > 0 && offset < bytes.length ? bytes[offset] >>> 4 : 0;
}

/**
 * The length in bytes, header included, that the IP header at `offset` claims. 0 when it is no IP header, when the
 * header is cut short, or when it claims less than itself or more than the `available` bytes. WireGuard's receiver
 * trims its padding to this length.
 */
export function ipLength(bytes: Uint8Array, offset: number, available: number): number {
  if (offset + available > bytes.length || available < IPV4_HEADER_BYTES) return 0;
  const version = bytes[offset] >>> 4;
  if (version === 4) {
    const header = (bytes[offset] & 15) << 2;
    const total = (bytes[offset + 2] << 8) | bytes[offset + 3];
    return header < IPV4_HEADER_BYTES || total < header || total > available ? 0 : total;
  }
  if (version === 6 && available >= IPV6_HEADER_BYTES) {
    // RFC 8200 section 3: the payload length leaves out this header. A jumbogram (RFC 2675) says 0 here and needs a
    // link of more than 65,575 bytes, which no tunnel of ours is: its payload is cut, not guessed.
    const total = IPV6_HEADER_BYTES + ((bytes[offset + 4] << 8) | bytes[offset + 5]);
    return total > available ? 0 : total;
  }
  return 0;
}
