/* Datagrams on their way in: buffers that the kernel merged from datagrams of one source and length (UDP_GRO). */
#ifndef CLOUDBRIDGE_INWARD_H
#define CLOUDBRIDGE_INWARD_H

#include "endpoint.h"
#include "local-address.h"

/* Buffers of one receive, and the bytes of each. */
#define CB_BUFFERS 8
#define CB_BUFFER_BYTES 65536

typedef struct {
	uint32_t length, stride;
	cb_endpoint source;
	uint8_t *bytes;
} cb_received;

typedef struct {
	uint32_t count;
	cb_received buffer[CB_BUFFERS];
	uint8_t bytes[CB_BUFFERS][CB_BUFFER_BYTES];
} cb_inward;

/* Asks a socket to merge what it receives. */
void cb_inward_prepare(int fd);
/* Receives into the buffers behind those in use; how many came. */
uint32_t cb_inward_receive(cb_inward *inward, int fd, cb_local_addresses *local);

#endif
