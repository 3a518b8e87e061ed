/* The function of name-server.ts. */

#include <string.h>

#include "buffers.h"
#include "esp_netif.h"
#include "interfaces.h"

/* The bit of ESP-IDF's DHCP server for "offer the name server" (OFFER_DNS of dhcpserver.h). */
#define OFFER_NAME_SERVER 0x02

static int offer(esp_netif_t *clients, esp_netif_dns_info_t *server)
{
	uint8_t offered = OFFER_NAME_SERVER;
	/* The server reads its options when it starts. One that is stopped already is as good. */
	esp_netif_dhcps_stop(clients);
	const int set = esp_netif_dhcps_option(clients, ESP_NETIF_OP_SET, ESP_NETIF_DOMAIN_NAME_SERVER, &offered, sizeof offered) == ESP_OK
		&& esp_netif_set_dns_info(clients, ESP_NETIF_DNS_MAIN, server) == ESP_OK;
	return esp_netif_dhcps_start(clients) == ESP_OK && set;
}

/* (clients, uplink, address): keys of interfaces; 4 bytes, or null for the uplink's own name server. Whether it was set. */
void xs_name_server_offer(xsMachine *the)
{
	char key[CB_INTERFACE_KEY_BYTES];
	esp_netif_dns_info_t server;
	memset(&server, 0, sizeof server);
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	esp_netif_t *clients = esp_netif_get_handle_from_ifkey(key);
	xsmcToStringBuffer(xsArg(1), key, sizeof key);
	esp_netif_t *uplink = esp_netif_get_handle_from_ifkey(key);
	int known;
	if (xsmcTest(xsArg(2))) {
		const cb_buffer address = cb_readable(the, &xsArg(2));
		cb_require_length(the, &address, sizeof server.ip.u_addr.ip4.addr, "the name server's address");
		memcpy(&server.ip.u_addr.ip4.addr, address.bytes, address.length);
		known = 1;
	} else {
		known = uplink != NULL && esp_netif_get_dns_info(uplink, ESP_NETIF_DNS_MAIN, &server) == ESP_OK
			&& server.ip.u_addr.ip4.addr != 0;
	}
	xsmcSetBoolean(xsResult, known && clients != NULL && offer(clients, &server));
}
