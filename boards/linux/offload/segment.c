#include "segment.h"

#include <linux/virtio_net.h>
#include <string.h>

#include "checksum.h"
#include "network-order.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* RFC 1071 over `start` to the end; the field already holds the pseudo-header's part. */
static int complete_checksum(const cb_super *super, size_t start, size_t field)
{
	if (start < IPV4_HEADER || start + field + 2 > super->length) return 0;
	const uint16_t value = (uint16_t)~cb_fold(cb_sum(super->packet + start, super->length - start));
	/* A computed zero is sent as its twin, since zero means "none" in UDP (RFC 768). */
	put_raw16(super->packet + start + field, value == 0 ? 0xffff : value);
	return 1;
}

/* Whether the headers are what the offload type says; sets `headers`. */
static int headers_fit(cb_super *super, size_t field)
{
	if (super->version == 4) {
		if (super->transport != (size_t)(super->packet[0] & 15) << 2 || super->transport < IPV4_HEADER) return 0;
	} else if (super->transport < IPV6_HEADER) return 0;
	if (super->type == VIRTIO_NET_HDR_GSO_UDP_L4) {
		super->headers = super->transport + UDP_HEADER;
		return field == UDP_CHECKSUM && super->headers <= super->length;
	}
	if (super->type != (super->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6)) return 0;
	if (field != TCP_CHECKSUM || super->transport + TCP_HEADER > super->length) return 0;
	const size_t tcpHeader = (size_t)(super->packet[super->transport + TCP_DATA_OFFSET] >> 4) << 2;
	super->headers = super->transport + tcpHeader;
	return tcpHeader >= TCP_HEADER && super->headers <= super->length;
}

uint32_t cb_super_take(cb_super *super, uint8_t *frame, size_t length)
{
	struct virtio_net_hdr header;
	super->segments = 0;
	if (length < CB_VNET_BYTES + IPV4_HEADER) return 0;
	memcpy(&header, frame, CB_VNET_BYTES);
	super->packet = frame + CB_VNET_BYTES;
	super->length = length - CB_VNET_BYTES;
	if (ip_length(super->packet, super->length) != super->length) return 0;
	super->version = super->packet[0] >> 4;
	super->type = header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	const int needsChecksum = header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (super->type == VIRTIO_NET_HDR_GSO_NONE) {
		if (needsChecksum && !complete_checksum(super, header.csum_start, header.csum_offset)) return 0;
		super->headers = 0;
		super->piece = super->length;
		return super->segments = 1;
	}
	/* Segmentation without a checksum to complete does not exist (virtio 1.2, section 5.1.6.2). */
	if (!needsChecksum) return 0;
	super->transport = header.csum_start;
	super->piece = header.gso_size;
	if (super->piece == 0 || !headers_fit(super, header.csum_offset)) return 0;
	const size_t payload = super->length - super->headers;
	return super->segments = payload == 0 ? 1 : (uint32_t)((payload + super->piece - 1) / super->piece);
}

size_t cb_super_segment_length(const cb_super *super, uint32_t index)
{
	if (super->type == VIRTIO_NET_HDR_GSO_NONE) return super->length;
	const size_t rest = super->length - super->headers - index * super->piece;
	return super->headers + (rest < super->piece ? rest : super->piece);
}

size_t cb_super_write(const cb_super *super, uint32_t index, uint8_t *to)
{
	const uint8_t *packet = super->packet;
	if (super->type == VIRTIO_NET_HDR_GSO_NONE) {
		memcpy(to, packet, super->length);
		return super->length;
	}
	const size_t length = cb_super_segment_length(super, index), skip = index * super->piece, transport = super->transport;
	memcpy(to, packet, super->headers);
	if (super->version == 4) {
		put16(to + IPV4_LENGTH, length);
		put16(to + IPV4_ID, get16(packet + IPV4_ID) + index);
		put_raw16(to + IPV4_CHECKSUM, 0);
		put_raw16(to + IPV4_CHECKSUM, (uint16_t)~cb_fold(cb_sum(to, transport)));
	} else put16(to + IPV6_LENGTH, length - IPV6_HEADER);
	uint8_t *segment = to + transport, *field = segment + UDP_CHECKSUM;
	if (super->type == VIRTIO_NET_HDR_GSO_UDP_L4) put16(segment + UDP_LENGTH, length - transport);
	else {
		field = segment + TCP_CHECKSUM;
		put32(segment + TCP_SEQUENCE, get32(packet + transport + TCP_SEQUENCE) + (uint32_t)skip);
		if (index != 0) segment[TCP_FLAGS] &= (uint8_t)~FLAG_CWR;
		if (index + 1 != super->segments) segment[TCP_FLAGS] &= (uint8_t)~(FLAG_FIN | FLAG_PSH);
	}
	/* The field holds the pseudo-header's sum with the whole length: that part is taken out, the segment's put in. */
	const uint64_t pseudo = get_raw16(field) + (cb_word(super->length - transport) ^ 0xffff) + cb_word(length - transport);
	put_raw16(field, 0);
	const uint64_t total = pseudo + cb_sum(segment, super->headers - transport)
		+ cb_copy_and_sum(to + super->headers, packet + super->headers + skip, length - super->headers);
	const uint16_t value = (uint16_t)~cb_fold(total);
	put_raw16(field, value == 0 && super->type == VIRTIO_NET_HDR_GSO_UDP_L4 ? 0xffff : value);
	return length;
}
