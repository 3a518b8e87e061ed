/* The arrays of a Batch (src/packet/batch.ts), as a native method gets them. */
#ifndef CLOUDBRIDGE_BATCH_H
#define CLOUDBRIDGE_BATCH_H

#include "buffers.h"

#define CB_ENDPOINT_BYTES 24
/* Entries handled in one call. */
#define CB_BATCH_MOST 64

typedef struct {
	uint8_t *bytes;
	/* Bytes of `bytes`. */
	uint32_t size;
	uint32_t *offset, *length;
	uint8_t *endpoints;
	uint32_t slotSize, start, entries;
} cb_batch;

/*
 * From the arguments (bytes, offset, length, endpoints, slotSize, start, entries): `start` is where a packet begins in
 * its slot. Throws unless every entry's slot lies inside the arrays.
 */
static inline cb_batch cb_batch_arguments(xsMachine *the)
{
	cb_batch batch;
	batch.slotSize = xsmcToUnsigned(xsArg(4));
	batch.start = xsmcToUnsigned(xsArg(5));
	batch.entries = xsmcToUnsigned(xsArg(6));
	const cb_buffer bytes = cb_writable(the, &xsArg(0)), offset = cb_writable(the, &xsArg(1));
	const cb_buffer length = cb_writable(the, &xsArg(2)), endpoints = cb_writable(the, &xsArg(3));
	batch.bytes = bytes.bytes;
	batch.size = bytes.length;
	batch.offset = (uint32_t *)offset.bytes;
	batch.length = (uint32_t *)length.bytes;
	batch.endpoints = endpoints.bytes;
	if (batch.entries > CB_BATCH_MOST) batch.entries = CB_BATCH_MOST;
	const uint64_t entries = batch.entries;
	if (batch.start >= batch.slotSize || entries * batch.slotSize > bytes.length
		|| entries * sizeof(uint32_t) > offset.length || entries * sizeof(uint32_t) > length.length
		|| entries * CB_ENDPOINT_BYTES > endpoints.length)
		xsRangeError("the batch has no room for %u entries", (unsigned)batch.entries);
	return batch;
}

/* Where entry `i` begins, or NULL when it is empty or not inside the batch. */
static inline uint8_t *cb_batch_entry(const cb_batch *batch, uint32_t i)
{
	const uint32_t offset = batch->offset[i], length = batch->length[i];
	if (length == 0 || offset > batch->size || length > batch->size - offset) return NULL;
	return batch->bytes + offset;
}

#endif
