/*
 * Arithmetic modulo p = 2^255 - 19. The representation follows the machine: where the compiler multiplies 64 by 64 bits,
 * five limbs of 51 bits, elsewhere ten of 26 and 25 bits in turn. Either gives `field`, and
 *
 *   field_load, field_store       32 bytes, little-endian (RFC 7748 section 5)
 *   field_subtract                a - b
 *   field_multiply, field_square  products; they may overwrite their arguments
 *   field_multiply_small          by a number below 2^17
 *
 * Products are reduced enough to be added or subtracted once before the next multiplication; that is all the
 * Montgomery ladder needs.
 */
#ifndef CLOUDBRIDGE_FIELD25519_H
#define CLOUDBRIDGE_FIELD25519_H

#include "bytes.h"

#if defined(__SIZEOF_INT128__)
#include "field25519-51.h"
#else
#include "field25519-26.h"
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
