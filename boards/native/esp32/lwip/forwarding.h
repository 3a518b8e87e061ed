/* Network address translation of forwarded packets (RFC 3022), done by the chip's lwIP. */
#ifndef CLOUDBRIDGE_FORWARDING_H
#define CLOUDBRIDGE_FORWARDING_H

#include "lwip/netif.h"

/*
 * Packets that enter through `inside` and leave elsewhere get the address of the interface they leave by. Returns 0
 * when this lwIP has no translation or the interface is down. May be called from any thread but lwIP's own.
 */
int cb_translate_from(struct netif *inside, int on);

#endif
