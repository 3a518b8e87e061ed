/*
 * Arithmetic modulo p = 2^255 - 19: five limbs of 51 bits where the compiler multiplies 64 by 64 bits, ten of 26
 * and 25 bits in turn elsewhere. Results of `field_multiply` are reduced enough to be added or subtracted once before the
 * next multiplication; that is all the Montgomery ladder needs.
 */
#ifndef CLOUDBRIDGE_FIELD25519_H
#define CLOUDBRIDGE_FIELD25519_H

#include "bytes.h"

#if defined(__SIZEOF_INT128__)

#define FIELD_LIMBS 5
typedef uint64_t limb;
typedef unsigned __int128 wide_limb;
#define MASK51 0x7ffffffffffffULL

typedef struct { limb v[FIELD_LIMBS]; } field;

static inline void field_load(field *out, const uint8_t bytes[32])
{
	out->v[0] = load64(bytes) & MASK51;
	out->v[1] = load64(bytes + 6) >> 3 & MASK51;
	out->v[2] = load64(bytes + 12) >> 6 & MASK51;
	out->v[3] = load64(bytes + 19) >> 1 & MASK51;
	/* RFC 7748 section 5: the top bit of a u-coordinate is ignored. */
	out->v[4] = load64(bytes + 24) >> 12 & MASK51;
}

static inline void field_subtract(field *out, const field *a, const field *b)
{
	/* 2p is added so that no limb goes below zero. */
	out->v[0] = a->v[0] + 0xfffffffffffdaULL - b->v[0];
	for (int i = 1; i < FIELD_LIMBS; i++) out->v[i] = a->v[i] + 0xffffffffffffeULL - b->v[i];
}

static inline void field_carry(field *out, wide_limb t[FIELD_LIMBS])
{
	for (int i = 0; i < 4; i++) {
		t[i + 1] += (limb)(t[i] >> 51);
		out->v[i] = (limb)t[i] & MASK51;
	}
	out->v[4] = (limb)t[4] & MASK51;
	/* 2^255 = 19 mod p. */
	const wide_limb first = (wide_limb)out->v[0] + (t[4] >> 51) * 19;
	out->v[0] = (limb)first & MASK51;
	out->v[1] += (limb)(first >> 51);
}

static void field_multiply(field *out, const field *a, const field *b)
{
	const limb a0 = a->v[0], a1 = a->v[1], a2 = a->v[2], a3 = a->v[3], a4 = a->v[4];
	const limb b0 = b->v[0], b1 = b->v[1], b2 = b->v[2], b3 = b->v[3], b4 = b->v[4];
	const limb w1 = b1 * 19, w2 = b2 * 19, w3 = b3 * 19, w4 = b4 * 19;
	wide_limb t[FIELD_LIMBS] = {
		(wide_limb)a0 * b0 + (wide_limb)a1 * w4 + (wide_limb)a2 * w3 + (wide_limb)a3 * w2 + (wide_limb)a4 * w1,
		(wide_limb)a0 * b1 + (wide_limb)a1 * b0 + (wide_limb)a2 * w4 + (wide_limb)a3 * w3 + (wide_limb)a4 * w2,
		(wide_limb)a0 * b2 + (wide_limb)a1 * b1 + (wide_limb)a2 * b0 + (wide_limb)a3 * w4 + (wide_limb)a4 * w3,
		(wide_limb)a0 * b3 + (wide_limb)a1 * b2 + (wide_limb)a2 * b1 + (wide_limb)a3 * b0 + (wide_limb)a4 * w4,
		(wide_limb)a0 * b4 + (wide_limb)a1 * b3 + (wide_limb)a2 * b2 + (wide_limb)a3 * b1 + (wide_limb)a4 * b0,
	};
	field_carry(out, t);
}

static inline void field_multiply_small(field *out, const field *a, uint32_t small)
{
	wide_limb t[FIELD_LIMBS];
	for (int i = 0; i < FIELD_LIMBS; i++) t[i] = (wide_limb)a->v[i] * small;
	field_carry(out, t);
}

static void field_store(uint8_t bytes[32], const field *a)
{
	limb h[FIELD_LIMBS], carry = 0;
	memcpy(h, a->v, sizeof h);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < FIELD_LIMBS; i++) {
			h[i] += carry; carry = h[i] >> 51; h[i] &= MASK51;
		}
		carry *= 19;
	}
	h[0] += carry;
	/* Adding 19 overflows 2^255 exactly when h >= p. */
	carry = (h[0] + 19) >> 51;
	for (int i = 1; i < FIELD_LIMBS; i++) carry = (h[i] + carry) >> 51;
	carry *= 19;
	for (int i = 0; i < FIELD_LIMBS; i++) {
		h[i] += carry; carry = h[i] >> 51; h[i] &= MASK51;
	}
	store64(bytes, h[0] | h[1] << 51);
	store64(bytes + 8, h[1] >> 13 | h[2] << 38);
	store64(bytes + 16, h[2] >> 26 | h[3] << 25);
	store64(bytes + 24, h[3] >> 39 | h[4] << 12);
}

