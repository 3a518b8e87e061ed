/* Sealed datagrams on their way out: runs of equal length to one destination leave in one send (UDP_SEGMENT). */
#ifndef CLOUDBRIDGE_OUTWARD_H
#define CLOUDBRIDGE_OUTWARD_H

#include "endpoint.h"
#include "local-address.h"

/* What one send may be cut into (UDP_MAX_SEGMENTS of older kernels), and the largest UDP payload over IPv4. */
#define CB_RUN_SEGMENTS 64
#define CB_RUN_BYTES 65507
#define CB_RUNS 64
#define CB_OUTPUT_BYTES (4 * 65536)

typedef struct {
	uint32_t at, length, stride, segments;
	cb_endpoint to;
} cb_run;

typedef struct {
	/* IPv4, IPv6; -1: none. */
	int fd[2];
	int segmentation;
	uint32_t used, runs;
	uint32_t sends, dropped, waits;
	int failure;
	cb_endpoint failed;
	cb_run run[CB_RUNS];
	uint8_t bytes[CB_OUTPUT_BYTES];
} cb_outward;

/* Where a message of at most `length` bytes can be written; sends what waits when there is no room. */
uint8_t *cb_outward_room(cb_outward *outward, cb_local_addresses *local, uint32_t length);
/* Adds the message that was written there. */
void cb_outward_add(cb_outward *outward, uint32_t length, const cb_endpoint *to);
/* Sends everything. */
void cb_outward_flush(cb_outward *outward, cb_local_addresses *local);

#endif
