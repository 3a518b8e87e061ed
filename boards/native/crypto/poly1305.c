/*
 * Poly1305 (RFC 8439 section 2.5): h := (h + block) * r mod 2^130 - 5. Limbs of 44, 44 and 42 bits where the
 * compiler multiplies 64 by 64 bits, five of 26 bits elsewhere.
 */

#include "bytes.h"
#include "primitives.h"

#if defined(__SIZEOF_INT128__)

typedef unsigned __int128 wide;

#define MASK44 0xfffffffffffULL
#define MASK42 0x3ffffffffffULL
#define PAIRED_BLOCKS 8

void cb_poly1305_begin(cb_poly1305_state *state, const uint8_t key[32])
{
	const uint64_t low = load64(key), high = load64(key + 8);
	/* Clamp r, section 2.5.1. */
	state->r[0] = low & 0xffc0fffffffULL;
	state->r[1] = (low >> 44 | high << 20) & 0xfffffc0ffffULL;
	state->r[2] = (high >> 24) & 0x00ffffffc0fULL;
	/* 2^132 = 20 mod p: what overflows the top comes back times 20. */
	state->s[0] = state->r[1] * 20;
	state->s[1] = state->r[2] * 20;
	state->h[0] = state->h[1] = state->h[2] = 0;
	state->pad[0] = load64(key + 16);
	state->pad[1] = load64(key + 24);
	state->held = 0;
}

/* `top` is 2^128 in the top limb's terms for a whole block, 0 for the last, already marked one. */
static void absorb(cb_poly1305_state *state, const uint8_t *data, size_t blocks, uint64_t top)
{
	const uint64_t r0 = state->r[0], r1 = state->r[1], r2 = state->r[2], s1 = state->s[0], s2 = state->s[1];
	uint64_t h0 = state->h[0], h1 = state->h[1], h2 = state->h[2];
	/*
	 * Two blocks in one step: (h + a) r^2 + b r. The products do not wait for each other, and the carries run once. Worth
	 * the squaring from a few blocks on.
	 */
	if (blocks >= PAIRED_BLOCKS) {
		const wide q0 = (wide)r0 * r0 + (wide)r1 * s2 * 2;
		wide q1 = (wide)r0 * r1 * 2 + (wide)r2 * s2;
		wide q2 = (wide)r0 * r2 * 2 + (wide)r1 * r1;
		uint64_t p0 = (uint64_t)q0 & MASK44;
		q1 += (uint64_t)(q0 >> 44);
		uint64_t p1 = (uint64_t)q1 & MASK44;
		q2 += (uint64_t)(q1 >> 44);
		const uint64_t p2 = (uint64_t)q2 & MASK42;
		p0 += (uint64_t)(q2 >> 42) * 5;
		p1 += p0 >> 44;
		p0 &= MASK44;
		const uint64_t t1 = p1 * 20, t2 = p2 * 20;
		for (; blocks >= 2; blocks -= 2, data += 32) {
			const uint64_t low = load64(data), high = load64(data + 8);
			const uint64_t nextLow = load64(data + 16), nextHigh = load64(data + 24);
			const uint64_t b0 = nextLow & MASK44, b1 = (nextLow >> 44 | nextHigh << 20) & MASK44;
			const uint64_t b2 = (nextHigh >> 24 & MASK42) | top;
			h0 += low & MASK44;
			h1 += (low >> 44 | high << 20) & MASK44;
			h2 += (high >> 24 & MASK42) | top;
			const wide d0 = (wide)h0 * p0 + (wide)h1 * t2 + (wide)h2 * t1 + (wide)b0 * r0 + (wide)b1 * s2 + (wide)b2 * s1;
			wide d1 = (wide)h0 * p1 + (wide)h1 * p0 + (wide)h2 * t2 + (wide)b0 * r1 + (wide)b1 * r0 + (wide)b2 * s2;
			wide d2 = (wide)h0 * p2 + (wide)h1 * p1 + (wide)h2 * p0 + (wide)b0 * r2 + (wide)b1 * r1 + (wide)b2 * r0;
			h0 = (uint64_t)d0 & MASK44;
			d1 += (uint64_t)(d0 >> 44);
			h1 = (uint64_t)d1 & MASK44;
			d2 += (uint64_t)(d1 >> 44);
			h2 = (uint64_t)d2 & MASK42;
			h0 += (uint64_t)(d2 >> 42) * 5;
			h1 += h0 >> 44;
			h0 &= MASK44;
		}
	}
	for (; blocks > 0; blocks--, data += 16) {
		const uint64_t low = load64(data), high = load64(data + 8);
		h0 += low & MASK44;
		h1 += (low >> 44 | high << 20) & MASK44;
		h2 += (high >> 24 & MASK42) | top;
		const wide d0 = (wide)h0 * r0 + (wide)h1 * s2 + (wide)h2 * s1;
		wide d1 = (wide)h0 * r1 + (wide)h1 * r0 + (wide)h2 * s2;
		wide d2 = (wide)h0 * r2 + (wide)h1 * r1 + (wide)h2 * r0;
		h0 = (uint64_t)d0 & MASK44;
		d1 += (uint64_t)(d0 >> 44);
		h1 = (uint64_t)d1 & MASK44;
		d2 += (uint64_t)(d1 >> 44);
		h2 = (uint64_t)d2 & MASK42;
		h0 += (uint64_t)(d2 >> 42) * 5;
		h1 += h0 >> 44;
		h0 &= MASK44;
	}
	state->h[0] = h0;
	state->h[1] = h1;
	state->h[2] = h2;
}