#else

#define FIELD_LIMBS 10
typedef uint32_t limb;
typedef struct { limb v[FIELD_LIMBS]; } field;

/* Limb i holds 26 bits for even i and 25 for odd i; it begins at bit ceil(25.5 i). */
#define LIMB_BITS(i) (26 - ((i) & 1))
#define LIMB_MASK(i) (((limb)1 << LIMB_BITS(i)) - 1)

static inline void field_load(field *out, const uint8_t bytes[32])
{
	static const uint8_t AT[FIELD_LIMBS] = { 0, 3, 6, 9, 12, 16, 19, 22, 25, 28 };
	static const uint8_t SHIFT[FIELD_LIMBS] = { 0, 2, 3, 5, 6, 0, 1, 3, 4, 6 };
	for (int i = 0; i < FIELD_LIMBS; i++) out->v[i] = load32(bytes + AT[i]) >> SHIFT[i] & LIMB_MASK(i);
}

static inline void field_subtract(field *out, const field *a, const field *b)
{
	/* 2p is added so that no limb goes below zero. */
	out->v[0] = a->v[0] + 0x7ffffda - b->v[0];
	for (int i = 1; i < FIELD_LIMBS; i++) out->v[i] = a->v[i] + (LIMB_MASK(i) << 1) - b->v[i];
}

static inline void field_carry(field *out, uint64_t t[FIELD_LIMBS])
{
	for (int i = 0; i < 9; i++) {
		t[i + 1] += t[i] >> LIMB_BITS(i);
		out->v[i] = (limb)t[i] & LIMB_MASK(i);
	}
	out->v[9] = (limb)t[9] & LIMB_MASK(9);
	/* 2^255 = 19 mod p. */
	const uint64_t first = out->v[0] + (t[9] >> 25) * 19;
	out->v[0] = (limb)first & LIMB_MASK(0);
	const uint64_t second = out->v[1] + (first >> 26);
	out->v[1] = (limb)second & LIMB_MASK(1);
	out->v[2] += (limb)(second >> 25);
}

static void field_multiply(field *out, const field *a, const field *b)
{
	/* Two odd limbs each begin half a bit late: their product counts twice. */
	limb twice[FIELD_LIMBS], wrapped[FIELD_LIMBS];
	uint64_t t[FIELD_LIMBS];
	for (int i = 0; i < FIELD_LIMBS; i++) {
		twice[i] = a->v[i] << (i & 1);
		wrapped[i] = b->v[i] * 19;
	}
	for (int k = 0; k < FIELD_LIMBS; k++) {
		const limb *f = k & 1 ? a->v : twice;
		uint64_t sum = 0;
		for (int i = 0; i <= k; i++) sum += (uint64_t)f[i] * b->v[k - i];
		for (int i = k + 1; i < FIELD_LIMBS; i++) sum += (uint64_t)f[i] * wrapped[k + 10 - i];
		t[k] = sum;
	}
	field_carry(out, t);
}

static inline void field_multiply_small(field *out, const field *a, uint32_t small)
{
	uint64_t t[FIELD_LIMBS];
	for (int i = 0; i < FIELD_LIMBS; i++) t[i] = (uint64_t)a->v[i] * small;
	field_carry(out, t);
}

static void field_store(uint8_t bytes[32], const field *a)
{
	limb h[FIELD_LIMBS], carry = 0;
	memcpy(h, a->v, sizeof h);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < FIELD_LIMBS; i++) {
			h[i] += carry; carry = h[i] >> LIMB_BITS(i); h[i] &= LIMB_MASK(i);
		}
		carry *= 19;
	}
	h[0] += carry;
	/* Adding 19 overflows 2^255 exactly when h >= p. */
	carry = (h[0] + 19) >> 26;
	for (int i = 1; i < FIELD_LIMBS; i++) carry = (h[i] + carry) >> LIMB_BITS(i);
	carry *= 19;
	for (int i = 0; i < FIELD_LIMBS; i++) {
		h[i] += carry; carry = h[i] >> LIMB_BITS(i); h[i] &= LIMB_MASK(i);
	}
	uint64_t window = 0;
	int bits = 0, at = 0;
	for (int i = 0; i < FIELD_LIMBS; i++) {
		window |= (uint64_t)h[i] << bits;
		for (bits += LIMB_BITS(i); bits >= 8; bits -= 8, window >>= 8) bytes[at++] = (uint8_t)window;
	}
	bytes[at] = (uint8_t)window;
}

#endif

static inline void field_add(field *out, const field *a, const field *b)
{
	for (int i = 0; i < FIELD_LIMBS; i++) out->v[i] = a->v[i] + b->v[i];
}

/* Exchanges a and b when `swap` is 1, in constant time. */
static inline void field_swap(field *a, field *b, limb swap)
{
	const limb mask = 0 - swap;
	for (int i = 0; i < FIELD_LIMBS; i++) {
		const limb difference = (a->v[i] ^ b->v[i]) & mask;
		a->v[i] ^= difference;
		b->v[i] ^= difference;
	}
}

#endif
