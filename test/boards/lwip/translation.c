/*
 * Address translation as the boards use it (boards/native/esp32/lwip), in Espressif's own lwIP. Prints one line a check;
 * lwip.test.ts compiles, runs and reads it.
 */

#include <stdio.h>
#include <string.h>

#include "forwarding.h"
#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/priv/tcpip_priv.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"
#include "test-hooks.h"
#include "tunnel-netif.h"

/* One thread: lwIP's own is here. */
err_t tcpip_api_call(tcpip_api_call_fn function, struct tcpip_api_call_data *call)
{
	return function(call);
}

err_t tcpip_input(struct pbuf *packet, struct netif *by)
{
	return ip_input(packet, by);
}

u32_t sys_now(void)
{
	return 1000;
}

struct netif *test_ip4_route(const ip4_addr_t *from, const ip4_addr_t *to)
{
	(void)from;
	return cb_route4(to);
}

static int failures;

static void check(int good, const char *name)
{
	printf("%s %s\n", good ? "ok" : "FAILED", name);
	if (!good) failures++;
}

static uint8_t sent[2048];
static size_t sentLength;

static err_t output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
	(void)netif, (void)to;
	sentLength = pbuf_copy_partial(packet, sent, sizeof sent, 0);
	return ERR_OK;
}

static err_t describe(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = 1500;
	netif->output = output;
	return ERR_OK;
}

static struct netif *add(struct netif *netif, int a, int b, int c, int d)
{
	ip4_addr_t address, mask, gateway = { 0 };
	IP4_ADDR(&address, a, b, c, d);
	IP4_ADDR(&mask, 255, 255, 255, 0);
	netif_add(netif, &address, &mask, &gateway, NULL, describe, tcpip_input);
	netif_set_up(netif);
	netif_set_link_up(netif);
	return netif;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned header_sum(const uint8_t *header)
{
	unsigned long sum = 0;
	for (int i = 0; i < 20; i += 2) sum += get16(header + i);
	while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

static size_t udp(uint8_t *out, const uint8_t *from, unsigned fromPort, const uint8_t *to, unsigned toPort)
{
	memset(out, 0, 32);
	out[0] = 0x45;
	put16(out + 2, 32);
	out[8] = 64;
	out[9] = 17;
	memcpy(out + 12, from, 4);
	memcpy(out + 16, to, 4);
	put16(out + 10, ~header_sum(out) & 0xffff);
	put16(out + 20, fromPort);
	put16(out + 22, toPort);
	put16(out + 24, 12);
	memcpy(out + 28, "data", 4);
	return 32;
}

static int wake(void *context)
{
	(void)context;
	return 1;
}

static void enter(struct netif *by, const uint8_t *packet, size_t length)
{
	struct pbuf *copy = pbuf_alloc(PBUF_LINK, (u16_t)length, PBUF_RAM);
	pbuf_take(copy, packet, (u16_t)length);
	if (by->input(copy, by) != ERR_OK) pbuf_free(copy);
}

int main(void)
{
	static const uint8_t own[] = { 10, 9, 0, 2 }, far[] = { 10, 50, 0, 7 }, client[] = { 192, 168, 4, 2 };
	static const uint8_t site[] = { 192, 168, 1, 20 }, siteOwn[] = { 192, 168, 1, 5 };
	static struct netif accessPoint, uplink;
	static cb_tunnel tunnel;
	uint8_t packet[64], got[64];
	lwip_init();
	add(&accessPoint, 192, 168, 4, 1);
	netif_set_default(add(&uplink, 192, 168, 1, 5));
	cb_tunnel_open(&tunnel, 1420, 4, wake, NULL);
	cb_tunnel_add_address(&tunnel, 4, own, 24);
	const cb_route routes[] = { { .family = 4, .prefixLength = 16, .address = { 10, 50 } } };
	cb_tunnel_set_routes(&tunnel, routes, 1);

	check(cb_translate_from(&accessPoint, 1), "translation is turned on for clients");
	enter(&accessPoint, packet, udp(packet, client, 4000, far, 53));
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 32 && memcmp(got + 12, own, 4) == 0, "a client's packet leaves with the tunnel's address");
	check(memcmp(got + 16, far, 4) == 0 && header_sum(got) == 0xffff && memcmp(got + 28, "data", 4) == 0, "else unchanged, with a right checksum");
	const unsigned port = get16(got + 20);
	cb_tunnel_write(&tunnel, packet, udp(packet, far, 53, own, port));
	check(sentLength == 32 && memcmp(sent + 16, client, 4) == 0 && get16(sent + 22) == 4000, "the answer finds the client and its port");
	sentLength = 0;
	cb_tunnel_write(&tunnel, packet, udp(packet, far, 53, own, port + 1));
	check(sentLength == 0, "what nobody asked for finds no client");

	check(cb_translate_from(&tunnel.netif, 1), "translation is turned on for peers beside it");
	cb_tunnel_write(&tunnel, packet, udp(packet, far, 5000, site, 80));
	check(sentLength == 32 && memcmp(sent + 12, siteOwn, 4) == 0 && memcmp(sent + 16, site, 4) == 0, "a peer's packet reaches the site with the chip's address there");
	const unsigned sitePort = get16(sent + 20);
	while (cb_tunnel_read(&tunnel, got, sizeof got) > 0) {}
	enter(&uplink, packet, udp(packet, site, 80, siteOwn, sitePort));
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 32 && memcmp(got + 16, far, 4) == 0 && get16(got + 22) == 5000, "and the answer the peer");
	return failures != 0;
}
