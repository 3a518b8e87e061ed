#include "merge.h"

#include <linux/virtio_net.h>
#include <string.h>

#include "checksum.h"
#include "network-order.h"
#include "segment.h"

#define LARGEST_PACKET 65535
/* Behind which a super-packet's own bytes begin, aligned. */
#define FLOW_HEADROOM 16

static uint8_t *packet_of(cb_flow *flow)
{
	return flow->bytes + FLOW_HEADROOM;
}

static uint32_t add_entry(cb_merger *merger, uint8_t *frame, size_t length)
{
	merger->entry[merger->entries].frame = frame;
	merger->entry[merger->entries].length = length;
	return merger->entries++;
}

static void add_plain(cb_merger *merger, uint8_t *packet, size_t length)
{
	memset(packet - CB_VNET_BYTES, 0, CB_VNET_BYTES);
	add_entry(merger, packet - CB_VNET_BYTES, length + CB_VNET_BYTES);
}

/* TCP directly behind a fixed IP header, not a fragment, whole, with a sound header checksum. */
static int is_tcp(const uint8_t *packet, size_t length, int version, size_t transport)
{
	if (length < transport + TCP_HEADER) return 0;
	if (version == 6) return packet[IPV6_NEXT_HEADER] == PROTOCOL_TCP;
	return packet[0] == 0x45 && packet[IPV4_PROTOCOL] == PROTOCOL_TCP && (packet[IPV4_FRAGMENT] & ~DONT_FRAGMENT) == 0
		&& packet[IPV4_FRAGMENT + 1] == 0 && cb_fold(cb_sum(packet, IPV4_HEADER)) == 0xffff;
}

static cb_flow *find_flow(cb_merger *merger, const uint8_t *packet, int version, size_t transport)
{
	const size_t addresses = version == 4 ? IPV4_SOURCE : IPV6_SOURCE, length = version == 4 ? 8 : 32;
	for (uint32_t i = 0; i < merger->flows; i++) {
		cb_flow *flow = &merger->flow[i];
		const uint8_t *first = packet_of(flow);
		if (flow->open && first[0] >> 4 == version && memcmp(first + transport, packet + transport, 4) == 0
			&& memcmp(first + addresses, packet + addresses, length) == 0) return flow;
	}
	return NULL;
}

/* Whether the segment is what follows, under the very same headers. */
static int continues(cb_flow *flow, const uint8_t *packet, size_t length, int version, size_t transport, size_t headers)
{
	const uint8_t *first = packet_of(flow), *tcp = packet + transport, *firstTcp = first + transport;
	if (flow->headers != headers || get32(tcp + TCP_SEQUENCE) != flow->next || length - headers > flow->piece
		|| flow->length + length - headers > LARGEST_PACKET) return 0;
	if (memcmp(tcp + TCP_ACKNOWLEDGMENT, firstTcp + TCP_ACKNOWLEDGMENT, 4) != 0
		|| memcmp(tcp + TCP_WINDOW, firstTcp + TCP_WINDOW, 2) != 0 || memcmp(tcp + TCP_URGENT, firstTcp + TCP_URGENT, 2) != 0
		|| memcmp(tcp + TCP_HEADER, firstTcp + TCP_HEADER, headers - transport - TCP_HEADER) != 0) return 0;
	/* Version, traffic class and flow label are one word. */
	if (version == 6) return memcmp(packet, first, 4) == 0 && packet[IPV6_HOP_LIMIT] == first[IPV6_HOP_LIMIT];
	return packet[IPV4_TOS] == first[IPV4_TOS] && packet[IPV4_TTL] == first[IPV4_TTL]
		&& memcmp(packet + IPV4_FRAGMENT, first + IPV4_FRAGMENT, 2) == 0
		&& get16(packet + IPV4_ID) == (uint16_t)(get16(first + IPV4_ID) + flow->count);
}

/* Copies the payload to `to`; whether the segment's checksum is right. */
static int copy_payload(uint8_t *to, const uint8_t *packet, size_t length, int version, size_t transport, size_t headers)
{
	const uint64_t total = cb_pseudo_header(packet, version, PROTOCOL_TCP) + cb_word(length - transport)
		+ cb_sum(packet + transport, headers - transport) + cb_copy_and_sum(to, packet + headers, length - headers);
	return cb_fold(total) == 0xffff;
}

