#pragma once
#include "lwip/def.h"
typedef struct ip6_addr {
	u32_t addr[4];
	u8_t zone;
} ip6_addr_t;
struct netif;
enum lwip_ipv6_scope_type { IP6_UNKNOWN, IP6_UNICAST, IP6_MULTICAST };
#define IP6_ADDR_INVALID 0x00
#define IP6_ADDR_VALID 0x10
#define IP6_ADDR_PREFERRED 0x30
#define ip6_addr_isvalid(state) ((state) & IP6_ADDR_VALID)
#define IP6_ADDR(address, a, b, c, d) \
	do { (address)->addr[0] = a; (address)->addr[1] = b; (address)->addr[2] = c; (address)->addr[3] = d; (address)->zone = 0; } while (0)
int ip6_addr_islinklocal(const ip6_addr_t *address);
int ip6_addr_ismulticast(const ip6_addr_t *address);
int ip6_addr_isloopback(const ip6_addr_t *address);
int ip6_addr_netcmp(const ip6_addr_t *a, const ip6_addr_t *b);
int ip6_addr_has_scope(const ip6_addr_t *address, enum lwip_ipv6_scope_type type);
void ip6_addr_set_zone(ip6_addr_t *address, u8_t zone);
void ip6_addr_assign_zone(ip6_addr_t *address, enum lwip_ipv6_scope_type type, struct netif *netif);
#define ip6_addr_zone(address) ((address)->zone)
