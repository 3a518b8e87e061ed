/*
 * lwIP of the IDF includes this file (ESP_IDF_LWIP_HOOK_FILENAME, set by boards/esp32/component) and asks for routes
 * here before it looks at its interfaces. The IDF's own choice by source address comes second.
 */
#ifndef CLOUDBRIDGE_LWIP_HOOKS_H
#define CLOUDBRIDGE_LWIP_HOOKS_H

#include "lwip/ip4_addr.h"

struct netif;

struct netif *cb_hook_ip4_route(const ip4_addr_t *from, const ip4_addr_t *to);

#undef LWIP_HOOK_IP4_ROUTE_SRC
#define LWIP_HOOK_IP4_ROUTE_SRC cb_hook_ip4_route

#endif