#define WHOLE_BLOCK (1ULL << 40)

static void finish(cb_poly1305_state *state, uint8_t tag[16])
{
	uint64_t h0 = state->h[0], h1 = state->h[1], h2 = state->h[2], carry;
	for (int i = 0; i < 2; i++) {
		carry = h1 >> 44; h1 &= MASK44;
		h2 += carry; carry = h2 >> 42; h2 &= MASK42;
		h0 += carry * 5; carry = h0 >> 44; h0 &= MASK44;
		h1 += carry;
	}
	carry = h1 >> 44; h1 &= MASK44;
	h2 += carry;
	/* h - p, taken when it is not negative. */
	uint64_t g0 = h0 + 5;
	carry = g0 >> 44; g0 &= MASK44;
	uint64_t g1 = h1 + carry;
	carry = g1 >> 44; g1 &= MASK44;
	const uint64_t g2 = h2 + carry - (1ULL << 42);
	const uint64_t take = (g2 >> 63) - 1;
	h0 = (h0 & ~take) | (g0 & take);
	h1 = (h1 & ~take) | (g1 & take);
	h2 = (h2 & ~take) | (g2 & take);
	const uint64_t low = h0 | h1 << 44, high = h1 >> 20 | h2 << 24;
	const wide sum = (wide)low + state->pad[0];
	store64(tag, (uint64_t)sum);
	store64(tag + 8, high + state->pad[1] + (uint64_t)(sum >> 64));
}

#else

#define MASK26 0x3ffffffU

void cb_poly1305_begin(cb_poly1305_state *state, const uint8_t key[32])
{
	/* Clamp r, section 2.5.1. */
	state->r[0] = load32(key) & 0x3ffffff;
	state->r[1] = load32(key + 3) >> 2 & 0x3ffff03;
	state->r[2] = load32(key + 6) >> 4 & 0x3ffc0ff;
	state->r[3] = load32(key + 9) >> 6 & 0x3f03fff;
	state->r[4] = load32(key + 12) >> 8 & 0x00fffff;
	for (int i = 0; i < 5; i++) state->h[i] = 0;
	for (int i = 0; i < 4; i++) state->pad[i] = load32(key + 16 + 4 * i);
	state->held = 0;
}

