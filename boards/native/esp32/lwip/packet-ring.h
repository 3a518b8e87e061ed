/*
 * A bounded queue of packets between lwIP's thread and the machine's: one side pushes, the other pops. A full ring
 * refuses the newest packet, as a network would, and counts it.
 */
#ifndef CLOUDBRIDGE_PACKET_RING_H
#define CLOUDBRIDGE_PACKET_RING_H

#include <stdint.h>

#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"

/* Tells the machine that there is something to pop; called in lwIP's thread. 0 when it could not be told now. */
typedef int (*cb_wake)(void *context);

typedef struct {
	struct pbuf *packet;
	/* Where a datagram came from; unused for packets of the tunnel. */
	ip_addr_t from;
	uint16_t port;
} cb_queued;

typedef struct {
	cb_queued *entries;
	uint32_t capacity, first, count;
	uint32_t dropped;
	/* The reader found the ring empty and sleeps: the next packet wakes it. */
	int asleep;
	cb_wake wake;
	void *context;
} cb_ring;

/* 0 when there is no memory. */
int cb_ring_open(cb_ring *ring, uint32_t capacity, cb_wake wake, void *context);
/* Frees what is left in it. Nobody may push any more. */
void cb_ring_close(cb_ring *ring);

/* Takes over `packet`; frees it when the ring is full. */
void cb_ring_push(cb_ring *ring, struct pbuf *packet, const ip_addr_t *from, uint16_t port);
/* 0 when there is none; the caller frees the packet. */
int cb_ring_pop(cb_ring *ring, cb_queued *out);
uint32_t cb_ring_count(cb_ring *ring);

#endif
