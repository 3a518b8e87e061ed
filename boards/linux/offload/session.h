/* Transport data messages (WireGuard paper, section 5.4.6) under the keys of one session. */
#ifndef CLOUDBRIDGE_SESSION_H
#define CLOUDBRIDGE_SESSION_H

#include <stddef.h>
#include <stdint.h>

#define CB_TYPE_DATA 4
#define CB_MESSAGE_HEADER 16
#define CB_MESSAGE_OVERHEAD 32
/* 8192 bits, of which one word is always being cleared for what comes. */
#define CB_WINDOW_WORDS 128

typedef struct {
	uint8_t sendKey[32], receiveKey[32];
	uint32_t remoteIndex;
	/* The greatest counter accepted plus one; 0: none yet. */
	uint64_t greatest;
	uint64_t window[CB_WINDOW_WORDS];
} cb_session;

enum { CB_BAD_TAG = -1, CB_REPLAYED = -2 };

/* Length with padding: a multiple of 16, but padding never makes a packet longer than the MTU. 0: no MTU. */
size_t cb_padded_length(size_t length, size_t mtu);
/* Makes the message whose packet lies at `message + 16`; its length. */
size_t cb_session_seal(const cb_session *session, uint8_t *message, size_t length, size_t padded, uint64_t counter);
/* Opens a data message of at least 32 bytes in place; the length inside with padding, or a negative reason. */
int cb_session_open(cb_session *session, uint8_t *message, size_t length);

#endif