static void absorb(cb_poly1305_state *state, const uint8_t *data, size_t blocks, uint32_t top)
{
	const uint32_t r0 = state->r[0], r1 = state->r[1], r2 = state->r[2], r3 = state->r[3], r4 = state->r[4];
	/* 2^130 = 5 mod p. */
	const uint32_t s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
	uint32_t h0 = state->h[0], h1 = state->h[1], h2 = state->h[2], h3 = state->h[3], h4 = state->h[4];
	for (; blocks > 0; blocks--, data += 16) {
		h0 += load32(data) & MASK26;
		h1 += load32(data + 3) >> 2 & MASK26;
		h2 += load32(data + 6) >> 4 & MASK26;
		h3 += load32(data + 9) >> 6 & MASK26;
		h4 += load32(data + 12) >> 8 | top;
		const uint64_t d0 = (uint64_t)h0 * r0 + (uint64_t)h1 * s4 + (uint64_t)h2 * s3 + (uint64_t)h3 * s2 + (uint64_t)h4 * s1;
		uint64_t d1 = (uint64_t)h0 * r1 + (uint64_t)h1 * r0 + (uint64_t)h2 * s4 + (uint64_t)h3 * s3 + (uint64_t)h4 * s2;
		uint64_t d2 = (uint64_t)h0 * r2 + (uint64_t)h1 * r1 + (uint64_t)h2 * r0 + (uint64_t)h3 * s4 + (uint64_t)h4 * s3;
		uint64_t d3 = (uint64_t)h0 * r3 + (uint64_t)h1 * r2 + (uint64_t)h2 * r1 + (uint64_t)h3 * r0 + (uint64_t)h4 * s4;
		uint64_t d4 = (uint64_t)h0 * r4 + (uint64_t)h1 * r3 + (uint64_t)h2 * r2 + (uint64_t)h3 * r1 + (uint64_t)h4 * r0;
		d1 += d0 >> 26; h0 = (uint32_t)d0 & MASK26;
		d2 += d1 >> 26; h1 = (uint32_t)d1 & MASK26;
		d3 += d2 >> 26; h2 = (uint32_t)d2 & MASK26;
		d4 += d3 >> 26; h3 = (uint32_t)d3 & MASK26;
		h4 = (uint32_t)d4 & MASK26;
		h0 += (uint32_t)(d4 >> 26) * 5;
		h1 += h0 >> 26; h0 &= MASK26;
	}
	state->h[0] = h0;
	state->h[1] = h1;
	state->h[2] = h2;
	state->h[3] = h3;
	state->h[4] = h4;
}

#define WHOLE_BLOCK (1U << 24)

static void finish(cb_poly1305_state *state, uint8_t tag[16])
{
	uint32_t *h = state->h, g[5], carry = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 1; i < 5; i++) {
			h[i] += carry; carry = h[i] >> 26; h[i] &= MASK26;
		}
		h[0] += carry * 5; carry = h[0] >> 26; h[0] &= MASK26;
	}
	h[1] += carry;
	carry = 5;
	for (int i = 0; i < 5; i++) {
		g[i] = h[i] + carry; carry = g[i] >> 26; g[i] &= MASK26;
	}
	/* h + 5 reached 2^130: h was at least p. */
	const uint32_t take = 0 - (carry & 1);
	for (int i = 0; i < 5; i++) h[i] = (h[i] & ~take) | (g[i] & take);
	const uint32_t word[4] = { h[0] | h[1] << 26, h[1] >> 6 | h[2] << 20, h[2] >> 12 | h[3] << 14, h[3] >> 18 | h[4] << 8 };
	uint64_t sum = 0;
	for (int i = 0; i < 4; i++) {
		sum += (uint64_t)word[i] + state->pad[i];
		store32(tag + 4 * i, (uint32_t)sum);
		sum >>= 32;
	}
}

#endif

void cb_poly1305_update(cb_poly1305_state *state, const uint8_t *data, size_t length)
{
	if (state->held > 0) {
		const size_t missing = 16 - state->held, part = length < missing ? length : missing;
		memcpy(state->rest + state->held, data, part);
		state->held += part;
		data += part;
		length -= part;
		if (state->held < 16) return;
		absorb(state, state->rest, 1, WHOLE_BLOCK);
		state->held = 0;
	}
	absorb(state, data, length / 16, WHOLE_BLOCK);
	state->held = length % 16;
	if (state->held > 0) memcpy(state->rest, data + (length - state->held), state->held);
}

void cb_poly1305_pad(cb_poly1305_state *state)
{
	if (state->held == 0) return;
	memset(state->rest + state->held, 0, 16 - state->held);
	absorb(state, state->rest, 1, WHOLE_BLOCK);
	state->held = 0;
}

void cb_poly1305_end(cb_poly1305_state *state, uint8_t tag[16])
{
	if (state->held > 0) {
		state->rest[state->held] = 1;
		memset(state->rest + state->held + 1, 0, 15 - state->held);
		absorb(state, state->rest, 1, 0);
	}
	finish(state, tag);
	cb_erase(state, sizeof *state);
}
