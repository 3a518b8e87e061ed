#pragma once
#include "lwip/netif.h"
err_t tcpip_input(struct pbuf *packet, struct netif *by);
