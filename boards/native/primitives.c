/* The methods of NativePrimitives (primitives.ts): sizes are checked here, the work is done in crypto/. */

#include "primitives.h"
#include "buffers.h"
#include "bytes.h"
#include "random.h"

void xs_primitives_random(xsMachine *the)
{
	const cb_buffer out = cb_writable(the, &xsArg(0));
	if (!cb_random(out.bytes, out.length)) xsUnknownError("the system gives no random bytes");
}

void xs_primitives_x25519_public_key(xsMachine *the)
{
	const cb_buffer out = cb_writable(the, &xsArg(0)), private = cb_readable(the, &xsArg(1));
	cb_require_length(the, &out, CB_KEY_BYTES, "the public key");
	cb_require_length(the, &private, CB_KEY_BYTES, "the private key");
	uint8_t result[CB_KEY_BYTES];
	cb_x25519_base(result, private.bytes);
	memcpy(out.bytes, result, sizeof result);
}

void xs_primitives_x25519(xsMachine *the)
{
	const cb_buffer out = cb_writable(the, &xsArg(0));
	const cb_buffer private = cb_readable(the, &xsArg(1)), public = cb_readable(the, &xsArg(2));
	cb_require_length(the, &out, CB_KEY_BYTES, "the shared secret");
	cb_require_length(the, &private, CB_KEY_BYTES, "the private key");
	cb_require_length(the, &public, CB_KEY_BYTES, "the public key");
	uint8_t result[CB_KEY_BYTES];
	const int real = cb_x25519(result, private.bytes, public.bytes);
	memcpy(out.bytes, result, sizeof result);
	cb_erase(result, sizeof result);
	xsmcSetBoolean(xsResult, real);
}

/* WireGuard's nonce: four zero bytes and the counter (paper, section 5.4.6). */
static void counter_nonce(uint8_t nonce[CB_NONCE_BYTES], uint32_t low, uint32_t high)
{
	store32(nonce, 0);
	store32(nonce + 4, low);
	store32(nonce + 8, high);
}

/* key, counterLow, counterHigh, buffer, offset, length, ad */
void xs_primitives_aead_seal(xsMachine *the)
{
	uint8_t nonce[CB_NONCE_BYTES];
	counter_nonce(nonce, xsmcToUnsigned(xsArg(1)), xsmcToUnsigned(xsArg(2)));
	const double offset = xsmcToNumber(xsArg(4)), length = xsmcToNumber(xsArg(5));
	const cb_buffer key = cb_readable(the, &xsArg(0)), ad = cb_readable(the, &xsArg(6));
	const cb_buffer buffer = cb_writable(the, &xsArg(3));
	cb_require_length(the, &key, CB_KEY_BYTES, "the key");
	uint8_t *data = cb_require_bytes(the, &buffer, offset, length + CB_TAG_BYTES);
	cb_aead_seal(data, (size_t)length, key.bytes, nonce, ad.bytes, ad.length);
}

void xs_primitives_aead_open(xsMachine *the)
{
	uint8_t nonce[CB_NONCE_BYTES];
	counter_nonce(nonce, xsmcToUnsigned(xsArg(1)), xsmcToUnsigned(xsArg(2)));
	const double offset = xsmcToNumber(xsArg(4)), length = xsmcToNumber(xsArg(5));
	const cb_buffer key = cb_readable(the, &xsArg(0)), ad = cb_readable(the, &xsArg(6));
	const cb_buffer buffer = cb_writable(the, &xsArg(3));
	cb_require_length(the, &key, CB_KEY_BYTES, "the key");
	uint8_t *data = cb_require_bytes(the, &buffer, offset, length);
	xsmcSetBoolean(xsResult, cb_aead_open(data, (size_t)length, key.bytes, nonce, ad.bytes, ad.length));
}

/* key, nonce, buffer, offset, length, ad */
void xs_primitives_xaead_seal(xsMachine *the)
{
	const double offset = xsmcToNumber(xsArg(3)), length = xsmcToNumber(xsArg(4));
	const cb_buffer key = cb_readable(the, &xsArg(0)), nonce = cb_readable(the, &xsArg(1)), ad = cb_readable(the, &xsArg(5));
	const cb_buffer buffer = cb_writable(the, &xsArg(2));
	cb_require_length(the, &key, CB_KEY_BYTES, "the key");
	cb_require_length(the, &nonce, CB_XNONCE_BYTES, "the nonce");
	uint8_t *data = cb_require_bytes(the, &buffer, offset, length + CB_TAG_BYTES);
	cb_xaead_seal(data, (size_t)length, key.bytes, nonce.bytes, ad.bytes, ad.length);
}

void xs_primitives_xaead_open(xsMachine *the)
{
	const double offset = xsmcToNumber(xsArg(3)), length = xsmcToNumber(xsArg(4));
	const cb_buffer key = cb_readable(the, &xsArg(0)), nonce = cb_readable(the, &xsArg(1)), ad = cb_readable(the, &xsArg(5));
	const cb_buffer buffer = cb_writable(the, &xsArg(2));
	cb_require_length(the, &key, CB_KEY_BYTES, "the key");
	cb_require_length(the, &nonce, CB_XNONCE_BYTES, "the nonce");
	uint8_t *data = cb_require_bytes(the, &buffer, offset, length);
	xsmcSetBoolean(xsResult, cb_xaead_open(data, (size_t)length, key.bytes, nonce.bytes, ad.bytes, ad.length));
}

/* The result is made aside: `out` may be the key or the input. */
static void deliver(const cb_buffer *out, uint8_t *result)
{
	memcpy(out->bytes, result, out->length);
	cb_erase(result, out->length);
}

void xs_primitives_hash(xsMachine *the)
{
	const cb_buffer out = cb_writable(the, &xsArg(0)), input = cb_readable(the, &xsArg(1));
	cb_require_length(the, &out, 32, "the hash");
	uint8_t result[32];
	cb_blake2s(result, 32, NULL, 0, input.bytes, input.length);
	deliver(&out, result);
}

void xs_primitives_mac(xsMachine *the)
{
	const cb_buffer out = cb_writable(the, &xsArg(0));
	const cb_buffer key = cb_readable(the, &xsArg(1)), input = cb_readable(the, &xsArg(2));
	cb_require_length(the, &out, 16, "the mac");
	if (key.length < 1 || key.length > CB_KEY_BYTES)
		xsRangeError("the mac's key has %u bytes instead of 1 to %d", (unsigned)key.length, CB_KEY_BYTES);
	uint8_t result[16];
	cb_blake2s(result, 16, key.bytes, key.length, input.bytes, input.length);
	deliver(&out, result);
}

void xs_primitives_hmac(xsMachine *the)
{
	const cb_buffer out = cb_writable(the, &xsArg(0));
	const cb_buffer key = cb_readable(the, &xsArg(1)), input = cb_readable(the, &xsArg(2));
	cb_require_length(the, &out, 32, "the hmac");
	uint8_t result[32];
	cb_hmac(result, key.bytes, key.length, input.bytes, input.length);
	deliver(&out, result);
}
