#include "tunnel-netif.h"

#include <stdlib.h>
#include <string.h>

#include "lwip/def.h"
#include "lwip/ip.h"
#include "lwip/priv/tcpip_priv.h"
#include "lwip/tcpip.h"
#include "mss-clamp.h"

/*
 * The interface's own `state` stays NULL: the IDF hears of every change of every interface and takes a `state` for an
 * object of its own (esp_netif).
 */
static cb_tunnel *tunnel_of(struct netif *netif)
{
	return (cb_tunnel *)((char *)netif - offsetof(cb_tunnel, netif));
}

/* Whether some part of the packet is memory that its owner may change as soon as the output function returns. */
static int is_volatile(const struct pbuf *packet)
{
	for (; packet != NULL; packet = packet->next) if (PBUF_NEEDS_COPY(packet)) return 1;
	return 0;
}

/* In lwIP's thread: a packet that was routed here. lwIP keeps its own reference and frees that afterwards. */
static err_t queue_packet(struct netif *netif, struct pbuf *packet)
{
	cb_tunnel *tunnel = tunnel_of(netif);
	struct pbuf *kept = is_volatile(packet) ? pbuf_clone(PBUF_RAW, PBUF_RAM, packet) : packet;
	if (kept == NULL) return ERR_MEM;
	if (kept == packet) pbuf_ref(packet);
	cb_ring_push(&tunnel->ring, kept, NULL, 0);
	/* A full ring is loss on the way, not an error of the sender's. */
	return ERR_OK;
}

static err_t output4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
	LWIP_UNUSED_ARG(to);
	return queue_packet(netif, packet);
}

static err_t output6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to)
{
	LWIP_UNUSED_ARG(to);
	return queue_packet(netif, packet);
}

/* No flags: neither broadcast nor neighbours to be asked for, a packet needs no other address than its own. */
static err_t describe(struct netif *netif)
{
	netif->name[0] = 'w';
	netif->name[1] = 'g';
	netif->output = output4;
	netif->output_ip6 = output6;
	return ERR_OK;
}

typedef struct {
	struct tcpip_api_call_data call;
	cb_tunnel *tunnel;
	uint16_t mtu;
	int family, prefixLength, done;
	const uint8_t *address;
	cb_route *routes;
	uint32_t count;
} request;

static request *request_of(struct tcpip_api_call_data *call)
{
	return (request *)((char *)call - offsetof(request, call));
}

static void apply_mtu(struct netif *netif, uint16_t mtu)
{
	netif->mtu = mtu;
#if LWIP_IPV6 && LWIP_ND6_ALLOW_RA_UPDATES
	netif->mtu6 = mtu;
#endif
}

static void set_address6(cb_tunnel *tunnel, const ip6_addr_t *address)
{
	const int8_t at = (int8_t)tunnel->addresses6++;
	netif_ip6_addr_set(&tunnel->netif, at, address);
	/* Nobody else is on this link, so there is nothing to detect and nothing to wait for. */
	netif_ip6_addr_set_state(&tunnel->netif, at, IP6_ADDR_PREFERRED);
}

/* The chip's default input hook takes IPv6 only on interfaces with a link-local address. */
static void set_link_local(cb_tunnel *tunnel)
{
	ip6_addr_t address;
	IP6_ADDR(&address, PP_HTONL(0xfe800000), 0, 0, PP_HTONL(1));
	ip6_addr_assign_zone(&address, IP6_UNICAST, &tunnel->netif);
	set_address6(tunnel, &address);
}

static err_t open_here(struct tcpip_api_call_data *call)
{
	request *asked = request_of(call);
	cb_tunnel *tunnel = asked->tunnel;
	struct netif *netif = &tunnel->netif;
	if (netif_add(netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, NULL, describe, tcpip_input) == NULL)
		return ERR_IF;
	apply_mtu(netif, asked->mtu);
#if LWIP_IPV6_AUTOCONFIG
	netif_set_ip6_autoconfig_enabled(netif, 0);
#endif
	set_link_local(tunnel);
	netif_set_up(netif);
	netif_set_link_up(netif);
#if LWIP_IPV6_SEND_ROUTER_SOLICIT
	/* There is no router to be found on this link. */
	netif->rs_count = 0;
#endif
	return ERR_OK;
}

int cb_tunnel_open(cb_tunnel *tunnel, uint16_t mtu, uint32_t queue, cb_wake wake, void *context)
{
	memset(tunnel, 0, sizeof *tunnel);
	if (!cb_ring_open(&tunnel->ring, queue, wake, context)) return 0;
	request asked = { .tunnel = tunnel, .mtu = mtu };
	if (tcpip_api_call(open_here, &asked.call) == ERR_OK) return 1;
	cb_ring_close(&tunnel->ring);
	return 0;
}

