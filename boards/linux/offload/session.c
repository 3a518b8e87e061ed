#include "session.h"

#include <string.h>

#include "bytes.h"
#include "primitives.h"

/* Paper, section 6.1: 2^64 - 2^13 - 1. */
#define REJECT_AFTER_MESSAGES 0xffffffffffffdfffULL
#define WINDOW_BITS (CB_WINDOW_WORDS * 64 - 64)

size_t cb_padded_length(size_t length, size_t mtu)
{
	const size_t last = mtu > 0 && length > mtu ? length % mtu : length;
	const size_t padded = (last + 15) & ~(size_t)15;
	return length - last + (mtu > 0 && padded > mtu ? mtu : padded);
}

static void nonce_of(uint8_t nonce[CB_NONCE_BYTES], uint64_t counter)
{
	store32(nonce, 0);
	store64(nonce + 4, counter);
}

size_t cb_session_seal(const cb_session *session, uint8_t *message, size_t length, size_t padded, uint64_t counter)
{
	uint8_t nonce[CB_NONCE_BYTES];
	nonce_of(nonce, counter);
	store32(message, CB_TYPE_DATA);
	store32(message + 4, session->remoteIndex);
	store64(message + 8, counter);
	memset(message + CB_MESSAGE_HEADER + length, 0, padded - length);
	cb_aead_seal(message + CB_MESSAGE_HEADER, padded, session->sendKey, nonce, NULL, 0);
	return padded + CB_MESSAGE_OVERHEAD;
}

/* RFC 6479: a ring of words; each new one is cleared when the window reaches it. */
static int accept_counter(cb_session *session, uint64_t counter)
{
	if (counter >= REJECT_AFTER_MESSAGES) return 0;
	const uint64_t number = counter + 1, greatest = session->greatest;
	if (number + WINDOW_BITS < greatest) return 0;
	if (number > greatest) {
		const uint64_t from = greatest >> 6;
		uint64_t steps = (number >> 6) - from;
		if (steps > CB_WINDOW_WORDS) steps = CB_WINDOW_WORDS;
		for (uint64_t i = 1; i <= steps; i++) session->window[(from + i) % CB_WINDOW_WORDS] = 0;
		session->greatest = number;
	}
	uint64_t *word = &session->window[(number >> 6) % CB_WINDOW_WORDS];
	const uint64_t bit = (uint64_t)1 << (number & 63);
	if (*word & bit) return 0;
	*word |= bit;
	return 1;
}

int cb_session_open(cb_session *session, uint8_t *message, size_t length)
{
	uint8_t nonce[CB_NONCE_BYTES];
	const uint64_t counter = load64(message + 8);
	nonce_of(nonce, counter);
	if (!cb_aead_open(message + CB_MESSAGE_HEADER, length - CB_MESSAGE_HEADER, session->receiveKey, nonce, NULL, 0)) return CB_BAD_TAG;
	/* Only now: an unauthenticated counter must not move the window. */
	if (!accept_counter(session, counter)) return CB_REPLAYED;
	return (int)(length - CB_MESSAGE_OVERHEAD);
}
