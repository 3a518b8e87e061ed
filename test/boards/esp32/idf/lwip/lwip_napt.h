#pragma once
#include "lwip/netif.h"
/* 1 when done. */
u8_t ip_napt_enable_netif(struct netif *netif, int enable);