static err_t close_here(struct tcpip_api_call_data *call)
{
	cb_tunnel *tunnel = request_of(call)->tunnel;
	cb_routes_use(NULL, NULL, 0);
	netif_set_down(&tunnel->netif);
	netif_remove(&tunnel->netif);
	return ERR_OK;
}

void cb_tunnel_close(cb_tunnel *tunnel)
{
	request asked = { .tunnel = tunnel };
	tcpip_api_call(close_here, &asked.call);
	cb_ring_close(&tunnel->ring);
	free(tunnel->routes);
	tunnel->routes = NULL;
}

static err_t set_mtu_here(struct tcpip_api_call_data *call)
{
	request *asked = request_of(call);
	apply_mtu(&asked->tunnel->netif, asked->mtu);
	return ERR_OK;
}

void cb_tunnel_set_mtu(cb_tunnel *tunnel, uint16_t mtu)
{
	request asked = { .tunnel = tunnel, .mtu = mtu };
	tcpip_api_call(set_mtu_here, &asked.call);
}

static err_t add_address_here(struct tcpip_api_call_data *call)
{
	request *asked = request_of(call);
	cb_tunnel *tunnel = asked->tunnel;
	struct netif *netif = &tunnel->netif;
	if (asked->family == 4) {
		if (!ip4_addr_isany_val(*netif_ip4_addr(netif))) return ERR_OK;
		ip4_addr_t address, mask, gateway = { 0 };
		memcpy(&address.addr, asked->address, 4);
		const int bits = asked->prefixLength;
		ip4_addr_set_u32(&mask, bits == 0 ? 0 : lwip_htonl(0xffffffffu << (32 - bits)));
		netif_set_addr(netif, &address, &mask, &gateway);
	} else {
		if (tunnel->addresses6 >= LWIP_IPV6_NUM_ADDRESSES) return ERR_OK;
		ip6_addr_t address;
		memset(&address, 0, sizeof address);
		memcpy(address.addr, asked->address, 16);
		ip6_addr_assign_zone(&address, IP6_UNICAST, netif);
		set_address6(tunnel, &address);
	}
	asked->done = 1;
	return ERR_OK;
}

int cb_tunnel_add_address(cb_tunnel *tunnel, int family, const uint8_t *address, int prefixLength)
{
	request asked = { .tunnel = tunnel, .family = family, .address = address, .prefixLength = prefixLength };
	tcpip_api_call(add_address_here, &asked.call);
	return asked.done;
}

static err_t set_routes_here(struct tcpip_api_call_data *call)
{
	request *asked = request_of(call);
	cb_tunnel *tunnel = asked->tunnel;
	cb_route *before = tunnel->routes;
	cb_routes_use(&tunnel->netif, asked->routes, asked->count);
	tunnel->routes = asked->routes;
	free(before);
	return ERR_OK;
}

int cb_tunnel_set_routes(cb_tunnel *tunnel, const cb_route *routes, uint32_t count)
{
	cb_route *copy = NULL;
	if (count > 0) {
		copy = malloc(count * sizeof *copy);
		if (copy == NULL) return 0;
		memcpy(copy, routes, count * sizeof *copy);
	}
	request asked = { .tunnel = tunnel, .routes = copy, .count = count };
	tcpip_api_call(set_routes_here, &asked.call);
	return 1;
}

size_t cb_tunnel_read(cb_tunnel *tunnel, uint8_t *into, size_t room)
{
	cb_queued next;
	while (cb_ring_pop(&tunnel->ring, &next)) {
		const size_t length = next.packet->tot_len;
		if (length <= room) pbuf_copy_partial(next.packet, into, (u16_t)length, 0);
		else tunnel->ring.dropped++;
		pbuf_free(next.packet);
		if (length > room) continue;
		cb_clamp_mss(into, length, tunnel->netif.mtu);
		return length;
	}
	return 0;
}

int cb_tunnel_write(cb_tunnel *tunnel, const uint8_t *packet, size_t length)
{
	/* PBUF_LINK leaves room for the header of the link that the packet may be forwarded to. */
	struct pbuf *copy = length <= 0xffff ? pbuf_alloc(PBUF_LINK, (u16_t)length, PBUF_RAM) : NULL;
	if (copy != NULL) {
		pbuf_take(copy, packet, (u16_t)length);
		/* PBUF_RAM is in one piece. */
		cb_clamp_mss(copy->payload, length, tunnel->netif.mtu);
		if (tunnel->netif.input(copy, &tunnel->netif) == ERR_OK) return 1;
		pbuf_free(copy);
	}
	tunnel->undelivered++;
	return 0;
}
