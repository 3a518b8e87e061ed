/* The way in, methods of Offload (offload.ts): buffers of messages become frames for TUN. */

#define _GNU_SOURCE

#include "offload.h"

#include <errno.h>
#include <unistd.h>

#include "bytes.h"
#include "network-order.h"

/* Places of the array that `open_run` fills; offload.ts has the same. */
enum {
	RUN_NEXT_TYPE, RUN_NEXT_INDEX, RUN_DATAGRAMS, RUN_BYTES, RUN_PACKETS, RUN_KEEPALIVES, RUN_BAD_TAG, RUN_REPLAYED,
	RUN_BAD_PACKET, RUN_DELIVERED, RUN_ASKED, RUN_UP_TO_LOW, RUN_UP_TO_HIGH, RUN_FIELDS,
};
/* src/wireguard/probe.ts */
#define PROBE_BYTES 16

/* Types of the next message beside those of messages.ts. */
enum { NEXT_NONE = 0, NEXT_MALFORMED = 255 };

/* Receives what waits, as far as there is room; the number of buffers. */
void xs_offload_receive(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	self->inward.count = 0;
	/* Between two calls anything may have happened to the AllowedIPs. */
	self->knownFamily = 0;
	for (int i = 0; i < 2; i++) {
		if (self->outward.fd[i] >= 0 && self->inward.count < CB_BUFFERS) cb_inward_receive(&self->inward, self->outward.fd[i], self->local);
	}
	xsmcSetInteger(xsResult, (int)self->inward.count);
}

static uint32_t message_length(const cb_offload *self)
{
	const cb_received *buffer = &self->inward.buffer[self->current];
	const uint32_t left = buffer->length - self->at;
	return left < buffer->stride ? left : buffer->stride;
}

/* Says what the next message of the buffer is. */
static void tell_next(const cb_offload *self, uint32_t *run)
{
	const cb_received *buffer = &self->inward.buffer[self->current];
	const uint32_t length = message_length(self);
	run[RUN_NEXT_TYPE] = NEXT_NONE;
	run[RUN_NEXT_INDEX] = 0;
	if (length == 0) return;
	const uint8_t *message = buffer->bytes + self->at;
	const uint32_t type = length >= CB_MESSAGE_OVERHEAD ? load32(message) : 0;
	if (type == CB_TYPE_DATA) run[RUN_NEXT_INDEX] = load32(message + 4);
	run[RUN_NEXT_TYPE] = type >= 1 && type <= CB_TYPE_DATA ? type : NEXT_MALFORMED;
}

static uint32_t *run_fields(xsMachine *the, xsSlot *slot)
{
	const cb_buffer run = cb_writable(the, slot);
	if (run.length < RUN_FIELDS * sizeof(uint32_t)) xsRangeError("the run has %u bytes", run.length);
	return (uint32_t *)run.bytes;
}

/* (index, source, run): begins a buffer: its source and what its first message is. */
void xs_offload_begin(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	const uint32_t index = xsmcToUnsigned(xsArg(0));
	const cb_buffer source = cb_writable(the, &xsArg(1));
	uint32_t *run = run_fields(the, &xsArg(2));
	cb_require_length(the, &source, sizeof(cb_endpoint), "the endpoint record");
	if (index >= self->inward.count) xsRangeError("there is no buffer %u", index);
	self->current = index;
	self->at = 0;
	memcpy(source.bytes, &self->inward.buffer[index].source, sizeof(cb_endpoint));
	tell_next(self, run);
}

/* (into, run): takes a message that is not data; its length, 0 when it does not fit. */
void xs_offload_take(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	const cb_buffer into = cb_writable(the, &xsArg(0));
	uint32_t *run = run_fields(the, &xsArg(1));
	const uint32_t length = message_length(self);
	if (length <= into.length) memcpy(into.bytes, self->inward.buffer[self->current].bytes + self->at, length);
	self->at += length;
	tell_next(self, run);
	xsmcSetInteger(xsResult, length <= into.length ? (int)length : 0);
}

static int source_known(const cb_offload *self, const uint8_t *packet)
{
	if (self->knownFamily != packet[0] >> 4) return 0;
	return self->knownFamily == 4 ? memcmp(self->knownSource, packet + IPV4_SOURCE, 4) == 0 : memcmp(self->knownSource, packet + IPV6_SOURCE, 16) == 0;
}

static void know_source(cb_offload *self, const uint8_t *packet)
{
	self->knownFamily = packet[0] >> 4;
	memcpy(self->knownSource, packet + (self->knownFamily == 4 ? IPV4_SOURCE : IPV6_SOURCE), self->knownFamily == 4 ? 4 : 16);
}

