/* What lwIP declares only for systems with threads; translation.c defines it for one thread. */
#pragma once
#include "lwip/netif.h"
err_t tcpip_input(struct pbuf *packet, struct netif *by);
