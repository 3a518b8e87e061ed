#pragma once
#include <stdint.h>
#include "esp_err.h"
typedef struct esp_netif_obj esp_netif_t;
typedef struct { uint32_t addr; } esp_ip4_addr_t;
typedef struct { uint32_t addr[4]; uint8_t zone; } esp_ip6_addr_t;
typedef struct {
	union { esp_ip6_addr_t ip6; esp_ip4_addr_t ip4; } u_addr;
	uint8_t type;
} esp_ip_addr_t;
typedef struct { esp_ip_addr_t ip; } esp_netif_dns_info_t;
typedef enum { ESP_NETIF_DNS_MAIN, ESP_NETIF_DNS_BACKUP } esp_netif_dns_type_t;
typedef enum { ESP_NETIF_OP_START, ESP_NETIF_OP_SET, ESP_NETIF_OP_GET } esp_netif_dhcp_option_mode_t;
typedef enum { ESP_NETIF_SUBNET_MASK = 1, ESP_NETIF_DOMAIN_NAME_SERVER = 6 } esp_netif_dhcp_option_id_t;
esp_netif_t *esp_netif_get_handle_from_ifkey(const char *key);
esp_err_t esp_netif_get_dns_info(esp_netif_t *of, esp_netif_dns_type_t type, esp_netif_dns_info_t *info);
esp_err_t esp_netif_set_dns_info(esp_netif_t *of, esp_netif_dns_type_t type, esp_netif_dns_info_t *info);
esp_err_t esp_netif_dhcps_start(esp_netif_t *of);
esp_err_t esp_netif_dhcps_stop(esp_netif_t *of);
esp_err_t esp_netif_dhcps_option(esp_netif_t *of, esp_netif_dhcp_option_mode_t mode, esp_netif_dhcp_option_id_t id,
	void *value, uint32_t length);
