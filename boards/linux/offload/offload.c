/*
 * The methods of Offload (offload.ts): the bytes between a TUN descriptor with segmentation offload and UDP sockets
 * with theirs. Which peer, which keys, which counters, is decided in TypeScript once for each super-packet or buffer;
 * everything done for each packet is here.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffers.h"
#include "bytes.h"
#include "inward.h"
#include "merge.h"
#include "outward.h"
#include "primitives.h"
#include "segment.h"
#include "session.h"
#include "udp.h"

#include "network-order.h"

#define FRAME_BYTES (65535 + CB_VNET_BYTES)
/* Frames read at a time, and the bytes for them: many small ones or a few large. */
#define FRAMES 32
#define FRAMES_BYTES (4 * FRAME_BYTES)
/* So much of a packet is shown to TypeScript: an IPv6 header. */
#define HEADER_BYTES IPV6_HEADER
/* Places of the array that `open_run` fills; offload.ts has the same. */
enum {
	RUN_NEXT_TYPE, RUN_NEXT_INDEX, RUN_DATAGRAMS, RUN_BYTES, RUN_PACKETS, RUN_KEEPALIVES, RUN_BAD_TAG, RUN_REPLAYED,
	RUN_BAD_PACKET, RUN_DELIVERED, RUN_ASKED, RUN_FIELDS,
};
/* Types of the next message beside those of messages.ts. */
enum { NEXT_NONE = 0, NEXT_MALFORMED = 255 };

typedef struct {
	int tun;
	cb_session **sessions;
	uint32_t sessionRoom;
	/* Frames read, and those of them that are at hand: neighbours with one destination. */
	uint32_t frames, first, end;
	cb_super super[FRAMES];
	/* The buffer at hand: which, and where in it. */
	uint32_t current, at;
	/* The inner source address that was last found to be its sender's; family 0: none. */
	uint8_t knownFamily, knownSource[16];
	uint32_t tunnelDropped, framesWritten, badFrames;
	/* Lives in the Udp object; NULL while none is attached. */
	cb_local_addresses *local;
	uint8_t frame[FRAMES_BYTES];
	cb_outward outward;
	cb_inward inward;
	cb_merger merger;
} offload;

void xs_offload_destructor(void *data)
{
	offload *self = data;
	if (self == NULL) return;
	for (uint32_t i = 0; i < self->sessionRoom; i++) {
		if (self->sessions[i] == NULL) continue;
		cb_erase(self->sessions[i], sizeof *self->sessions[i]);
		free(self->sessions[i]);
	}
	free(self->sessions);
	free(self);
}

void xs_offload_create(xsMachine *the)
{
	/* Most of it is touched only under load, and is no memory until then. */
	offload *self = calloc(1, sizeof *self);
	if (self == NULL) xsUnknownError("no memory for the data path");
	self->tun = self->outward.fd[0] = self->outward.fd[1] = -1;
	self->outward.segmentation = 1;
	xsmcSetHostData(xsThis, self);
}

/* (tun, udp): a descriptor and a Udp object that stay their owners'. Without them: nothing is read or written. */
void xs_offload_attach(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
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
	offload *self = xsmcGetHostData(xsThis);
	const uint32_t remoteIndex = xsmcToUnsigned(xsArg(2));
	const cb_buffer sendKey = cb_readable(the, &xsArg(0)), receiveKey = cb_readable(the, &xsArg(1));
	cb_require_length(the, &sendKey, CB_KEY_BYTES, "the sending key");
	cb_require_length(the, &receiveKey, CB_KEY_BYTES, "the receiving key");
	uint32_t slot = 0;
	while (slot < self->sessionRoom && self->sessions[slot] != NULL) slot++;
	if (slot == self->sessionRoom) {
		const uint32_t room = self->sessionRoom == 0 ? 16 : self->sessionRoom * 2;
		cb_session **sessions = realloc(self->sessions, room * sizeof *sessions);
		if (sessions == NULL) xsUnknownError("no memory for a session");
		for (uint32_t i = self->sessionRoom; i < room; i++) sessions[i] = NULL;
		self->sessions = sessions;
		self->sessionRoom = room;
	}
	cb_session *session = calloc(1, sizeof *session);
	if (session == NULL) xsUnknownError("no memory for a session");
	memcpy(session->sendKey, sendKey.bytes, CB_KEY_BYTES);
	memcpy(session->receiveKey, receiveKey.bytes, CB_KEY_BYTES);
	session->remoteIndex = remoteIndex;
	self->sessions[slot] = session;
	xsmcSetInteger(xsResult, (int)slot);
}

