#pragma once
#include "lwip/ip4_addr.h"
struct netif;
struct netif *test_ip4_route(const ip4_addr_t *from, const ip4_addr_t *to);
