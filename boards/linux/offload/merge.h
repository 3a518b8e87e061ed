/*
 * Merges the segments of one TCP connection that arrived behind each other into super-packets, which TUN takes in one
 * write. Only what Linux's own GRO would merge is merged, and only after its checksum was verified: a damaged segment
 * stays a separate, damaged packet for the receiving stack to refuse. Packets of a connection keep their order.
 */
#ifndef CLOUDBRIDGE_MERGE_H
#define CLOUDBRIDGE_MERGE_H

#include <stddef.h>
#include <stdint.h>

/* Super-packets under way at a time. */
#define CB_MERGE_FLOWS 8
/* Packets, merged or not, that wait to be written. */
#define CB_MERGE_ENTRIES 512
/* Room for the largest IP packet and its header. */
#define CB_MERGE_BYTES (65536 + 16)

typedef struct {
	int open;
	size_t length, headers, piece;
	uint32_t count, next, entry;
	uint8_t bytes[CB_MERGE_BYTES];
} cb_flow;

typedef struct {
	uint32_t flows, entries;
	/* Frames in the order of their delivery. */
	struct { uint8_t *frame; size_t length; } entry[CB_MERGE_ENTRIES];
	cb_flow flow[CB_MERGE_FLOWS];
} cb_merger;

/* Whether another packet finds room. */
int cb_merge_room(const cb_merger *merger);
/* Takes a packet of the length its own header gives; 10 bytes before it can be written to. */
void cb_merge_add(cb_merger *merger, uint8_t *packet, size_t length);
/* Completes what is under way; the entries then are to be written, and forgotten by `cb_merge_clear`. */
void cb_merge_finish(cb_merger *merger);
void cb_merge_clear(cb_merger *merger);

#endif
