/** `struct virtio_net_hdr` (virtio 1.2, section 5.1.6), as TUN puts it before a packet: host byte order. */

export const VNET_BYTES: usize = 10;
export const VNET_FLAGS: usize = 0;
export const VNET_GSO_TYPE: usize = 1;
export const VNET_HEADER_LENGTH: usize = 2;
export const VNET_GSO_SIZE: usize = 4;
export const VNET_CHECKSUM_START: usize = 6;
export const VNET_CHECKSUM_OFFSET: usize = 8;

export const NEEDS_CHECKSUM: u32 = 1;

export const GSO_NONE: u32 = 0;
export const GSO_TCPV4: u32 = 1;
export const GSO_TCPV6: u32 = 4;
export const GSO_UDP_L4: u32 = 5;
/** Set beside a TCP type when the first segment carries CWR (RFC 3168). */
export const GSO_ECN: u32 = 0x80;

/** "No offload": the header of a packet that is complete. */
@inline
export function writePlain(header: usize): void {
  store<u64>(header, 0);
  store<u16>(header + 8, 0);
}
