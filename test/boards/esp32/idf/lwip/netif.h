#pragma once
#include "lwip/err.h"
#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"
struct netif;
typedef err_t (*netif_init_fn)(struct netif *netif);
typedef err_t (*netif_input_fn)(struct pbuf *packet, struct netif *by);
typedef err_t (*netif_output_fn)(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to);
typedef err_t (*netif_output_ip6_fn)(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to);
struct netif {
	struct netif *next;
	ip_addr_t ip_addr, netmask, gw;
	ip_addr_t ip6_addr[LWIP_IPV6_NUM_ADDRESSES];
	u8_t ip6_addr_state[LWIP_IPV6_NUM_ADDRESSES];
	netif_input_fn input;
	netif_output_fn output;
	netif_output_ip6_fn output_ip6;
	void *state;
	u16_t mtu, mtu6;
	u8_t rs_count, flags;
	char name[2];
};
extern struct netif *netif_list;
#define NETIF_FOREACH(netif) for ((netif) = netif_list; (netif) != NULL; (netif) = (netif)->next)
#define NETIF_FLAG_UP 0x01
#define NETIF_FLAG_LINK_UP 0x04
#define netif_is_up(netif) (((netif)->flags & NETIF_FLAG_UP) != 0)
#define netif_is_link_up(netif) (((netif)->flags & NETIF_FLAG_LINK_UP) != 0)
#define netif_ip4_addr(netif) ((const ip4_addr_t *)ip_2_ip4(&(netif)->ip_addr))
#define netif_ip4_netmask(netif) ((const ip4_addr_t *)ip_2_ip4(&(netif)->netmask))
#define netif_ip6_addr(netif, i) ((const ip6_addr_t *)ip_2_ip6(&(netif)->ip6_addr[i]))
#define netif_ip6_addr_state(netif, i) ((netif)->ip6_addr_state[i])
#define netif_set_ip6_autoconfig_enabled(netif, on) (void)(on)
struct netif *netif_add(struct netif *netif, const ip4_addr_t *address, const ip4_addr_t *mask, const ip4_addr_t *gateway,
	void *state, netif_init_fn init, netif_input_fn input);
void netif_remove(struct netif *netif);
void netif_set_addr(struct netif *netif, const ip4_addr_t *address, const ip4_addr_t *mask, const ip4_addr_t *gateway);
void netif_set_up(struct netif *netif);
void netif_set_down(struct netif *netif);
void netif_set_link_up(struct netif *netif);
void netif_ip6_addr_set(struct netif *netif, s8_t index, const ip6_addr_t *address);
void netif_ip6_addr_set_state(struct netif *netif, s8_t index, u8_t state);
