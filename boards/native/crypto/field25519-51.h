/* Elements modulo 2^255 - 19 in five limbs of 51 bits: see field25519.h. */
#ifndef CLOUDBRIDGE_FIELD25519_51_H
#define CLOUDBRIDGE_FIELD25519_51_H

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

static void field_square(field *out, const field *a)
{
	const limb a0 = a->v[0], a1 = a->v[1], a2 = a->v[2], a3 = a->v[3], a4 = a->v[4];
	const limb d0 = a0 * 2, d1 = a1 * 2, d2 = a2 * 2, w3 = a3 * 19, w4 = a4 * 19;
	wide_limb t[FIELD_LIMBS] = {
		(wide_limb)a0 * a0 + (wide_limb)d1 * w4 + (wide_limb)d2 * w3,
		(wide_limb)d0 * a1 + (wide_limb)d2 * w4 + (wide_limb)a3 * w3,
		(wide_limb)d0 * a2 + (wide_limb)a1 * a1 + (wide_limb)(a3 * 2) * w4,
		(wide_limb)d0 * a3 + (wide_limb)d1 * a2 + (wide_limb)a4 * w4,
		(wide_limb)d0 * a4 + (wide_limb)d1 * a3 + (wide_limb)a2 * a2,
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

#endif
