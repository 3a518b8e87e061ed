/* Elements modulo 2^255 - 19 in ten limbs of 26 and 25 bits in turn: see field25519.h. */
#ifndef CLOUDBRIDGE_FIELD25519_26_H
#define CLOUDBRIDGE_FIELD25519_26_H

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

/* What `sum`, beginning at limb 10, is too large by comes back at limb 0: 2^255 = 19 mod p. */
static inline void field_fold(field *out, const limb r[FIELD_LIMBS], uint64_t sum)
{
	for (int i = 2; i < FIELD_LIMBS; i++) out->v[i] = r[i];
	sum = sum * 19 + r[0];
	out->v[0] = (limb)sum & LIMB_MASK(0);
	out->v[1] = r[1] + (limb)(sum >> LIMB_BITS(0));
}

#define P(x, y) ((uint64_t)(x) * (y))
/* Keeps limb i of a running sum and carries the rest to the next. */
#define LIMB(i, products) sum += products; r[i] = (limb)sum & LIMB_MASK(i); sum >>= LIMB_BITS(i)

/*
 * Arguments have limbs below 3 * 2^26 and 3 * 2^25, as field_add and field_subtract leave them: 19 and 38 times (the
 * odd ones) stay below 2^32, the sums below 2^63. Two odd limbs begin half a bit late each: their product counts twice.
 */
static void field_multiply(field *out, const field *a, const field *b)
{
	const limb *const x = a->v, *const y = b->v;
	const limb a0 = x[0], a1 = x[1], a2 = x[2], a3 = x[3], a4 = x[4], a5 = x[5], a6 = x[6], a7 = x[7], a8 = x[8], a9 = x[9];
	const limb d1 = a1 * 2, d3 = a3 * 2, d5 = a5 * 2, d7 = a7 * 2, d9 = a9 * 2;
	const limb b0 = y[0], b1 = y[1], b2 = y[2], b3 = y[3], b4 = y[4], b5 = y[5], b6 = y[6], b7 = y[7], b8 = y[8], b9 = y[9];
	const limb w1 = b1 * 19, w2 = b2 * 19, w3 = b3 * 19, w4 = b4 * 19, w5 = b5 * 19,
		w6 = b6 * 19, w7 = b7 * 19, w8 = b8 * 19, w9 = b9 * 19;
	limb r[FIELD_LIMBS];
	uint64_t sum = 0;
	LIMB(0, P(a0, b0) + P(d1, w9) + P(a2, w8) + P(d3, w7) + P(a4, w6) + P(d5, w5)
		+ P(a6, w4) + P(d7, w3) + P(a8, w2) + P(d9, w1));
	LIMB(1, P(a0, b1) + P(a1, b0) + P(a2, w9) + P(a3, w8) + P(a4, w7) + P(a5, w6)
		+ P(a6, w5) + P(a7, w4) + P(a8, w3) + P(a9, w2));
	LIMB(2, P(a0, b2) + P(d1, b1) + P(a2, b0) + P(d3, w9) + P(a4, w8) + P(d5, w7)
		+ P(a6, w6) + P(d7, w5) + P(a8, w4) + P(d9, w3));
	LIMB(3, P(a0, b3) + P(a1, b2) + P(a2, b1) + P(a3, b0) + P(a4, w9) + P(a5, w8)
		+ P(a6, w7) + P(a7, w6) + P(a8, w5) + P(a9, w4));
	LIMB(4, P(a0, b4) + P(d1, b3) + P(a2, b2) + P(d3, b1) + P(a4, b0) + P(d5, w9)
		+ P(a6, w8) + P(d7, w7) + P(a8, w6) + P(d9, w5));
	LIMB(5, P(a0, b5) + P(a1, b4) + P(a2, b3) + P(a3, b2) + P(a4, b1) + P(a5, b0)
		+ P(a6, w9) + P(a7, w8) + P(a8, w7) + P(a9, w6));
	LIMB(6, P(a0, b6) + P(d1, b5) + P(a2, b4) + P(d3, b3) + P(a4, b2) + P(d5, b1)
		+ P(a6, b0) + P(d7, w9) + P(a8, w8) + P(d9, w7));
	LIMB(7, P(a0, b7) + P(a1, b6) + P(a2, b5) + P(a3, b4) + P(a4, b3) + P(a5, b2)
		+ P(a6, b1) + P(a7, b0) + P(a8, w9) + P(a9, w8));
	LIMB(8, P(a0, b8) + P(d1, b7) + P(a2, b6) + P(d3, b5) + P(a4, b4) + P(d5, b3)
		+ P(a6, b2) + P(d7, b1) + P(a8, b0) + P(d9, w9));
	LIMB(9, P(a0, b9) + P(a1, b8) + P(a2, b7) + P(a3, b6) + P(a4, b5) + P(a5, b4)
		+ P(a6, b3) + P(a7, b2) + P(a8, b1) + P(a9, b0));
	field_fold(out, r, sum);
}

static void field_square(field *out, const field *a)
{
	const limb *const x = a->v;
	const limb a0 = x[0], a1 = x[1], a2 = x[2], a3 = x[3], a4 = x[4], a5 = x[5], a6 = x[6], a7 = x[7], a8 = x[8], a9 = x[9];
	const limb d0 = a0 * 2, d1 = a1 * 2, d2 = a2 * 2, d3 = a3 * 2, d4 = a4 * 2,
		d5 = a5 * 2, d6 = a6 * 2, d7 = a7 * 2, d8 = a8 * 2, d9 = a9 * 2;
	const limb w5 = a5 * 19, w6 = a6 * 19, w7 = a7 * 19, w8 = a8 * 19, w9 = a9 * 19, v7 = a7 * 38, v9 = a9 * 38;
	limb r[FIELD_LIMBS];
	uint64_t sum = 0;
	LIMB(0, P(a0, a0) + P(d1, v9) + P(d2, w8) + P(d3, v7) + P(d4, w6) + P(d5, w5));
	LIMB(1, P(d0, a1) + P(d2, w9) + P(d3, w8) + P(d4, w7) + P(d5, w6));
	LIMB(2, P(d0, a2) + P(d1, a1) + P(d3, v9) + P(d4, w8) + P(d5, v7) + P(a6, w6));
	LIMB(3, P(d0, a3) + P(d1, a2) + P(d4, w9) + P(d5, w8) + P(d6, w7));
	LIMB(4, P(d0, a4) + P(d1, d3) + P(a2, a2) + P(d5, v9) + P(d6, w8) + P(d7, w7));
	LIMB(5, P(d0, a5) + P(d1, a4) + P(d2, a3) + P(d6, w9) + P(d7, w8));
	LIMB(6, P(d0, a6) + P(d1, d5) + P(d2, a4) + P(d3, a3) + P(d7, v9) + P(a8, w8));
	LIMB(7, P(d0, a7) + P(d1, a6) + P(d2, a5) + P(d3, a4) + P(d8, w9));
	LIMB(8, P(d0, a8) + P(d1, d7) + P(d2, a6) + P(d3, d5) + P(a4, a4) + P(d9, w9));
	LIMB(9, P(d0, a9) + P(d1, a8) + P(d2, a7) + P(d3, a6) + P(d4, a5));
	field_fold(out, r, sum);
}

static inline void field_multiply_small(field *out, const field *a, uint32_t small)
{
	limb r[FIELD_LIMBS];
	uint64_t sum = 0;
	for (int i = 0; i < FIELD_LIMBS; i++) {
		LIMB(i, P(a->v[i], small));
	}
	field_fold(out, r, sum);
}

#undef P
#undef LIMB

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

