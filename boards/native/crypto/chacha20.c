/*
 * ChaCha20 (RFC 8439 section 2.3). Four blocks side by side where the compiler has vectors, eight where the processor
 * has wide ones, one block otherwise.
 */

#include "bytes.h"
#include "primitives.h"

static const uint32_t SIGMA[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

#define QUARTER(rotate, a, b, c, d) \
	a += b; d = rotate(d ^ a, 16); \
	c += d; b = rotate(b ^ c, 12); \
	a += b; d = rotate(d ^ a, 8); \
	c += d; b = rotate(b ^ c, 7);

#define DOUBLE_ROUND(rotate, x) \
	QUARTER(rotate, x[0], x[4], x[8], x[12]) \
	QUARTER(rotate, x[1], x[5], x[9], x[13]) \
	QUARTER(rotate, x[2], x[6], x[10], x[14]) \
	QUARTER(rotate, x[3], x[7], x[11], x[15]) \
	QUARTER(rotate, x[0], x[5], x[10], x[15]) \
	QUARTER(rotate, x[1], x[6], x[11], x[12]) \
	QUARTER(rotate, x[2], x[7], x[8], x[13]) \
	QUARTER(rotate, x[3], x[4], x[9], x[14])

static void initial_state(uint32_t state[16], const uint8_t key[32], const uint8_t nonce[12], uint32_t counter)
{
	for (int i = 0; i < 4; i++) state[i] = SIGMA[i];
	for (int i = 0; i < 8; i++) state[4 + i] = load32(key + 4 * i);
	state[12] = counter;
	for (int i = 0; i < 3; i++) state[13 + i] = load32(nonce + 4 * i);
}

static void block(uint8_t out[64], const uint32_t state[16])
{
	uint32_t x[16];
	memcpy(x, state, sizeof x);
	for (int i = 0; i < 10; i++) {
		DOUBLE_ROUND(rotl32, x)
	}
	for (int i = 0; i < 16; i++) store32(out + 4 * i, x[i] + state[i]);
	cb_erase(x, sizeof x);
}

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GNUC__)
#define FOUR_BLOCKS 256

typedef uint32_t lanes __attribute__((vector_size(16)));

static inline lanes rotl_lanes(lanes x, int n)
{
	return x << n | x >> (32 - n);
}

/* Lane i of each word belongs to block i. */
static void xor_four_blocks(uint8_t *data, const uint32_t state[16])
{
	lanes start[16], x[16];
	for (int i = 0; i < 16; i++) start[i] = (lanes){ state[i], state[i], state[i], state[i] };
	start[12] += (lanes){ 0, 1, 2, 3 };
	memcpy(x, start, sizeof x);
	for (int i = 0; i < 10; i++) {
		DOUBLE_ROUND(rotl_lanes, x)
	}
	for (int i = 0; i < 16; i++) x[i] += start[i];
	for (int group = 0; group < 4; group++) {
		const lanes a = x[4 * group], b = x[4 * group + 1], c = x[4 * group + 2], d = x[4 * group + 3];
		/* Transpose four words of four blocks. */
		const lanes ab = __builtin_shuffle(a, b, (lanes){ 0, 4, 1, 5 }), AB = __builtin_shuffle(a, b, (lanes){ 2, 6, 3, 7 });
		const lanes cd = __builtin_shuffle(c, d, (lanes){ 0, 4, 1, 5 }), CD = __builtin_shuffle(c, d, (lanes){ 2, 6, 3, 7 });
		const lanes row[4] = {
			__builtin_shuffle(ab, cd, (lanes){ 0, 1, 4, 5 }), __builtin_shuffle(ab, cd, (lanes){ 2, 3, 6, 7 }),
			__builtin_shuffle(AB, CD, (lanes){ 0, 1, 4, 5 }), __builtin_shuffle(AB, CD, (lanes){ 2, 3, 6, 7 }),
		};
		for (int i = 0; i < 4; i++) {
			lanes text;
			uint8_t *at = data + 64 * i + 16 * group;
			memcpy(&text, at, 16);
			text ^= row[i];
			memcpy(at, &text, 16);
		}
	}
}
#endif

#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#define EIGHT_BLOCKS 512

typedef uint32_t wide_lanes __attribute__((vector_size(32)));
typedef uint8_t wide_bytes __attribute__((vector_size(32)));

#define WIDE_TARGET __attribute__((target("avx2")))

/* Rotations by whole bytes are one shuffle. */
#define BYTES_BY_16 ((wide_bytes){ 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 18, 19, 16, 17, 22, 23, 20, 21, 26, 27, 24, 25, 30, 31, 28, 29 })
#define BYTES_BY_8 ((wide_bytes){ 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 19, 16, 17, 18, 23, 20, 21, 22, 27, 24, 25, 26, 31, 28, 29, 30 })
#define ROTL_WIDE(x, n) ((n) == 16 ? (wide_lanes)__builtin_shuffle((wide_bytes)(x), BYTES_BY_16) \
	: (n) == 8 ? (wide_lanes)__builtin_shuffle((wide_bytes)(x), BYTES_BY_8) : ((x) << (n) | (x) >> (32 - (n))))

