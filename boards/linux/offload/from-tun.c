/* The way out, methods of Offload (offload.ts): frames of TUN become data messages. */

#define _GNU_SOURCE

#include "offload.h"

#include <errno.h>
#include <unistd.h>

#include "network-order.h"

/* Reads frames as far as there is room; 0 or a negative errno. Refused ones are counted. */
static int read_frames(cb_offload *self)
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
	cb_offload *self = xsmcGetHostData(xsThis);
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
	cb_offload *self = xsmcGetHostData(xsThis);
	const cb_session *session = cb_offload_session(the, self, xsmcToUnsigned(xsArg(0)));
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
	const cb_offload *self = xsmcGetHostData(xsThis);
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
	cb_offload *self = xsmcGetHostData(xsThis);
	cb_outward_flush(&self->outward, self->local);
}
