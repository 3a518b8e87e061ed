/*
 * The tunnel's AllowedIPs as routes. lwIP itself routes by the one network of each interface; this table is asked
 * first, through lwIP's routing hooks (lwip-hooks.h). All of it runs in lwIP's thread.
 */
#ifndef CLOUDBRIDGE_TUNNEL_ROUTES_H
#define CLOUDBRIDGE_TUNNEL_ROUTES_H

#include <stdint.h>

#include "lwip/ip_addr.h"
#include "lwip/netif.h"

/* As ROUTE_BYTES of tunnel-netif.ts. */
#define CB_ROUTE_BYTES 20

typedef struct {
	/* 4 or 6. */
	uint8_t family;
	uint8_t prefixLength;
	uint8_t zero[2];
	uint8_t address[16];
} cb_route;

/* Replaces the table: `count` routes to `netif`, kept by the caller until the next call. NULL takes all away. */
void cb_routes_use(struct netif *netif, const cb_route *routes, uint32_t count);

/* The tunnel when its longest matching prefix is longer than that of every connected network, else NULL. */
struct netif *cb_route4(const ip4_addr_t *to);
struct netif *cb_route6(const ip6_addr_t *to);

#endif
