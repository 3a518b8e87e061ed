/*
 * The Internet checksum (RFC 1071). Words are added as they lie in memory: the one's complement sum does not mind the
 * byte order (section 2.B), so only lengths and numbers are swapped.
 */
#ifndef CLOUDBRIDGE_CHECKSUM_H
#define CLOUDBRIDGE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "network-order.h"

static inline uint64_t cb_sum(const uint8_t *data, size_t length)
{
	uint64_t total = 0;
	for (; length >= 4; data += 4, length -= 4) {
		uint32_t word;
		memcpy(&word, data, 4);
		total += word;
	}
	uint32_t rest = 0;
	memcpy(&rest, data, length);
	return total + rest;
}

/* Copies and sums in one pass; `to` lies outside the source. */
static inline uint64_t cb_copy_and_sum(uint8_t *restrict to, const uint8_t *restrict from, size_t length)
{
	uint64_t total = 0;
	for (; length >= 4; to += 4, from += 4, length -= 4) {
		uint32_t word;
		memcpy(&word, from, 4);
		memcpy(to, &word, 4);
		total += word;
	}
	uint32_t rest = 0;
	memcpy(&rest, from, length);
	memcpy(to, from, length);
	return total + rest;
}

static inline uint16_t cb_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* A length or protocol number as it counts in a sum. */
static inline uint64_t cb_word(size_t value)
{
	return htons((uint16_t)value);
}

/* Addresses and protocol of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1), without the length. */
static inline uint64_t cb_pseudo_header(const uint8_t *packet, int version, unsigned protocol)
{
	return (version == 4 ? cb_sum(packet + 12, 8) : cb_sum(packet + 8, 32)) + cb_word(protocol);
}

#endif
