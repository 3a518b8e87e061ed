/*
 * Cuts random super-packets as TUN gives them, checks every packet with a checksum of its own making, merges the
 * packets again and compares with what was cut. Damaged and foreign packets are thrown in between: they must come out
 * as they went in. Then the frames nobody should send: they must be refused or cut without leaving their memory, which
 * the sanitizers watch. Arguments: seed, rounds. Says what went wrong and ends with 1.
 */

#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "network-order.h"
#include "segment.h"

static uint64_t state;

static uint32_t random_below(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % n;
}

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* RFC 1071 word by word, as section 4.1 has it; 0 for data that hold their own checksum. */
static uint16_t slow_checksum(const uint8_t *data, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++) sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t slow_pseudo(const uint8_t *packet, int version, unsigned protocol, size_t length)
{
	const uint8_t *addresses = packet + (version == 4 ? IPV4_SOURCE : IPV6_SOURCE);
	uint32_t sum = protocol + (uint32_t)length;
	for (int i = 0; i < (version == 4 ? 8 : 32); i += 2) sum += get16(addresses + i);
	return sum;
}

static size_t transport_of(int version)
{
	return version == 4 ? IPV4_HEADER : IPV6_HEADER;
}

/* A TCP or UDP super-packet; its length with the header of virtio. */
static size_t make_frame(uint8_t *frame, int version, int tcp, size_t piece, size_t payload)
{
	const size_t transport = transport_of(version), options = tcp ? 4 * random_below(4) : 0;
	const size_t headers = transport + (tcp ? TCP_HEADER + options : UDP_HEADER), length = headers + payload;
	uint8_t *packet = frame + CB_VNET_BYTES;
	for (size_t i = 0; i < length; i++) packet[i] = (uint8_t)random_below(256);
	if (version == 4) {
		packet[0] = 0x45;
		put16(packet + IPV4_LENGTH, length);
		put16(packet + IPV4_FRAGMENT, random_below(2) ? 0x4000 : 0);
		packet[IPV4_PROTOCOL] = tcp ? 6 : 17;
	} else {
		packet[0] = 0x60 | (packet[0] & 15);
		put16(packet + IPV6_LENGTH, length - IPV6_HEADER);
		packet[IPV6_NEXT_HEADER] = tcp ? 6 : 17;
	}
	uint8_t *at = packet + transport;
	if (tcp) {
		at[TCP_DATA_OFFSET] = (uint8_t)((TCP_HEADER + options) / 4 << 4);
		at[TCP_FLAGS] = (uint8_t)(FLAG_ACK | (random_below(2) ? FLAG_PSH : 0));
	} else put16(at + UDP_LENGTH, length - transport);
	/* The pseudo-header's part, not complemented. */
	put16(at + (tcp ? TCP_CHECKSUM : UDP_CHECKSUM), (uint16_t)~slow_checksum(NULL, 0, slow_pseudo(packet, version, tcp ? 6 : 17, length - transport)));
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !tcp ? 5 : version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)headers, .gso_size = (uint16_t)piece,
		.csum_start = (uint16_t)transport, .csum_offset = tcp ? TCP_CHECKSUM : UDP_CHECKSUM,
	};
	memcpy(frame, &header, CB_VNET_BYTES);
	return length + CB_VNET_BYTES;
}

static void check_packet(const uint8_t *packet, size_t length, int tcp)
{
	const int version = packet[0] >> 4;
	const size_t transport = transport_of(version);
	if (ip_length(packet, length) != length) fail("a packet's length is wrong");
	if (version == 4 && slow_checksum(packet, IPV4_HEADER, 0) != 0) fail("an IPv4 header's checksum is wrong");
	if (slow_checksum(packet + transport, length - transport, slow_pseudo(packet, version, tcp ? 6 : 17, length - transport)) != 0)
		fail("a transport checksum is wrong");
}

static cb_merger merger;
static uint8_t frame[CB_VNET_BYTES + 65535];
/* Each packet with room for a header before it. */
static uint8_t packets[CB_MERGE_ENTRIES][16 + 2048];

