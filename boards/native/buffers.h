/* Arguments of native functions: arrays with their sizes checked. Pointers die with the next allocation of XS. */
#ifndef CLOUDBRIDGE_BUFFERS_H
#define CLOUDBRIDGE_BUFFERS_H

#include <stdint.h>

#include "xsmc.h"

typedef struct {
	uint8_t *bytes;
	xsUnsignedValue length;
} cb_buffer;

static inline cb_buffer cb_readable(xsMachine *the, xsSlot *slot)
{
	cb_buffer buffer;
	_xsmcGetBuffer(the, slot, (void **)&buffer.bytes, &buffer.length, 0);
	return buffer;
}

static inline cb_buffer cb_writable(xsMachine *the, xsSlot *slot)
{
	cb_buffer buffer;
	_xsmcGetBuffer(the, slot, (void **)&buffer.bytes, &buffer.length, 1);
	return buffer;
}

/* Exactly `length` bytes, or a RangeError that shows sizes only. */
static inline void cb_require_length(xsMachine *the, const cb_buffer *buffer, xsUnsignedValue length, const char *what)
{
	if (buffer->length != length) xsRangeError("%s has %u bytes instead of %u", what, (unsigned)buffer->length, (unsigned)length);
}

/* `length` bytes at `offset`, or a RangeError. Negative numbers are too large ones. */
static inline uint8_t *cb_require_bytes(xsMachine *the, const cb_buffer *buffer, double offset, double length)
{
	if (!(offset >= 0 && length >= 0 && offset + length <= buffer->length))
		xsRangeError("%.0f bytes at %.0f do not fit a buffer of %u", length, offset, (unsigned)buffer->length);
	return buffer->bytes + (xsUnsignedValue)offset;
}

#endif