static cb_session *session_of(xsMachine *the, const offload *self, uint32_t slot)
{
	if (slot >= self->sessionRoom || self->sessions[slot] == NULL) xsRangeError("there is no session %u", slot);
	return self->sessions[slot];
}

/* (slot): erases the keys. */
void xs_offload_remove_session(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	const uint32_t slot = xsmcToUnsigned(xsArg(0));
	cb_session *session = session_of(the, self, slot);
	cb_erase(session, sizeof *session);
	free(session);
	self->sessions[slot] = NULL;
}

/* Reads frames as far as there is room; 0 or a negative errno. Refused ones are counted. */
static int read_frames(offload *self)
{
	size_t used = 0;
	self->frames = self->first = self->end = 0;
	while (self->frames < FRAMES && used + FRAME_BYTES <= sizeof self->frame) {
		const ssize_t length = read(self->tun, self->frame + used, FRAME_BYTES);
		if (length < 0 && errno == EINTR) continue;
		if (length <= 0) return length == 0 || errno == EAGAIN || self->frames > 0 ? 0 : -errno;
		if (cb_super_take(&self->super[self->frames], self->frame + used, (size_t)length) == 0) {
			self->badFrames++;
			continue;
		}
		self->frames++;
		used += ((size_t)length + 15) & ~(size_t)15;
	}
	return 0;
}

static int same_destination(const cb_super *a, const cb_super *b)
{
	const size_t at = a->version == 4 ? IPV4_SOURCE + 4 : IPV6_SOURCE + 16, length = a->version == 4 ? 4 : 16;
	return a->version == b->version && memcmp(a->packet + at, b->packet + at, length) == 0;
}

/*
 * (header): takes up the next frames from TUN that have one destination, and copies the beginning of the first packet
 * to `header`. The number of packets in them; 0: nothing to read; a negative errno: the device is gone.
 */
void xs_offload_read(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	const cb_buffer header = cb_writable(the, &xsArg(0));
	cb_require_length(the, &header, HEADER_BYTES, "the header");
	self->first = self->end;
	if (self->first == self->frames) {
		const int result = read_frames(self);
		if (self->frames == 0) {
			xsmcSetInteger(xsResult, result);
			return;
		}
	}
	const cb_super *super = &self->super[self->first];
	uint32_t packets = 0;
	do packets += self->super[self->end++].segments;
	while (self->end < self->frames && same_destination(super, &self->super[self->end]));
	const size_t shown = super->length < HEADER_BYTES ? super->length : HEADER_BYTES;
	memset(header.bytes + shown, 0, HEADER_BYTES - shown);
	memcpy(header.bytes, super->packet, shown);
	xsmcSetInteger(xsResult, (int)packets);
}

/* (slot, counterLow, counterHigh, mtu, endpoint): seals all packets of the frames; bytes of all messages. */
void xs_offload_seal(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	const cb_session *session = session_of(the, self, xsmcToUnsigned(xsArg(0)));
	uint64_t counter = xsmcToUnsigned(xsArg(1));
	counter |= (uint64_t)xsmcToUnsigned(xsArg(2)) << 32;
	const size_t mtu = xsmcToUnsigned(xsArg(3));
	const cb_buffer record = cb_readable(the, &xsArg(4));
	cb_require_length(the, &record, sizeof(cb_endpoint), "the endpoint record");
	const cb_endpoint *to = (const cb_endpoint *)record.bytes;
	uint32_t bytes = 0;
	for (uint32_t frame = self->first; frame < self->end; frame++) {
		const cb_super *super = &self->super[frame];
		for (uint32_t i = 0; i < super->segments; i++) {
			const size_t length = cb_super_segment_length(super, i), padded = cb_padded_length(length, mtu);
			if (padded + CB_MESSAGE_OVERHEAD > CB_RUN_BYTES) continue;
			uint8_t *message = cb_outward_room(&self->outward, self->local, (uint32_t)padded + CB_MESSAGE_OVERHEAD);
			cb_super_write(super, i, message + CB_MESSAGE_HEADER);
			const uint32_t sealed = (uint32_t)cb_session_seal(session, message, length, padded, counter++);
			cb_outward_add(&self->outward, sealed, to);
			bytes += sealed;
		}
	}
	xsmcSetUnsigned(xsResult, bytes);
}

