#include "packet-ring.h"

#include <stdlib.h>
#include <string.h>

#include "lwip/sys.h"

int cb_ring_open(cb_ring *ring, uint32_t capacity, cb_wake wake, void *context)
{
	memset(ring, 0, sizeof *ring);
	ring->entries = calloc(capacity, sizeof *ring->entries);
	if (ring->entries == NULL) return 0;
	ring->capacity = capacity;
	ring->asleep = 1;
	ring->wake = wake;
	ring->context = context;
	return 1;
}

void cb_ring_close(cb_ring *ring)
{
	cb_queued queued;
	while (cb_ring_pop(ring, &queued)) pbuf_free(queued.packet);
	free(ring->entries);
	ring->entries = NULL;
	ring->capacity = 0;
}

void cb_ring_push(cb_ring *ring, struct pbuf *packet, const ip_addr_t *from, uint16_t port)
{
	int taken = 0, tell = 0;
	SYS_ARCH_DECL_PROTECT(level);
	SYS_ARCH_PROTECT(level);
	if (ring->count < ring->capacity) {
		cb_queued *entry = &ring->entries[(ring->first + ring->count) % ring->capacity];
		entry->packet = packet;
		if (from != NULL) ip_addr_copy(entry->from, *from);
		entry->port = port;
		ring->count++;
		taken = 1;
	} else ring->dropped++;
	/* A full ring wakes, too: perhaps an earlier call was not heard. */
	tell = ring->asleep;
	ring->asleep = 0;
	SYS_ARCH_UNPROTECT(level);
	if (!taken) pbuf_free(packet);
	if (tell && !ring->wake(ring->context)) {
		SYS_ARCH_PROTECT(level);
		ring->asleep = 1;
		SYS_ARCH_UNPROTECT(level);
	}
}

int cb_ring_pop(cb_ring *ring, cb_queued *out)
{
	int found = 0;
	SYS_ARCH_DECL_PROTECT(level);
	SYS_ARCH_PROTECT(level);
	if (ring->count > 0) {
		*out = ring->entries[ring->first];
		ring->first = (ring->first + 1) % ring->capacity;
		ring->count--;
		found = 1;
	} else ring->asleep = 1;
	SYS_ARCH_UNPROTECT(level);
	return found;
}

uint32_t cb_ring_count(cb_ring *ring)
{
	SYS_ARCH_DECL_PROTECT(level);
	SYS_ARCH_PROTECT(level);
	const uint32_t count = ring->count;
	SYS_ARCH_UNPROTECT(level);
	return count;
}
