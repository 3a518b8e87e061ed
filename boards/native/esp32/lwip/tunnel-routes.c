#include "tunnel-routes.h"

#include <stddef.h>

#include "lwip/def.h"
#include "lwip/dns.h"
#include "lwip/ip4_addr.h"
#include "lwip/ip6_addr.h"

/* lwIP's hooks have no argument for a context, so this is the one table of the chip. */
static struct netif *tunnel;
static const cb_route *table;
static uint32_t entries;

void cb_routes_use(struct netif *netif, const cb_route *routes, uint32_t count)
{
	tunnel = count > 0 ? netif : NULL;
	table = routes;
	entries = tunnel != NULL ? count : 0;
}

static int has_prefix(const uint8_t *address, const uint8_t *prefix, int bits)
{
	int i = 0;
	for (; bits >= 8; bits -= 8, i++) if (address[i] != prefix[i]) return 0;
	return bits == 0 || ((address[i] ^ prefix[i]) & (0xff << (8 - bits)) & 0xff) == 0;
}

/* Length of the longest prefix that holds the address, or -1. */
static int longest(uint8_t family, const uint8_t *address)
{
	int best = -1;
	for (uint32_t i = 0; i < entries; i++) {
		const cb_route *route = &table[i];
		if (route->family == family && route->prefixLength > best
			&& has_prefix(address, route->address, route->prefixLength))
			best = route->prefixLength;
	}
	return best;
}

static int usable(const struct netif *netif)
{
	return netif_is_up(netif) && netif_is_link_up(netif);
}

static int mask_length(uint32_t mask)
{
	int bits = 0;
	for (; mask & 0x80000000; mask <<= 1) bits++;
	return bits;
}

/*
 * The name servers that the uplink told of stay on the uplink when only a default route covers them. Otherwise the
 * name of a peer's endpoint could never be looked up while the tunnel is down.
 */
static int is_name_server(const ip4_addr_t *to)
{
#if LWIP_DNS
	for (uint8_t i = 0; i < DNS_MAX_SERVERS; i++) {
		const ip_addr_t *server = dns_getserver(i);
		if (IP_IS_V4(server) && ip4_addr_cmp(to, ip_2_ip4(server))) return 1;
	}
#else
	LWIP_UNUSED_ARG(to);
#endif
	return 0;
}

struct netif *cb_route4(const ip4_addr_t *to)
{
	if (tunnel == NULL || !usable(tunnel)) return NULL;
	const uint32_t address = lwip_ntohl(ip4_addr_get_u32(to));
	/* Loopback, multicast and limited broadcast never leave by a route. */
	if (address >> 24 == 127 || address >> 28 == 0xe || address == 0xffffffff) return NULL;
	const int length = longest(4, (const uint8_t *)&to->addr);
	if (length < 0 || (length == 0 && is_name_server(to))) return NULL;
	struct netif *netif;
	NETIF_FOREACH(netif) {
		if (netif == tunnel || !usable(netif) || ip4_addr_isany_val(*netif_ip4_addr(netif))) continue;
		if (ip4_addr_netcmp(to, netif_ip4_addr(netif), netif_ip4_netmask(netif))
			&& mask_length(lwip_ntohl(ip4_addr_get_u32(netif_ip4_netmask(netif)))) >= length)
			return NULL;
	}
	return tunnel;
}

struct netif *cb_route6(const ip6_addr_t *to)
{
	if (tunnel == NULL || !usable(tunnel)) return NULL;
	if (ip6_addr_islinklocal(to) || ip6_addr_ismulticast(to) || ip6_addr_isloopback(to)) return NULL;
	const int length = longest(6, (const uint8_t *)to->addr);
	if (length < 0) return NULL;
	struct netif *netif;
	NETIF_FOREACH(netif) {
		if (netif == tunnel || !usable(netif)) continue;
		/* lwIP takes every address of an interface for one of a /64. */
		for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
			if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) && length <= 64
				&& ip6_addr_netcmp(to, netif_ip6_addr(netif, i)))
				return NULL;
		}
	}
	return tunnel;
}
