/* Little-endian loads and stores that ask nothing of alignment. */
#ifndef CLOUDBRIDGE_BYTES_H
#define CLOUDBRIDGE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint32_t load32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t load64(const uint8_t *at)
{
	return (uint64_t)load32(at) | (uint64_t)load32(at + 4) << 32;
}

static inline void store32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
	at[2] = (uint8_t)(value >> 16);
	at[3] = (uint8_t)(value >> 24);
}

static inline void store64(uint8_t *at, uint64_t value)
{
	store32(at, (uint32_t)value);
	store32(at + 4, (uint32_t)(value >> 32));
}

static inline uint32_t rotl32(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static inline uint32_t rotr32(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

#endif
