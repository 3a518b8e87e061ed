/*
 * Lowers the largest segment size that TCP ends announce to each other, so that what they send fits the tunnel. Clients
 * behind the chip believe in Ethernet's 1500 bytes, and the ICMP that would teach them better is often lost on the way.
 */
#ifndef CLOUDBRIDGE_MSS_CLAMP_H
#define CLOUDBRIDGE_MSS_CLAMP_H

#include <stddef.h>
#include <stdint.h>

/* Looks at one IP packet; changes it only when it is a whole SYN that announces more than `mtu` has room for. */
void cb_clamp_mss(uint8_t *packet, size_t length, uint16_t mtu);

#endif
