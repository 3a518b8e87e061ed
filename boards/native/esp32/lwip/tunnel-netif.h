/*
 * The tunnel as an interface of lwIP: what the chip's sockets and the clients of its access point send into it is
 * queued for the gateway, what the gateway decrypts enters lwIP through it. Only lwIP is used here, so the same
 * file runs on the chip and in the tests under Linux.
 */
#ifndef CLOUDBRIDGE_TUNNEL_NETIF_H
#define CLOUDBRIDGE_TUNNEL_NETIF_H

#include <stddef.h>

#include "packet-ring.h"
#include "tunnel-routes.h"

typedef struct {
	struct netif netif;
	cb_ring ring;
	cb_route *routes;
	/* Packets for lwIP that found no memory or a full mailbox. */
	uint32_t undelivered;
	/* How many IPv6 addresses it has; number 0 is the link-local one. */
	uint32_t addresses6;
} cb_tunnel;

/* Every function may be called from any thread but lwIP's own. */

/* Adds the interface and sets it up. `queue` bounds the packets that wait for the gateway. 0: no memory. */
int cb_tunnel_open(cb_tunnel *tunnel, uint16_t mtu, uint32_t queue, cb_wake wake, void *context);
/* Afterwards `wake` is not called any more. */
void cb_tunnel_close(cb_tunnel *tunnel);

void cb_tunnel_set_mtu(cb_tunnel *tunnel, uint16_t mtu);
/* `family` 4 or 6. 0 when lwIP has no room for one more: it keeps one IPv4 address and a few of IPv6. */
int cb_tunnel_add_address(cb_tunnel *tunnel, int family, const uint8_t *address, int prefixLength);
/* Replaces the routes to it (copied). 0: no memory. */
int cb_tunnel_set_routes(cb_tunnel *tunnel, const cb_route *routes, uint32_t count);

/* Moves the next waiting packet to `into`; its length, 0 when none waits. What is longer than `room` is dropped. */
size_t cb_tunnel_read(cb_tunnel *tunnel, uint8_t *into, size_t room);
/* Hands an IP packet to lwIP; 0 and counted when it cannot be taken. */
int cb_tunnel_write(cb_tunnel *tunnel, const uint8_t *packet, size_t length);

#endif
