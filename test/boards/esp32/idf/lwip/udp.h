#pragma once
#include "lwip/netif.h"
struct udp_pcb {
	u16_t local_port;
};
typedef void (*udp_recv_fn)(void *context, struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *from, u16_t port);
struct udp_pcb *udp_new_ip_type(u8_t type);
void udp_remove(struct udp_pcb *pcb);
err_t udp_bind(struct udp_pcb *pcb, const ip_addr_t *address, u16_t port);
void udp_bind_netif(struct udp_pcb *pcb, const struct netif *netif);
void udp_recv(struct udp_pcb *pcb, udp_recv_fn received, void *context);
err_t udp_sendto(struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *to, u16_t port);