/* (index, into): copies one packet of the frames; its length, 0 when it does not fit. */
void xs_offload_packet(xsMachine *the)
{
	const offload *self = xsmcGetHostData(xsThis);
	uint32_t index = xsmcToUnsigned(xsArg(0)), frame = self->first;
	const cb_buffer into = cb_writable(the, &xsArg(1));
	while (frame < self->end && index >= self->super[frame].segments) index -= self->super[frame++].segments;
	if (frame == self->end) xsRangeError("there is no packet %u in the frames", index);
	const size_t length = cb_super_segment_length(&self->super[frame], index);
	if (length <= into.length) cb_super_write(&self->super[frame], index, into.bytes);
	xsmcSetInteger(xsResult, length <= into.length ? (int)length : 0);
}

void xs_offload_flush(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	cb_outward_flush(&self->outward, self->local);
}

/* Receives what waits, as far as there is room; the number of buffers. */
void xs_offload_receive(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	self->inward.count = 0;
	/* Between two calls anything may have happened to the AllowedIPs. */
	self->knownFamily = 0;
	for (int i = 0; i < 2; i++) {
		if (self->outward.fd[i] >= 0 && self->inward.count < CB_BUFFERS) cb_inward_receive(&self->inward, self->outward.fd[i], self->local);
	}
	xsmcSetInteger(xsResult, (int)self->inward.count);
}

static uint32_t message_length(const offload *self)
{
	const cb_received *buffer = &self->inward.buffer[self->current];
	const uint32_t left = buffer->length - self->at;
	return left < buffer->stride ? left : buffer->stride;
}

/* Says what the next message of the buffer is. */
static void tell_next(const offload *self, uint32_t *run)
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
	offload *self = xsmcGetHostData(xsThis);
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
	offload *self = xsmcGetHostData(xsThis);
	const cb_buffer into = cb_writable(the, &xsArg(0));
	uint32_t *run = run_fields(the, &xsArg(1));
	const uint32_t length = message_length(self);
	if (length <= into.length) memcpy(into.bytes, self->inward.buffer[self->current].bytes + self->at, length);
	self->at += length;
	tell_next(self, run);
	xsmcSetInteger(xsResult, length <= into.length ? (int)length : 0);
}

static int source_known(const offload *self, const uint8_t *packet)
{
	if (self->knownFamily != packet[0] >> 4) return 0;
	return self->knownFamily == 4 ? memcmp(self->knownSource, packet + IPV4_SOURCE, 4) == 0 : memcmp(self->knownSource, packet + IPV6_SOURCE, 16) == 0;
}

static void know_source(offload *self, const uint8_t *packet)
{
	self->knownFamily = packet[0] >> 4;
	memcpy(self->knownSource, packet + (self->knownFamily == 4 ? IPV4_SOURCE : IPV6_SOURCE), self->knownFamily == 4 ? 4 : 16);
}

static void write_frames(offload *self)
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

static void deliver(offload *self, uint8_t *packet, size_t length)
{
	if (!cb_merge_room(&self->merger)) write_frames(self);
	cb_merge_add(&self->merger, packet, length);
}

/*
 * (slot, index, accept, header, run): opens the messages of the session with this receiver index from where the buffer
 * stands. Stops behind the last of them, or at a packet whose source address is not the known one: its beginning then
 * is in `header`, its length in RUN_ASKED, and the next call says by `accept` whether it is its sender's (1) or not (0).
 * -1: nothing was asked.
 */
void xs_offload_open_run(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	cb_session *session = session_of(the, self, xsmcToUnsigned(xsArg(0)));
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
		if (opened == 0) {
			run[RUN_KEEPALIVES]++;
			continue;
		}
		run[RUN_PACKETS]++;
		const size_t inner = ip_length(packet, (size_t)opened);
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
	offload *self = xsmcGetHostData(xsThis);
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

/* (counters): framesWritten, tunnelDropped, badFrames, sends, sendDropped, sendWaits. */
void xs_offload_counters(xsMachine *the)
{
	const offload *self = xsmcGetHostData(xsThis);
	const cb_buffer counters = cb_writable(the, &xsArg(0));
	const uint32_t values[] = { self->framesWritten, self->tunnelDropped, self->badFrames, self->outward.sends, self->outward.dropped, self->outward.waits };
	cb_require_length(the, &counters, sizeof values, "the counters");
	memcpy(counters.bytes, values, sizeof values);
}

/* (record): as Udp's. */
void xs_offload_take_failure(xsMachine *the)
{
	offload *self = xsmcGetHostData(xsThis);
	const cb_buffer record = cb_writable(the, &xsArg(0));
	cb_require_length(the, &record, sizeof(cb_endpoint), "the endpoint record");
	if (self->outward.failure != 0) memcpy(record.bytes, &self->outward.failed, sizeof(cb_endpoint));
	xsmcSetInteger(xsResult, self->outward.failure);
	self->outward.failure = 0;
}
