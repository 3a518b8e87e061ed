/* Fields of IP, TCP and UDP headers, big-endian, and where they are: RFC 791, RFC 8200, RFC 9293, RFC 768. */
#ifndef CLOUDBRIDGE_NETWORK_ORDER_H
#define CLOUDBRIDGE_NETWORK_ORDER_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	IPV4_HEADER = 20, IPV4_TOS = 1, IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_FRAGMENT = 6, IPV4_TTL = 8, IPV4_PROTOCOL = 9,
	IPV4_CHECKSUM = 10, IPV4_SOURCE = 12,
	IPV6_HEADER = 40, IPV6_LENGTH = 4, IPV6_NEXT_HEADER = 6, IPV6_HOP_LIMIT = 7, IPV6_SOURCE = 8,
	TCP_HEADER = 20, TCP_SEQUENCE = 4, TCP_ACKNOWLEDGMENT = 8, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_WINDOW = 14,
	TCP_CHECKSUM = 16, TCP_URGENT = 18,
	UDP_HEADER = 8, UDP_LENGTH = 4, UDP_CHECKSUM = 6,
	PROTOCOL_TCP = 6,
	FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_ACK = 0x10, FLAG_CWR = 0x80,
	/* Don't Fragment, in the first byte of the word with the fragment's offset. */
	DONT_FRAGMENT = 0x40,
};

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* A word as it lies in memory, as checksums are computed. */
static inline uint16_t get_raw16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, 2);
	return value;
}

static inline void put_raw16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, 2);
}

/* Length of the packet as its own header has it; 0 when `available` bytes do not hold it or it is no IP packet. */
static inline size_t ip_length(const uint8_t *packet, size_t available)
{
	if (available < IPV4_HEADER) return 0;
	if (packet[0] >> 4 == 4) {
		const size_t header = (size_t)(packet[0] & 15) << 2;
		const size_t length = get16(packet + IPV4_LENGTH);
		return header >= IPV4_HEADER && length >= header && length <= available ? length : 0;
	}
	if (packet[0] >> 4 != 6 || available < IPV6_HEADER) return 0;
	const size_t length = IPV6_HEADER + get16(packet + IPV6_LENGTH);
	return length <= available ? length : 0;
}

#endif
