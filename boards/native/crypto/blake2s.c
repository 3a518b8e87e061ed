/* BLAKE2s (RFC 7693) and HMAC over it (RFC 2104). */

#include "bytes.h"
#include "primitives.h"

/* RFC 7693 section 2.6: SHA-256's initial values. */
static const uint32_t IV[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Section 2.7. */
static const uint8_t SIGMA[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

/* Section 3.1. */
static void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x; v[d] = rotr32(v[d] ^ v[a], 16);
	v[c] += v[d]; v[b] = rotr32(v[b] ^ v[c], 12);
	v[a] += v[b] + y; v[d] = rotr32(v[d] ^ v[a], 8);
	v[c] += v[d]; v[b] = rotr32(v[b] ^ v[c], 7);
}

/* Section 3.2. */
static void compress(cb_blake2s_state *state, int last)
{
	uint32_t v[16], m[16];
	for (int i = 0; i < 8; i++) {
		v[i] = state->h[i];
		v[8 + i] = IV[i];
	}
	v[12] ^= (uint32_t)state->counted;
	v[13] ^= (uint32_t)(state->counted >> 32);
	if (last) v[14] = ~v[14];
	for (int i = 0; i < 16; i++) m[i] = load32(state->block + 4 * i);
	for (int round = 0; round < 10; round++) {
		const uint8_t *s = SIGMA[round];
		for (int i = 0; i < 4; i++) mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
		for (int i = 0; i < 4; i++) {
			mix(v, i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3), m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
		}
	}
	for (int i = 0; i < 8; i++) state->h[i] ^= v[i] ^ v[8 + i];
	cb_erase(v, sizeof v);
	cb_erase(m, sizeof m);
}

void cb_blake2s_begin(cb_blake2s_state *state, size_t outLength, const uint8_t *key, size_t keyLength)
{
	for (int i = 0; i < 8; i++) state->h[i] = IV[i];
	/* Section 2.5, parameter block: digest and key length, fan-out and depth 1. */
	state->h[0] ^= 0x01010000 ^ (uint32_t)keyLength << 8 ^ (uint32_t)outLength;
	state->counted = 0;
	state->held = 0;
	state->outLength = (uint8_t)outLength;
	if (keyLength > 0) {
		memset(state->block, 0, sizeof state->block);
		memcpy(state->block, key, keyLength);
		state->held = sizeof state->block;
	}
}

void cb_blake2s_update(cb_blake2s_state *state, const uint8_t *data, size_t length)
{
	while (length > 0) {
		/* The last block is kept back: it is compressed with the flag. */
		if (state->held == sizeof state->block) {
			state->counted += sizeof state->block;
			compress(state, 0);
			state->held = 0;
		}
		const size_t room = sizeof state->block - state->held, part = length < room ? length : room;
		memcpy(state->block + state->held, data, part);
		state->held += part;
		data += part;
		length -= part;
	}
}

void cb_blake2s_end(cb_blake2s_state *state, uint8_t *out)
{
	uint8_t whole[32];
	state->counted += state->held;
	memset(state->block + state->held, 0, sizeof state->block - state->held);
	compress(state, 1);
	for (int i = 0; i < 8; i++) store32(whole + 4 * i, state->h[i]);
	memcpy(out, whole, state->outLength);
	cb_erase(whole, sizeof whole);
	cb_erase(state, sizeof *state);
}

void cb_blake2s(uint8_t *out, size_t outLength, const uint8_t *key, size_t keyLength, const uint8_t *data, size_t length)
{
	cb_blake2s_state state;
	cb_blake2s_begin(&state, outLength, key, keyLength);
	cb_blake2s_update(&state, data, length);
	cb_blake2s_end(&state, out);
}

void cb_hmac(uint8_t out[32], const uint8_t *key, size_t keyLength, const uint8_t *data, size_t length)
{
	cb_blake2s_state state;
	uint8_t block[CB_BLOCK_BYTES] = { 0 }, inner[32];
	if (keyLength > sizeof block) {
		cb_blake2s(block, 32, NULL, 0, key, keyLength);
	} else if (keyLength > 0) {
		memcpy(block, key, keyLength);
	}
	for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36;
	cb_blake2s_begin(&state, 32, NULL, 0);
	cb_blake2s_update(&state, block, sizeof block);
	cb_blake2s_update(&state, data, length);
	cb_blake2s_end(&state, inner);
	/* 0x36 ^ 0x5c */
	for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x6a;
	cb_blake2s_begin(&state, 32, NULL, 0);
	cb_blake2s_update(&state, block, sizeof block);
	cb_blake2s_update(&state, inner, sizeof inner);
	cb_blake2s_end(&state, out);
	cb_erase(block, sizeof block);
	cb_erase(inner, sizeof inner);
}