static void close_flow(cb_merger *merger, cb_flow *flow)
{
	uint8_t *first = packet_of(flow);
	flow->open = 0;
	/* A single segment is left as it came. */
	if (flow->count == 1) return;
	const int version = first[0] >> 4;
	const size_t transport = version == 4 ? IPV4_HEADER : IPV6_HEADER;
	if (version == 4) {
		put16(first + IPV4_LENGTH, flow->length);
		put_raw16(first + IPV4_CHECKSUM, 0);
		put_raw16(first + IPV4_CHECKSUM, (uint16_t)~cb_fold(cb_sum(first, IPV4_HEADER)));
	} else put16(first + IPV6_LENGTH, flow->length - IPV6_HEADER);
	/* The pseudo-header's sum alone: whoever takes the packet apart, or checks it, completes it. */
	put_raw16(first + transport + TCP_CHECKSUM, cb_fold(cb_pseudo_header(first, version, PROTOCOL_TCP) + cb_word(flow->length - transport)));
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)flow->headers,
		.gso_size = (uint16_t)flow->piece,
		.csum_start = (uint16_t)transport,
		.csum_offset = TCP_CHECKSUM,
	};
	memcpy(first - CB_VNET_BYTES, &header, CB_VNET_BYTES);
	merger->entry[flow->entry].length = flow->length + CB_VNET_BYTES;
}

/* Begins a super-packet; 0 when all are taken or the segment's checksum is wrong. */
static int begin(cb_merger *merger, const uint8_t *packet, size_t length, int version, size_t transport, size_t headers)
{
	if (merger->flows == CB_MERGE_FLOWS) return 0;
	cb_flow *flow = &merger->flow[merger->flows];
	uint8_t *first = packet_of(flow);
	if (!copy_payload(first + headers, packet, length, version, transport, headers)) return 0;
	memcpy(first, packet, headers);
	memset(first - CB_VNET_BYTES, 0, CB_VNET_BYTES);
	flow->open = 1;
	flow->length = length;
	flow->headers = headers;
	flow->piece = length - headers;
	flow->count = 1;
	flow->next = get32(packet + transport + TCP_SEQUENCE) + (uint32_t)(length - headers);
	flow->entry = add_entry(merger, first - CB_VNET_BYTES, length + CB_VNET_BYTES);
	merger->flows++;
	return 1;
}

int cb_merge_room(const cb_merger *merger)
{
	return merger->entries < CB_MERGE_ENTRIES;
}

void cb_merge_add(cb_merger *merger, uint8_t *packet, size_t length)
{
	const int version = packet[0] >> 4;
	const size_t transport = version == 4 ? IPV4_HEADER : IPV6_HEADER;
	if (!is_tcp(packet, length, version, transport)) {
		add_plain(merger, packet, length);
		return;
	}
	const uint8_t *tcp = packet + transport;
	const size_t headers = transport + ((size_t)(tcp[TCP_DATA_OFFSET] >> 4) << 2);
	const uint8_t flags = tcp[TCP_FLAGS];
	const int mergeable = (flags & ~FLAG_PSH) == FLAG_ACK && headers >= transport + TCP_HEADER && headers < length
		&& (tcp[TCP_DATA_OFFSET] & 15) == 0;
	cb_flow *flow = find_flow(merger, packet, version, transport);
	if (flow != NULL) {
		uint8_t *first = packet_of(flow);
		if (mergeable && continues(flow, packet, length, version, transport, headers)
			&& copy_payload(first + flow->length, packet, length, version, transport, headers)) {
			const size_t payload = length - headers;
			flow->length += payload;
			flow->count++;
			flow->next += (uint32_t)payload;
			first[transport + TCP_FLAGS] |= flags;
			if ((flags & FLAG_PSH) != 0 || payload < flow->piece) close_flow(merger, flow);
			return;
		}
		close_flow(merger, flow);
	}
	/* A segment that ends a super-packet gains nothing by beginning one. */
	if (!mergeable || (flags & FLAG_PSH) != 0 || !begin(merger, packet, length, version, transport, headers))
		add_plain(merger, packet, length);
}

void cb_merge_finish(cb_merger *merger)
{
	for (uint32_t i = 0; i < merger->flows; i++) {
		if (merger->flow[i].open) close_flow(merger, &merger->flow[i]);
	}
}

void cb_merge_clear(cb_merger *merger)
{
	merger->flows = merger->entries = 0;
}