static void round_trip(int version, int tcp)
{
	const size_t piece = 1 + random_below(1400), most = 65535 - 100;
	size_t payload = piece * (1 + random_below(45)) - random_below((uint32_t)piece);
	if (payload > most) payload = most;
	const size_t length = make_frame(frame, version, tcp, piece, payload);
	cb_super super;
	const uint32_t count = cb_super_take(&super, frame, length);
	if (count != (payload + piece - 1) / piece) fail("the number of segments is wrong");
	const size_t headers = super.headers;
	size_t sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *packet = packets[i] + 16;
		const size_t one = cb_super_write(&super, i, packet);
		if (one != cb_super_segment_length(&super, i)) fail("a segment's length was told wrong");
		check_packet(packet, one, tcp);
		if (memcmp(packet + headers, super.packet + headers + sum, one - headers) != 0) fail("a segment's payload is wrong");
		sum += one - headers;
		cb_merge_add(&merger, packet, one);
	}
	if (sum != payload) fail("payload was lost");
	/* A copy with a damaged payload must come out alone and as it is. */
	uint8_t *damaged = packets[CB_MERGE_ENTRIES - 1] + 16;
	const size_t damagedLength = cb_super_write(&super, 0, damaged);
	damaged[headers] ^= 1;
	uint8_t before[2048];
	memcpy(before, damaged, damagedLength);
	cb_merge_add(&merger, damaged, damagedLength);
	cb_merge_finish(&merger);
	size_t merged = 0;
	for (uint32_t i = 0; i + 1 < merger.entries; i++) {
		const uint8_t *packet = merger.entry[i].frame + CB_VNET_BYTES;
		const size_t one = merger.entry[i].length - CB_VNET_BYTES;
		if (ip_length(packet, one) != one) fail("a merged packet's length is wrong");
		if (memcmp(packet + headers, super.packet + headers + merged, one - headers) != 0) fail("a merged payload is wrong");
		merged += one - headers;
		/* What was merged can be cut again, and then is right to the last bit. */
		cb_super again;
		if (cb_super_take(&again, merger.entry[i].frame, merger.entry[i].length) == 0) fail("a merged frame is refused");
		uint8_t out[2048];
		for (uint32_t j = 0; j < again.segments; j++) check_packet(out, cb_super_write(&again, j, out), tcp);
	}
	if (merged != payload) fail("payload was lost in merging");
	const uint32_t last = merger.entries - 1;
	if (merger.entry[last].length != damagedLength + CB_VNET_BYTES || memcmp(merger.entry[last].frame + CB_VNET_BYTES, before, damagedLength) != 0)
		fail("a damaged packet was changed");
	if (tcp && count > 1 && merger.entries > count) fail("nothing was merged");
	cb_merge_clear(&merger);
}

/* Headers that lie, in exactly as much memory as they have. */
static void nonsense(void)
{
	const size_t length = random_below(3) ? random_below(120) : random_below(3000);
	uint8_t *exact = malloc(length == 0 ? 1 : length);
	for (size_t i = 0; i < length; i++) exact[i] = (uint8_t)random_below(random_below(2) ? 256 : 8);
	if (length >= CB_VNET_BYTES + IPV4_HEADER && random_below(4)) {
		exact[CB_VNET_BYTES] = random_below(2) ? 0x45 : 0x60;
		put16(exact + CB_VNET_BYTES + (exact[CB_VNET_BYTES] == 0x45 ? 2 : 4), length - CB_VNET_BYTES - (exact[CB_VNET_BYTES] == 0x45 ? 0 : 40));
		exact[0] = (uint8_t)random_below(2);
	}
	cb_super super;
	const uint32_t count = cb_super_take(&super, exact, length);
	for (uint32_t i = 0; i < count; i++) {
		const size_t one = cb_super_segment_length(&super, i);
		uint8_t *out = malloc(one);
		if (cb_super_write(&super, i, out) != one) fail("a segment's length was told wrong");
		free(out);
	}
	free(exact);
	/* And what arrives through the tunnel. */
	const size_t inner = 20 + random_below(200);
	uint8_t *packet = malloc(16 + inner);
	for (size_t i = 0; i < 16 + inner; i++) packet[i] = (uint8_t)random_below(random_below(2) ? 256 : 8);
	packet[16] = random_below(2) ? 0x45 : 0x60;
	packet[16 + (packet[16] == 0x45 ? IPV4_PROTOCOL : IPV6_NEXT_HEADER)] = 6;
	if (packet[16] == 0x45) {
		put16(packet + 16 + IPV4_LENGTH, inner);
		put16(packet + 16 + IPV4_CHECKSUM, 0);
		put16(packet + 16 + IPV4_CHECKSUM, slow_checksum(packet + 16, IPV4_HEADER, 0));
	} else if (inner >= IPV6_HEADER) put16(packet + 16 + IPV6_LENGTH, inner - IPV6_HEADER);
	if (ip_length(packet + 16, inner) == inner) cb_merge_add(&merger, packet + 16, inner);
	cb_merge_finish(&merger);
	cb_merge_clear(&merger);
	free(packet);
}

int main(int argc, char **argv)
{
	if (argc != 3) fail("usage: seed rounds");
	state = strtoull(argv[1], NULL, 10);
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
		round_trip(random_below(2) ? 4 : 6, random_below(3) > 0);
		for (int j = 0; j < 20; j++) nonsense();
	}
	return 0;
}
