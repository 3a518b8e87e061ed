/* The sessions whose packets are sealed and opened here, by slot. */
#ifndef CLOUDBRIDGE_SESSIONS_H
#define CLOUDBRIDGE_SESSIONS_H

#include "session.h"

typedef struct {
	cb_session **slot;
	uint32_t room;
} cb_sessions;

/* Takes a copy of the keys; the slot, or -1 when there is no memory. */
int cb_sessions_add(cb_sessions *sessions, const uint8_t sendKey[32], const uint8_t receiveKey[32], uint32_t remoteIndex);
/* NULL when the slot holds none. */
cb_session *cb_sessions_at(const cb_sessions *sessions, uint32_t slot);
void cb_sessions_remove(cb_sessions *sessions, uint32_t slot);
/* Erases all keys. */
void cb_sessions_erase(cb_sessions *sessions);

#endif
