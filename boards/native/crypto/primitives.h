/*
 * WireGuard's primitives in C for the boards: no allocation, no state outside the arguments, no branch and no
 * index that depends on a secret. Lengths are bytes; every buffer is the caller's.
 */
#ifndef CLOUDBRIDGE_PRIMITIVES_H
#define CLOUDBRIDGE_PRIMITIVES_H

#include <stddef.h>
#include <stdint.h>

#define CB_KEY_BYTES 32
#define CB_TAG_BYTES 16
#define CB_NONCE_BYTES 12
#define CB_XNONCE_BYTES 24
#define CB_BLOCK_BYTES 64

/* X25519, RFC 7748 section 5. Returns 0, with `out` zeroed, when the result is all zero (section 6.1). */
int cb_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]);
void cb_x25519_base(uint8_t out[32], const uint8_t scalar[32]);

/* ChaCha20, RFC 8439 section 2.4: XORs the key stream from block `counter` on into `data`, in place. */
void cb_chacha20_xor(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[12], uint32_t counter);
/* HChaCha20, draft-irtf-cfrg-xchacha-03 section 2.2. */
void cb_hchacha20(uint8_t out[32], const uint8_t key[32], const uint8_t nonce[16]);

typedef struct {
#if defined(__SIZEOF_INT128__)
	uint64_t r[3], h[3], s[2], pad[2];
#else
	uint32_t r[5], h[5], pad[4];
#endif
	uint8_t rest[16];
	size_t held;
} cb_poly1305_state;

/* Poly1305, RFC 8439 section 2.5. */
void cb_poly1305_begin(cb_poly1305_state *state, const uint8_t key[32]);
void cb_poly1305_update(cb_poly1305_state *state, const uint8_t *data, size_t length);
/* Fills the current block of 16 with zeros, as the AEAD's layout asks. */
void cb_poly1305_pad(cb_poly1305_state *state);
void cb_poly1305_end(cb_poly1305_state *state, uint8_t tag[16]);

/* ChaCha20-Poly1305, RFC 8439 section 2.8, in place; the tag lies behind the text. */
void cb_aead_seal(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	size_t adLength);
/* `length` counts text and tag. Returns 0, the text left sealed, when the tag is wrong. */
int cb_aead_open(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	size_t adLength);
/* XChaCha20-Poly1305. */
void cb_xaead_seal(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[24], const uint8_t *ad,
	size_t adLength);
int cb_xaead_open(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[24], const uint8_t *ad,
	size_t adLength);

/* BLAKE2s, RFC 7693: `outLength` 1 to 32, `keyLength` 0 to 32. */
typedef struct {
	uint32_t h[8];
	uint64_t counted;
	uint8_t block[64];
	size_t held;
	uint8_t outLength;
} cb_blake2s_state;

void cb_blake2s_begin(cb_blake2s_state *state, size_t outLength, const uint8_t *key, size_t keyLength);
void cb_blake2s_update(cb_blake2s_state *state, const uint8_t *data, size_t length);
void cb_blake2s_end(cb_blake2s_state *state, uint8_t *out);
/* All at once. */
void cb_blake2s(uint8_t *out, size_t outLength, const uint8_t *key, size_t keyLength, const uint8_t *data, size_t length);

/* HMAC over BLAKE2s-256, RFC 2104. */
void cb_hmac(uint8_t out[32], const uint8_t *key, size_t keyLength, const uint8_t *data, size_t length);

/* 1 when equal; time depends on the length only. */
int cb_equal(const uint8_t *a, const uint8_t *b, size_t length);
/* Zeros that the compiler may not leave out. */
void cb_erase(void *data, size_t length);

#endif