static void write_frames(cb_offload *self)
{
	cb_merge_finish(&self->merger);
	for (uint32_t i = 0; i < self->merger.entries; i++) {
		ssize_t written;
		do written = write(self->tun, self->merger.entry[i].frame, self->merger.entry[i].length); while (written < 0 && errno == EINTR);
		if (written < 0) self->tunnelDropped++;
		else self->framesWritten++;
	}
	cb_merge_clear(&self->merger);
}

static void deliver(cb_offload *self, uint8_t *packet, size_t length)
{
	if (!cb_merge_room(&self->merger)) write_frames(self);
	cb_merge_add(&self->merger, packet, length);
}

/*
 * (slot, index, accept, header, run): opens the messages of the session with this receiver index from where the buffer
 * stands. Stops behind the last of them, or at a packet whose source address is not the known one: its beginning then
 * is in `header`, its length in RUN_ASKED, and the next call says by `accept` whether it is its sender's (1) or not (0).
 * The same for what may be a probe (src/wireguard/probe.ts), which is never delivered.
 * -1: nothing was asked.
 */
void xs_offload_open_run(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	cb_session *session = cb_offload_session(the, self, xsmcToUnsigned(xsArg(0)));
	const uint32_t index = xsmcToUnsigned(xsArg(1));
	const int accept = xsmcToInteger(xsArg(2));
	const cb_buffer header = cb_writable(the, &xsArg(3));
	uint32_t *run = run_fields(the, &xsArg(4));
	cb_require_length(the, &header, HEADER_BYTES, "the header");
	const cb_received *buffer = &self->inward.buffer[self->current];
	if (accept < 0) {
		for (int i = RUN_DATAGRAMS; i < RUN_FIELDS; i++) run[i] = 0;
	} else {
		uint8_t *packet = buffer->bytes + self->at + CB_MESSAGE_HEADER;
		self->at += message_length(self);
		if (accept > 0) {
			know_source(self, packet);
			deliver(self, packet, run[RUN_ASKED]);
			run[RUN_DELIVERED]++;
		}
		run[RUN_ASKED] = 0;
	}
	for (;; self->at += message_length(self)) {
		tell_next(self, run);
		if (run[RUN_NEXT_TYPE] != CB_TYPE_DATA || run[RUN_NEXT_INDEX] != index) return;
		uint8_t *message = buffer->bytes + self->at, *packet = message + CB_MESSAGE_HEADER;
		const uint32_t length = message_length(self);
		const int opened = cb_session_open(session, message, length);
		if (opened < 0) {
			run[opened == CB_BAD_TAG ? RUN_BAD_TAG : RUN_REPLAYED]++;
			continue;
		}
		run[RUN_DATAGRAMS]++;
		run[RUN_BYTES] += length;
		run[RUN_UP_TO_LOW] = (uint32_t)session->greatest;
		run[RUN_UP_TO_HIGH] = (uint32_t)(session->greatest >> 32);
		if (opened == 0) {
			run[RUN_KEEPALIVES]++;
			continue;
		}
		const size_t inner = ip_length(packet, (size_t)opened);
		if (inner == 0 && opened == PROBE_BYTES) {
			memset(header.bytes, 0, HEADER_BYTES);
			memcpy(header.bytes, packet, PROBE_BYTES);
			run[RUN_ASKED] = PROBE_BYTES;
			return;
		}
		run[RUN_PACKETS]++;
		if (inner == 0) {
			run[RUN_BAD_PACKET]++;
			continue;
		}
		if (!source_known(self, packet)) {
			const size_t shown = inner < HEADER_BYTES ? inner : HEADER_BYTES;
			memset(header.bytes + shown, 0, HEADER_BYTES - shown);
			memcpy(header.bytes, packet, shown);
			run[RUN_ASKED] = (uint32_t)inner;
			return;
		}
		deliver(self, packet, inner);
		run[RUN_DELIVERED]++;
	}
}

/* Skips the messages of a receiver index that cannot be opened; (index, run): how many. */
void xs_offload_skip(xsMachine *the)
{
	cb_offload *self = xsmcGetHostData(xsThis);
	const uint32_t index = xsmcToUnsigned(xsArg(0));
	uint32_t *run = run_fields(the, &xsArg(1));
	int count = 0;
	do {
		self->at += message_length(self);
		count++;
		tell_next(self, run);
	} while (run[RUN_NEXT_TYPE] == CB_TYPE_DATA && run[RUN_NEXT_INDEX] == index);
	xsmcSetInteger(xsResult, count);
}

/* Writes everything delivered to TUN. */
void xs_offload_write(xsMachine *the)
{
	write_frames(xsmcGetHostData(xsThis));
}
