#pragma once
#include "lwip/ip4_addr.h"
#include "lwip/ip6_addr.h"
enum lwip_ip_addr_type { IPADDR_TYPE_V4 = 0, IPADDR_TYPE_V6 = 6, IPADDR_TYPE_ANY = 46 };
typedef struct ip_addr {
	union {
		ip6_addr_t ip6;
		ip4_addr_t ip4;
	} u_addr;
	u8_t type;
} ip_addr_t;
extern const ip_addr_t ip_addr_any, ip_addr_any_type;
#define IP_ANY_TYPE (&ip_addr_any_type)
#define IP4_ADDR_ANY4 (&ip_addr_any.u_addr.ip4)
#define IP_IS_V4(address) ((address)->type == IPADDR_TYPE_V4)
#define IP_SET_TYPE(address, kind) ((address)->type = (kind))
#define ip_2_ip4(address) (&(address)->u_addr.ip4)
#define ip_2_ip6(address) (&(address)->u_addr.ip6)
#define ip_addr_copy(to, from) ((to) = (from))
