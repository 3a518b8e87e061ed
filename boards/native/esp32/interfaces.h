/* The chip's interfaces by the keys that the IDF gives them. */
#ifndef CLOUDBRIDGE_INTERFACES_H
#define CLOUDBRIDGE_INTERFACES_H

#include "esp_netif.h"
#include "esp_netif_net_stack.h"
#include "lwip/netif.h"

/* "WIFI_STA_DEF", "WIFI_AP_DEF" or "ETH_DEF"; NULL when it does not exist (yet). */
static inline struct netif *cb_interface(const char *key)
{
	esp_netif_t *interface = esp_netif_get_handle_from_ifkey(key);
	return interface == NULL ? NULL : esp_netif_get_netif_impl(interface);
}

#define CB_INTERFACE_KEY_BYTES 20

#endif
