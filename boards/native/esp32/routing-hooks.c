/* lwIP's routing hooks on the chip; see lwip/lwip-hooks.h. */

#include "lwip-hooks.h"
#include "tunnel-routes.h"

/* The IDF's own hook: by source address. */
struct netif *ip4_route_src_hook(const ip4_addr_t *from, const ip4_addr_t *to);

struct netif *cb_hook_ip4_route(const ip4_addr_t *from, const ip4_addr_t *to)
{
	struct netif *tunnel = cb_route4(to);
	return tunnel != NULL ? tunnel : ip4_route_src_hook(from, to);
}

/* Declared by the IDF with CONFIG_LWIP_HOOK_IP6_ROUTE_CUSTOM. */
struct netif *lwip_hook_ip6_route(const ip6_addr_t *from, const ip6_addr_t *to);

struct netif *lwip_hook_ip6_route(const ip6_addr_t *from, const ip6_addr_t *to)
{
	(void)from;
	return cb_route6(to);
}
