/** Field offsets of the headers that the kernel edits: RFC 791, RFC 8200, RFC 9293, RFC 768. */

export const IPV4_HEADER: usize = 20;
export const IPV4_TOS: usize = 1;
export const IPV4_LENGTH: usize = 2;
export const IPV4_ID: usize = 4;
export const IPV4_FRAGMENT: usize = 6;
export const IPV4_TTL: usize = 8;
export const IPV4_PROTOCOL: usize = 9;
export const IPV4_CHECKSUM: usize = 10;
export const IPV4_SOURCE: usize = 12;

export const IPV6_HEADER: usize = 40;
export const IPV6_LENGTH: usize = 4;
export const IPV6_NEXT_HEADER: usize = 6;
export const IPV6_HOP_LIMIT: usize = 7;
export const IPV6_SOURCE: usize = 8;

export const TCP_HEADER: usize = 20;
export const TCP_SEQUENCE: usize = 4;
export const TCP_ACKNOWLEDGMENT: usize = 8;
export const TCP_DATA_OFFSET: usize = 12;
export const TCP_FLAGS: usize = 13;
export const TCP_WINDOW: usize = 14;
export const TCP_CHECKSUM: usize = 16;
export const TCP_URGENT: usize = 18;

export const UDP_HEADER: usize = 8;
export const UDP_LENGTH: usize = 4;
export const UDP_CHECKSUM: usize = 6;

export const PROTOCOL_TCP: u32 = 6;
export const PROTOCOL_UDP: u32 = 17;

export const FLAG_FIN: u32 = 0x01;
export const FLAG_PSH: u32 = 0x08;
export const FLAG_ACK: u32 = 0x10;
export const FLAG_CWR: u32 = 0x80;

/** A big-endian field as a number. */
@inline
export function load16(address: usize): usize {
  return usize(bswap<u16>(load<u16>(address)));
}

@inline
export function store16(address: usize, value: usize): void {
  store<u16>(address, bswap<u16>(u16(value)));
}

@inline
export function load32(address: usize): u32 {
  return bswap<u32>(load<u32>(address));
}

@inline
export function store32(address: usize, value: u32): void {
  store<u32>(address, bswap<u32>(value));
}

/**
 * Length of the IP packet that begins at `packet`, as its own header gives it; 0 when `available` bytes do not hold
 * it or it is no IP packet. What lies behind is padding.
 */
export function ipLength(packet: usize, available: usize): usize {
  if (available < IPV4_HEADER) return 0;
  const version = load<u8>(packet) >> 4;
  if (version == 4) {
    const header = (usize(load<u8>(packet)) & 15) << 2;
    const length = load16(packet + IPV4_LENGTH);
    return header >= IPV4_HEADER && length >= header && length <= available ? length : 0;
  }
  if (version == 6 && available >= IPV6_HEADER) {
    const length = IPV6_HEADER + load16(packet + IPV6_LENGTH);
    return length <= available ? length : 0;
  }
  return 0;
}
