#include "mss-clamp.h"

enum {
	IPV4_HEADER = 20, IPV4_FRAGMENT = 6, IPV4_PROTOCOL = 9,
	IPV6_HEADER = 40, IPV6_NEXT_HEADER = 6,
	PROTOCOL_TCP = 6,
	TCP_HEADER = 20, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16, FLAG_SYN = 0x02,
	/* RFC 9293 section 3.2. */
	OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_MSS_BYTES = 4,
};
/* More fragments, and the fragment's offset. */
#define FRAGMENTED 0x3fff

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Where TCP begins; 0 for anything that is not a whole TCP segment. */
static size_t tcp_of(const uint8_t *packet, size_t length)
{
	if (length < IPV4_HEADER + TCP_HEADER) return 0;
	if (packet[0] >> 4 == 6) {
		/* Extension headers in front of TCP are rare enough to be left alone. */
		return packet[IPV6_NEXT_HEADER] == PROTOCOL_TCP && length >= IPV6_HEADER + TCP_HEADER ? IPV6_HEADER : 0;
	}
	const size_t header = (size_t)(packet[0] & 15) * 4;
	if (packet[0] >> 4 != 4 || header < IPV4_HEADER || length < header + TCP_HEADER) return 0;
	if (packet[IPV4_PROTOCOL] != PROTOCOL_TCP || (get16(packet + IPV4_FRAGMENT) & FRAGMENTED) != 0) return 0;
	return header;
}

/* The MSS option's value, or NULL. */
static uint8_t *mss_of(uint8_t *tcp, size_t length)
{
	const size_t end = (size_t)(tcp[TCP_DATA_OFFSET] >> 4) * 4;
	if (end > length) return NULL;
	for (size_t at = TCP_HEADER; at + 1 < end;) {
		if (tcp[at] == OPTION_END) return NULL;
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		const size_t size = tcp[at + 1];
		if (size < 2 || at + size > end) return NULL;
		if (tcp[at] == OPTION_MSS) return size == OPTION_MSS_BYTES ? tcp + at + 2 : NULL;
		at += size;
	}
	return NULL;
}

/* RFC 1624, equation 3: the checksum after a word of what it covers has changed. */
static uint32_t updated(uint32_t checksum, uint32_t before, uint32_t after)
{
	uint32_t sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* A word at an odd place counts with its bytes exchanged. */
static uint32_t as_summed(uint32_t word, size_t at)
{
	return (at & 1) == 0 ? word : (word << 8 | word >> 8) & 0xffff;
}

void cb_clamp_mss(uint8_t *packet, size_t length, uint16_t mtu)
{
	const size_t header = tcp_of(packet, length);
	if (header == 0 || (packet[header + TCP_FLAGS] & FLAG_SYN) == 0) return;
	uint8_t *tcp = packet + header, *mss = mss_of(tcp, length - header);
	/* RFC 6691: what the fixed headers leave; options come out of it. */
	const uint32_t fixed = (packet[0] >> 4 == 4 ? IPV4_HEADER : IPV6_HEADER) + TCP_HEADER;
	if (mss == NULL || mtu <= fixed) return;
	const uint32_t announced = get16(mss), most = mtu - fixed;
	if (announced <= most) return;
	const size_t at = (size_t)(mss - tcp);
	put16(mss, most);
	put16(tcp + TCP_CHECKSUM, updated(get16(tcp + TCP_CHECKSUM), as_summed(announced, at), as_summed(most, at)));
}
