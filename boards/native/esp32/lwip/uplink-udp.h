/*
 * The tunnel's own UDP socket: IPv4 and IPv6 on one port, tied to the uplink, so that no route (not even a default
 * route through the tunnel) can catch what carries the tunnel. Only lwIP is used here.
 */
#ifndef CLOUDBRIDGE_UPLINK_UDP_H
#define CLOUDBRIDGE_UPLINK_UDP_H

#include <stddef.h>

#include "lwip/netif.h"
#include "lwip/udp.h"
#include "packet-ring.h"

/* A record of src/packet/endpoint.ts. */
typedef struct {
	/* 0 none, 4, 6. */
	uint8_t family;
	uint8_t zero;
	/* Big-endian. */
	uint8_t port[2];
	/* IPv6 zone, little-endian. */
	uint8_t scope[4];
	uint8_t address[16];
} cb_endpoint;

typedef struct {
	struct udp_pcb *socket;
	cb_ring ring;
	uint16_t port;
	/* Datagrams lwIP did not take, and the last of its reasons (err_t) with the destination. */
	uint32_t unsent;
	int failure;
	cb_endpoint failed;
} cb_udp;

/* Entry i is bytes[offset[i] .. + length[i]); its endpoint is endpoints[i]. Entries of length 0 are left out. */
typedef struct {
	const uint8_t *bytes;
	const uint32_t *offset, *length;
	const cb_endpoint *endpoints;
	uint32_t entries;
} cb_datagrams;

/* Every function may be called from any thread but lwIP's own. */

/* `port` 0: any. `uplink` NULL: every interface. Returns lwIP's err_t: ERR_USE when the port is taken. */
int cb_udp_open(cb_udp *udp, struct netif *uplink, uint16_t port, uint32_t queue, cb_wake wake, void *context);
/* Afterwards `wake` is not called any more. */
void cb_udp_close(cb_udp *udp);

/*
 * Moves the next datagram to `into` and its source to `from`; its length. 0: nothing waits. What is longer than `room`
 * is no datagram of ours and is dropped, as are empty ones.
 */
size_t cb_udp_receive(cb_udp *udp, uint8_t *into, size_t room, cb_endpoint *from);
/* Sends all in one visit of lwIP's thread. */
void cb_udp_send(cb_udp *udp, const cb_datagrams *datagrams);

#endif
