/*
 * Runs every primitive with its secrets marked "undefined" for valgrind's memcheck: a branch or an index that depends
 * on one of them is then reported as the use of an uninitialised value. What is public by nature (a tag that was
 * compared, a key exchange's success) is declared defined before it is looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "primitives.h"

#define SECRET(bytes) VALGRIND_MAKE_MEM_UNDEFINED(bytes, sizeof bytes)
#define PUBLIC(value) VALGRIND_MAKE_MEM_DEFINED(&value, sizeof value)

static void fill(uint8_t *bytes, size_t length, uint8_t seed)
{
	for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(seed + 31 * i);
}

static void x25519(void)
{
	uint8_t scalar[32], point[32], out[32];
	fill(scalar, sizeof scalar, 3);
	fill(point, sizeof point, 5);
	SECRET(scalar);
	int valid = cb_x25519(out, scalar, point);
	PUBLIC(valid);
	if (!valid) abort();
	cb_x25519_base(out, scalar);
	/* A shared secret may itself be secret: as a point it must not steer anything either. */
	SECRET(point);
	valid = cb_x25519(out, scalar, point);
	PUBLIC(valid);
}

static void aead(size_t length, int extended)
{
	uint8_t key[32], nonce[24], ad[16], data[2048 + 16];
	fill(key, sizeof key, 7);
	fill(nonce, sizeof nonce, 9);
	fill(ad, sizeof ad, 11);
	fill(data, length, 13);
	SECRET(key);
	VALGRIND_MAKE_MEM_UNDEFINED(data, length);
	if (extended) cb_xaead_seal(data, length, key, nonce, ad, sizeof ad);
	else cb_aead_seal(data, length, key, nonce, ad, sizeof ad);
	/* Ciphertext and tag are public. */
	VALGRIND_MAKE_MEM_DEFINED(data, length + 16);
	int valid = extended ? cb_xaead_open(data, length + 16, key, nonce, ad, sizeof ad)
		: cb_aead_open(data, length + 16, key, nonce, ad, sizeof ad);
	PUBLIC(valid);
	if (!valid) abort();
}

static void hashes(size_t length)
{
	uint8_t key[32], data[256], out[32];
	fill(key, sizeof key, 15);
	fill(data, sizeof data, 17);
	SECRET(key);
	SECRET(data);
	cb_blake2s(out, 32, NULL, 0, data, length);
	cb_blake2s(out, 16, key, sizeof key, data, length);
	cb_hmac(out, key, sizeof key, data, length);
	int same = cb_equal(out, key, sizeof out);
	PUBLIC(same);
	cb_erase(out, sizeof out);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (!RUNNING_ON_VALGRIND) {
		fputs("run under valgrind\n", stderr);
		return 2;
	}
	x25519();
	for (size_t length = 0; length <= 2048; length += length < 80 ? 1 : 97) {
		aead(length, 0);
		aead(length, 1);
	}
	for (size_t length = 0; length <= 256; length += 13) hashes(length);
	if (argc > 1) {
		/* The counter-proof: a branch on a secret that this test must catch. */
		uint8_t secret[32];
		fill(secret, sizeof secret, 19);
		SECRET(secret);
		if (secret[0] & 1) puts("leak");
	}
	return 0;
}
