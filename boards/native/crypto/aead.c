/* ChaCha20-Poly1305 (RFC 8439 section 2.8) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 section 2.3). */

#include "bytes.h"
#include "declassify.h"
#include "primitives.h"

static void make_tag(uint8_t tag[16], const uint8_t *text, size_t length, const uint8_t key[32],
	const uint8_t nonce[12], const uint8_t *ad, size_t adLength)
{
	cb_poly1305_state state;
	uint8_t oneTimeKey[32] = { 0 }, lengths[16];
	/* Section 2.6: the first half of block 0. */
	cb_chacha20_xor(oneTimeKey, sizeof oneTimeKey, key, nonce, 0);
	cb_poly1305_begin(&state, oneTimeKey);
	cb_poly1305_update(&state, ad, adLength);
	cb_poly1305_pad(&state);
	cb_poly1305_update(&state, text, length);
	cb_poly1305_pad(&state);
	store64(lengths, adLength);
	store64(lengths + 8, length);
	cb_poly1305_update(&state, lengths, sizeof lengths);
	cb_poly1305_end(&state, tag);
	cb_erase(oneTimeKey, sizeof oneTimeKey);
}

void cb_aead_seal(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	size_t adLength)
{
	cb_chacha20_xor(data, length, key, nonce, 1);
	make_tag(data + length, data, length, key, nonce, ad, adLength);
}

int cb_aead_open(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	size_t adLength)
{
	uint8_t tag[16];
	if (length < CB_TAG_BYTES) return 0;
	length -= CB_TAG_BYTES;
	make_tag(tag, data, length, key, nonce, ad, adLength);
	const int valid = cb_equal(tag, data + length, sizeof tag);
	declassify(valid);
	if (!valid) return 0;
	cb_chacha20_xor(data, length, key, nonce, 1);
	return 1;
}

/* Sub-key from the first 16 nonce bytes; the last 8 follow four zeros. */
static void extend(uint8_t subKey[32], uint8_t subNonce[12], const uint8_t key[32], const uint8_t nonce[24])
{
	cb_hchacha20(subKey, key, nonce);
	memset(subNonce, 0, 4);
	memcpy(subNonce + 4, nonce + 16, 8);
}

void cb_xaead_seal(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[24], const uint8_t *ad,
	size_t adLength)
{
	uint8_t subKey[32], subNonce[12];
	extend(subKey, subNonce, key, nonce);
	cb_aead_seal(data, length, subKey, subNonce, ad, adLength);
	cb_erase(subKey, sizeof subKey);
}

int cb_xaead_open(uint8_t *data, size_t length, const uint8_t key[32], const uint8_t nonce[24], const uint8_t *ad,
	size_t adLength)
{
	uint8_t subKey[32], subNonce[12];
	extend(subKey, subNonce, key, nonce);
	const int valid = cb_aead_open(data, length, subKey, subNonce, ad, adLength);
	cb_erase(subKey, sizeof subKey);
	return valid;
}