/* The first `length` bytes of eight blocks. Lane i of each word belongs to block i. */
WIDE_TARGET static void xor_eight_blocks(uint8_t *data, size_t length, const uint32_t state[16])
{
	wide_lanes start[16], x[16];
	uint8_t stream[EIGHT_BLOCKS];
	uint8_t *out = length < EIGHT_BLOCKS ? stream : data;
	for (int i = 0; i < 16; i++) start[i] = state[i] - (wide_lanes){ 0 };
	start[12] += (wide_lanes){ 0, 1, 2, 3, 4, 5, 6, 7 };
	for (int i = 0; i < 16; i++) x[i] = start[i];
	for (int i = 0; i < 10; i++) {
		DOUBLE_ROUND(ROTL_WIDE, x)
	}
	for (int i = 0; i < 16; i++) x[i] += start[i];
	for (int group = 0; group < 2; group++) {
		/* Transpose eight words of eight blocks. */
		const wide_lanes *w = x + 8 * group;
		wide_lanes pair[8], four[8];
		for (int i = 0; i < 8; i += 2) {
			pair[i] = __builtin_shuffle(w[i], w[i + 1], (wide_lanes){ 0, 8, 1, 9, 4, 12, 5, 13 });
			pair[i + 1] = __builtin_shuffle(w[i], w[i + 1], (wide_lanes){ 2, 10, 3, 11, 6, 14, 7, 15 });
		}
		for (int i = 0; i < 8; i += 4) {
			for (int j = 0; j < 2; j++) {
				four[i + 2 * j] = __builtin_shuffle(pair[i + j], pair[i + 2 + j], (wide_lanes){ 0, 1, 8, 9, 4, 5, 12, 13 });
				four[i + 2 * j + 1] = __builtin_shuffle(pair[i + j], pair[i + 2 + j], (wide_lanes){ 2, 3, 10, 11, 6, 7, 14, 15 });
			}
		}
		for (int i = 0; i < 4; i++) {
			const wide_lanes low = __builtin_shuffle(four[i], four[4 + i], (wide_lanes){ 0, 1, 2, 3, 8, 9, 10, 11 });
			const wide_lanes high = __builtin_shuffle(four[i], four[4 + i], (wide_lanes){ 4, 5, 6, 7, 12, 13, 14, 15 });
			for (int half = 0; half < 2; half++) {
				wide_lanes row = half ? high : low, text;
				uint8_t *at = out + 64 * (i + 4 * half) + 32 * group;
				if (out == data) {
					memcpy(&text, at, 32);
					row ^= text;
				}
				memcpy(at, &row, 32);
			}
		}
	}
	if (out == data) return;
	for (size_t i = 0; i < length; i++) data[i] ^= stream[i];
	cb_erase(stream, sizeof stream);
}
#endif

void cb_chacha20_xor(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[12], uint32_t counter)
{
	uint32_t state[16];
	uint8_t stream[64];
	initial_state(state, key, nonce, counter);
#ifdef EIGHT_BLOCKS
	/* Fewer than three blocks are made faster one by one. */
	if (__builtin_cpu_supports("avx2")) {
		while (length > 128) {
			const size_t part = length < EIGHT_BLOCKS ? length : EIGHT_BLOCKS;
			xor_eight_blocks(data, part, state);
			state[12] += 8;
			data += part;
			length -= part;
		}
	}
#endif
#ifdef FOUR_BLOCKS
	for (; length >= FOUR_BLOCKS; length -= FOUR_BLOCKS, data += FOUR_BLOCKS) {
		xor_four_blocks(data, state);
		state[12] += 4;
	}
#endif
	while (length > 0) {
		const size_t part = length < 64 ? length : 64;
		block(stream, state);
		state[12]++;
		for (size_t i = 0; i < part; i++) data[i] ^= stream[i];
		data += part;
		length -= part;
	}
	cb_erase(stream, sizeof stream);
	cb_erase(state, sizeof state);
}

void cb_hchacha20(uint8_t out[32], const uint8_t key[32], const uint8_t nonce[16])
{
	uint32_t x[16];
	initial_state(x, key, nonce + 4, load32(nonce));
	for (int i = 0; i < 10; i++) {
		DOUBLE_ROUND(rotl32, x)
	}
	for (int i = 0; i < 4; i++) {
		store32(out + 4 * i, x[i]);
		store32(out + 16 + 4 * i, x[12 + i]);
	}
	cb_erase(x, sizeof x);
}
