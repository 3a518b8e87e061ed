#pragma once
#include "lwip/def.h"
typedef struct ip4_addr {
	u32_t addr;
} ip4_addr_t;
#define ip4_addr_get_u32(address) ((address)->addr)
#define ip4_addr_set_u32(address, value) ((address)->addr = (value))
#define ip4_addr_isany_val(address) ((address).addr == 0)
#define ip4_addr_cmp(a, b) ((a)->addr == (b)->addr)
#define ip4_addr_netcmp(a, b, mask) (((a)->addr & (mask)->addr) == ((b)->addr & (mask)->addr))
