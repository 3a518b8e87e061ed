#include "uplink-udp.h"

#include <stddef.h>
#include <string.h>

#include "lwip/def.h"
#include "lwip/ip_addr.h"
#include "lwip/priv/tcpip_priv.h"

typedef struct {
	struct tcpip_api_call_data call;
	cb_udp *udp;
	struct netif *uplink;
	uint16_t port;
	const cb_datagrams *datagrams;
} request;

static request *request_of(struct tcpip_api_call_data *call)
{
	return (request *)((char *)call - offsetof(request, call));
}

/* In lwIP's thread. */
static void received(void *context, struct udp_pcb *socket, struct pbuf *packet, const ip_addr_t *from, u16_t port)
{
	LWIP_UNUSED_ARG(socket);
	cb_udp *udp = context;
	if (packet != NULL) cb_ring_push(&udp->ring, packet, from, port);
}

static err_t open_here(struct tcpip_api_call_data *call)
{
	request *asked = request_of(call);
	cb_udp *udp = asked->udp;
	struct udp_pcb *socket = udp_new_ip_type(IPADDR_TYPE_ANY);
	if (socket == NULL) return ERR_MEM;
	const err_t error = udp_bind(socket, IP_ANY_TYPE, asked->port);
	if (error != ERR_OK) {
		udp_remove(socket);
		return error;
	}
	if (asked->uplink != NULL) udp_bind_netif(socket, asked->uplink);
	udp->socket = socket;
	udp->port = socket->local_port;
	udp_recv(socket, received, udp);
	return ERR_OK;
}

int cb_udp_open(cb_udp *udp, struct netif *uplink, uint16_t port, uint32_t queue, cb_wake wake, void *context)
{
	memset(udp, 0, sizeof *udp);
	if (!cb_ring_open(&udp->ring, queue, wake, context)) return ERR_MEM;
	request asked = { .udp = udp, .uplink = uplink, .port = port };
	const int error = tcpip_api_call(open_here, &asked.call);
	if (error != ERR_OK) cb_ring_close(&udp->ring);
	return error;
}

static err_t close_here(struct tcpip_api_call_data *call)
{
	udp_remove(request_of(call)->udp->socket);
	return ERR_OK;
}

void cb_udp_close(cb_udp *udp)
{
	request asked = { .udp = udp };
	tcpip_api_call(close_here, &asked.call);
	udp->socket = NULL;
	cb_ring_close(&udp->ring);
}

static void endpoint_from(cb_endpoint *record, const ip_addr_t *address, uint16_t port)
{
	memset(record, 0, sizeof *record);
	record->port[0] = (uint8_t)(port >> 8);
	record->port[1] = (uint8_t)port;
	if (IP_IS_V4(address)) {
		record->family = 4;
		memcpy(record->address, &ip_2_ip4(address)->addr, 4);
		return;
	}
	record->family = 6;
	memcpy(record->address, ip_2_ip6(address)->addr, 16);
#if LWIP_IPV6_SCOPES
	record->scope[0] = ip6_addr_zone(ip_2_ip6(address));
#endif
}

/* 0 when the record names no address. */
static int endpoint_to(ip_addr_t *address, uint16_t *port, const cb_endpoint *record)
{
	memset(address, 0, sizeof *address);
	*port = (uint16_t)(record->port[0] << 8 | record->port[1]);
	if (record->family == 4) {
		memcpy(&ip_2_ip4(address)->addr, record->address, 4);
		IP_SET_TYPE(address, IPADDR_TYPE_V4);
		return 1;
	}
	if (record->family != 6) return 0;
	memcpy(ip_2_ip6(address)->addr, record->address, 16);
	IP_SET_TYPE(address, IPADDR_TYPE_V6);
#if LWIP_IPV6_SCOPES
	/* Only addresses of link-local scope have a zone. */
	if (ip6_addr_has_scope(ip_2_ip6(address), IP6_UNICAST))
		ip6_addr_set_zone(ip_2_ip6(address), record->scope[0]);
#endif
	return 1;
}

size_t cb_udp_receive(cb_udp *udp, uint8_t *into, size_t room, cb_endpoint *from)
{
	cb_queued next;
	while (cb_ring_pop(&udp->ring, &next)) {
		const size_t length = next.packet->tot_len;
		if (length <= room) pbuf_copy_partial(next.packet, into, (u16_t)length, 0);
		pbuf_free(next.packet);
		if (length == 0 || length > room) continue;
		endpoint_from(from, &next.from, next.port);
		return length;
	}
	return 0;
}

static err_t send_one(struct udp_pcb *socket, const uint8_t *bytes, uint32_t length, const cb_endpoint *to)
{
	ip_addr_t address;
	uint16_t port;
	if (!endpoint_to(&address, &port, to)) return ERR_VAL;
	if (length > 0xffff) return ERR_VAL;
	struct pbuf *copy = pbuf_alloc(PBUF_TRANSPORT, (u16_t)length, PBUF_RAM);
	if (copy == NULL) return ERR_MEM;
	pbuf_take(copy, bytes, (u16_t)length);
	const err_t error = udp_sendto(socket, copy, &address, port);
	pbuf_free(copy);
	return error;
}

static err_t send_here(struct tcpip_api_call_data *call)
{
	request *asked = request_of(call);
	cb_udp *udp = asked->udp;
	const cb_datagrams *all = asked->datagrams;
	for (uint32_t i = 0; i < all->entries; i++) {
		if (all->length[i] == 0) continue;
		const err_t error = send_one(udp->socket, all->bytes + all->offset[i], all->length[i], &all->endpoints[i]);
		if (error == ERR_OK) continue;
		udp->unsent++;
		udp->failure = error;
		udp->failed = all->endpoints[i];
	}
	return ERR_OK;
}

void cb_udp_send(cb_udp *udp, const cb_datagrams *datagrams)
{
	request asked = { .udp = udp, .datagrams = datagrams };
	tcpip_api_call(send_here, &asked.call);
}
