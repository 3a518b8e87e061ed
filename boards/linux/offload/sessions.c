#include "sessions.h"

#include <stdlib.h>
#include <string.h>

#include "primitives.h"

static const uint32_t FIRST_ROOM = 16;

/* A slot that is free, or -1. */
static int free_slot(cb_sessions *sessions)
{
	uint32_t slot = 0;
	while (slot < sessions->room && sessions->slot[slot] != NULL) slot++;
	if (slot < sessions->room) return (int)slot;
	const uint32_t room = slot == 0 ? FIRST_ROOM : slot * 2;
	cb_session **slots = realloc(sessions->slot, room * sizeof *slots);
	if (slots == NULL) return -1;
	for (uint32_t i = slot; i < room; i++) slots[i] = NULL;
	sessions->slot = slots;
	sessions->room = room;
	return (int)slot;
}

int cb_sessions_add(cb_sessions *sessions, const uint8_t sendKey[32], const uint8_t receiveKey[32], uint32_t remoteIndex)
{
	const int slot = free_slot(sessions);
	cb_session *session = slot < 0 ? NULL : calloc(1, sizeof *session);
	if (session == NULL) return -1;
	memcpy(session->sendKey, sendKey, sizeof session->sendKey);
	memcpy(session->receiveKey, receiveKey, sizeof session->receiveKey);
	session->remoteIndex = remoteIndex;
	sessions->slot[slot] = session;
	return slot;
}

cb_session *cb_sessions_at(const cb_sessions *sessions, uint32_t slot)
{
	return slot < sessions->room ? sessions->slot[slot] : NULL;
}

void cb_sessions_remove(cb_sessions *sessions, uint32_t slot)
{
	cb_session *session = cb_sessions_at(sessions, slot);
	if (session == NULL) return;
	cb_erase(session, sizeof *session);
	free(session);
	sessions->slot[slot] = NULL;
}

void cb_sessions_erase(cb_sessions *sessions)
{
	for (uint32_t slot = 0; slot < sessions->room; slot++) cb_sessions_remove(sessions, slot);
	free(sessions->slot);
	sessions->slot = NULL;
	sessions->room = 0;
}
