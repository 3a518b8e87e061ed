#pragma once
#include "esp_err.h"
typedef struct esp_netif_obj esp_netif_t;
/* May be called again; lwIP is started once. */
esp_err_t esp_netif_init(void);
esp_netif_t *esp_netif_get_handle_from_ifkey(const char *key);
