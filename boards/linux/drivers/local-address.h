/*
 * Which of our own addresses a remote end talks to: replies leave from there, as the sender's firewall expects. A
 * bounded, direct-mapped memory; a collision costs no more than the kernel's own choice of a source.
 */
#ifndef CLOUDBRIDGE_LOCAL_ADDRESS_H
#define CLOUDBRIDGE_LOCAL_ADDRESS_H

#include "endpoint.h"

/* A power of two. */
#define CB_LOCAL_ADDRESSES 256
/* Room for one IPV6_PKTINFO, the larger of the two kinds. */
#define CB_PACKET_INFO_SPACE CMSG_SPACE(sizeof(struct in6_pktinfo))

typedef struct {
	struct {
		cb_endpoint remote;
		uint8_t address[16];
		/* Only for link-local addresses: elsewhere the route may change its interface. */
		uint32_t interface;
	} entries[CB_LOCAL_ADDRESSES];
} cb_local_addresses;

/* Remembers what the control messages of a received datagram say. */
void cb_local_learn(cb_local_addresses *memory, const cb_endpoint *remote, struct msghdr *received);
/* Writes the control message for a datagram to `remote` at msg_control; its length, 0 when nothing is known. */
size_t cb_local_apply(const cb_local_addresses *memory, const cb_endpoint *remote, struct msghdr *message);
/* The address is not ours any more. */
void cb_local_forget(cb_local_addresses *memory, const cb_endpoint *remote);

#endif
