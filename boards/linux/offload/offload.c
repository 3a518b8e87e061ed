/*
 * The life of an Offload (offload.ts): the bytes between a TUN descriptor with segmentation offload and UDP sockets
 * with theirs. Which peer, which keys, which counters, is decided in TypeScript once for each super-packet or buffer;
 * everything done for each packet is in C.
 */

#include "offload.h"

#include <stdlib.h>

#include "primitives.h"
#include "udp.h"

void xs_offload_destructor(void *data)
{
	cb_offload *self = data;
	if (self == NULL) return;
	cb_sessions_erase(&self->sessions);
	free(self);
}

void xs_offload_create(xsMachine *the)
{
	/* Most of it is touched only under load, and is no memory until then. */
	cb_offload *self = calloc(1, sizeof *self);
	if (self == NULL) xsUnknownError("no memory for the data path");
	self->tun = self->outward.fd[0] = self->outward.fd[1] = -1;
	self->outward.segmentation = 1;
	xsmcSetHostData(xsThis, self);
}

/* (tun, udp): a descriptor and a Udp object that stay their owners'. Without them: nothing is read or written. */
void xs_offload_attach(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	self->tun = self->outward.fd[0] = self->outward.fd[1] = -1;
	self->local = NULL;
	self->frames = self->first = self->end = 0;
	if (xsmcArgc < 2) return;
	self->local = cb_udp_parts(the, &xsArg(1), self->outward.fd);
	self->tun = xsmcToInteger(xsArg(0));
	for (int i = 0; i < 2; i++) {
		if (self->outward.fd[i] >= 0) cb_inward_prepare(self->outward.fd[i]);
	}
	self->outward.segmentation = 1;
}

/* (sendKey, receiveKey, remoteIndex): the slot of a new session. */
void xs_offload_add_session(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	const uint32_t remoteIndex = xsmcToUnsigned(xsArg(2));
	const cb_buffer sendKey = cb_readable(the, &xsArg(0)), receiveKey = cb_readable(the, &xsArg(1));
	cb_require_length(the, &sendKey, CB_KEY_BYTES, "the sending key");
	cb_require_length(the, &receiveKey, CB_KEY_BYTES, "the receiving key");
	const int slot = cb_sessions_add(&self->sessions, sendKey.bytes, receiveKey.bytes, remoteIndex);
	if (slot < 0) xsUnknownError("no memory for a session");
	xsmcSetInteger(xsResult, slot);
}

/* (slot): erases the keys. */
void xs_offload_remove_session(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	const uint32_t slot = xsmcToUnsigned(xsArg(0));
	cb_offload_session(the, self, slot);
	cb_sessions_remove(&self->sessions, slot);
}

cb_session *cb_offload_session(xsMachine *the, const cb_offload *self, uint32_t slot)
{
	cb_session *session = cb_sessions_at(&self->sessions, slot);
	if (session == NULL) xsRangeError("there is no session %u", slot);
	return session;
}

/* (counters): framesWritten, tunnelDropped, badFrames, sends, sendDropped, sendWaits. */
void xs_offload_counters(xsMachine *the)
{
	const cb_offload *self = xsmcGetHostData(xsThis);
	const cb_buffer counters = cb_writable(the, &xsArg(0));
	const uint32_t values[] = { self->framesWritten, self->tunnelDropped, self->badFrames, self->outward.sends, self->outward.dropped, self->outward.waits };
	cb_require_length(the, &counters, sizeof values, "the counters");
	memcpy(counters.bytes, values, sizeof values);
}

/* (record): as Udp's. */
void xs_offload_take_failure(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	const cb_buffer record = cb_writable(the, &xsArg(0));
	cb_require_length(the, &record, sizeof(cb_endpoint), "the endpoint record");
	if (self->outward.failure != 0) memcpy(record.bytes, &self->outward.failed, sizeof(cb_endpoint));
	xsmcSetInteger(xsResult, self->outward.failure);
	self->outward.failure = 0;
}
