/* X25519 (RFC 7748 section 5): the Montgomery ladder. */

#include "field25519.h"
#include "primitives.h"

static void square_times(field *out, const field *a, int times)
{
	*out = *a;
	while (times-- > 0) field_square(out, out);
}

/* a^(p - 2), that is, 1/a, and 0 for 0. p - 2 = 2^255 - 21; `nK` below is a^(2^K - 1). */
static void invert(field *out, const field *a)
{
	field a2, a9, a11, n5, n10, n20, n50, n100, t;
	square_times(&a2, a, 1);
	square_times(&t, &a2, 2);
	field_multiply(&a9, &t, a);
	field_multiply(&a11, &a9, &a2);
	square_times(&t, &a11, 1);
	field_multiply(&n5, &t, &a9);
	square_times(&t, &n5, 5);
	field_multiply(&n10, &t, &n5);
	square_times(&t, &n10, 10);
	field_multiply(&n20, &t, &n10);
	square_times(&t, &n20, 20);
	field_multiply(&t, &t, &n20);
	square_times(&t, &t, 10);
	field_multiply(&n50, &t, &n10);
	square_times(&t, &n50, 50);
	field_multiply(&n100, &t, &n50);
	square_times(&t, &n100, 100);
	field_multiply(&t, &t, &n100);
	square_times(&t, &t, 50);
	field_multiply(&t, &t, &n50);
	square_times(&t, &t, 5);
	field_multiply(out, &t, &a11);
}

int cb_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
	/* (A24 for RFC 7748's formula z2 = E * (AA + a24 * E).) */
	const uint32_t A24 = 121665;
	uint8_t k[32];
	field x1, x2 = { { 1 } }, z2 = { { 0 } }, x3, z3 = { { 1 } }, a, aa, b, bb, e, c, d, da, cb, t;
	memcpy(k, scalar, sizeof k);
	k[0] &= 248;
	k[31] = (uint8_t)((k[31] & 127) | 64);
	field_load(&x1, point);
	x3 = x1;
	limb swap = 0;
	for (int bit = 254; bit >= 0; bit--) {
		const limb current = k[bit >> 3] >> (bit & 7) & 1;
		field_swap(&x2, &x3, swap ^ current);
		field_swap(&z2, &z3, swap ^ current);
		swap = current;
		field_add(&a, &x2, &z2);
		field_subtract(&b, &x2, &z2);
		field_add(&c, &x3, &z3);
		field_subtract(&d, &x3, &z3);
		field_multiply(&da, &d, &a);
		field_multiply(&cb, &c, &b);
		field_square(&aa, &a);
		field_square(&bb, &b);
		field_add(&t, &da, &cb);
		field_square(&x3, &t);
		field_subtract(&t, &da, &cb);
		field_square(&t, &t);
		field_multiply(&z3, &x1, &t);
		field_multiply(&x2, &aa, &bb);
		field_subtract(&e, &aa, &bb);
		field_multiply_small(&t, &e, A24);
		field_add(&t, &aa, &t);
		field_multiply(&z2, &e, &t);
	}
	field_swap(&x2, &x3, swap);
	field_swap(&z2, &z3, swap);
	invert(&t, &z2);
	field_multiply(&t, &x2, &t);
	field_store(out, &t);

	uint32_t any = 0;
	for (int i = 0; i < 32; i++) any |= out[i];
	cb_erase(k, sizeof k);
	field *const secrets[] = { &x2, &z2, &x3, &z3, &a, &aa, &b, &bb, &e, &c, &d, &da, &cb, &t };
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) cb_erase(secrets[i], sizeof(field));
	/* 1 unless every byte was zero, without a branch. */
	return 1 - (int)((any - 1) >> 31);
}

void cb_x25519_base(uint8_t out[32], const uint8_t scalar[32])
{
	static const uint8_t BASE[32] = { 9 };
	cb_x25519(out, scalar, BASE);
}
