/*
 * The chip's tunnel interface and UDP socket (boards/native/esp32/lwip) in a real lwIP, Debian's. Prints one line a
 * check, "ok NAME" or "FAILED NAME"; lwip.test.ts compiles, runs and reads it.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forwarding.h"
#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/priv/tcpip_priv.h"
#include "lwip/tcpip.h"
#include "tunnel-netif.h"
#include "uplink-udp.h"

static int failures;

static void check(int good, const char *name)
{
	printf("%s %s\n", good ? "ok" : "FAILED", name);
	if (!good) failures++;
}

/*
 * Debian's library was built without routing hooks. The board's hooks (lwip-hooks.h) are put where the library looks
 * its own functions up, which the dynamic linker allows.
 */
struct netif *ip4_route(const ip4_addr_t *to)
{
	struct netif *found = cb_route4(to);
	if (found != NULL) return found;
	struct netif *(*usual)(const ip4_addr_t *) = (struct netif * (*)(const ip4_addr_t *)) dlsym(RTLD_NEXT, "ip4_route");
	return usual(to);
}

struct netif *ip6_route(const ip6_addr_t *from, const ip6_addr_t *to)
{
	struct netif *found = cb_route6(to);
	if (found != NULL) return found;
	struct netif *(*usual)(const ip6_addr_t *, const ip6_addr_t *)
		= (struct netif * (*)(const ip6_addr_t *, const ip6_addr_t *)) dlsym(RTLD_NEXT, "ip6_route");
	return usual(from, to);
}

/* A link that keeps what lwIP sends out by it. */
#define KEPT 16
typedef struct {
	struct netif netif;
	uint8_t packets[KEPT][2048];
	size_t lengths[KEPT];
	int count;
} wire;

static wire accessPoint, uplink;

static void keep(wire *to, struct pbuf *packet)
{
	if (to->count == KEPT) return;
	pbuf_copy_partial(packet, to->packets[to->count], sizeof to->packets[0], 0);
	to->lengths[to->count++] = packet->tot_len;
}

static err_t wire_output4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
	(void)to;
	keep(netif->state, packet);
	return ERR_OK;
}

static err_t wire_output6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to)
{
	(void)to;
	keep(netif->state, packet);
	return ERR_OK;
}

static err_t wire_describe(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = 1500;
	netif->output = wire_output4;
	netif->output_ip6 = wire_output6;
	return ERR_OK;
}

/* Everything in lwIP's thread. */
typedef struct {
	struct tcpip_api_call_data call;
	void (*function)(void *);
	void *argument;
} visit;

static err_t visited(struct tcpip_api_call_data *call)
{
	visit *it = (visit *)call;
	it->function(it->argument);
	return ERR_OK;
}

static void within(void (*function)(void *), void *argument)
{
	visit it = { .function = function, .argument = argument };
	tcpip_api_call(visited, &it.call);
}

/* What tcpip_input posted before is done when a later message has been answered. */
static void arrived(void *context)
{
	sys_sem_signal(context);
}

static void settle(void)
{
	sys_sem_t done;
	sys_sem_new(&done, 0);
	tcpip_callback(arrived, &done);
	sys_arch_sem_wait(&done, 0);
	sys_sem_free(&done);
}

static void address6(ip6_addr_t *out, const char *text)
{
	ip6addr_aton(text, out);
}

static void add_wires(void *unused)
{
	(void)unused;
	ip4_addr_t address, mask, gateway;
	IP4_ADDR(&mask, 255, 255, 255, 0);
	IP4_ADDR(&address, 192, 168, 4, 1);
	ip4_addr_set_any(&gateway);
	netif_add(&accessPoint.netif, &address, &mask, &gateway, &accessPoint, wire_describe, tcpip_input);
	IP4_ADDR(&address, 203, 0, 113, 5);
	IP4_ADDR(&gateway, 203, 0, 113, 1);
	netif_add(&uplink.netif, &address, &mask, &gateway, &uplink, wire_describe, tcpip_input);
	ip6_addr_t six;
	address6(&six, "2001:db8:4::1");
	netif_ip6_addr_set(&accessPoint.netif, 1, &six);
	netif_ip6_addr_set_state(&accessPoint.netif, 1, IP6_ADDR_PREFERRED);
	address6(&six, "2001:db8:5::5");
	netif_ip6_addr_set(&uplink.netif, 1, &six);
	netif_ip6_addr_set_state(&uplink.netif, 1, IP6_ADDR_PREFERRED);
	netif_set_up(&accessPoint.netif);
	netif_set_link_up(&accessPoint.netif);
	netif_set_up(&uplink.netif);
	netif_set_link_up(&uplink.netif);
	netif_set_default(&uplink.netif);
	/* Router solicitations would be in the way. */
	accessPoint.netif.rs_count = uplink.netif.rs_count = 0;
}

/* Packets, written out by hand. */
static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

static unsigned header_sum(const uint8_t *header)
{
	unsigned long sum = 0;
	for (int i = 0; i < 20; i += 2) sum += get16(header + i);
	while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

/* IPv4 and UDP (checksum 0: none, RFC 768); the whole length. */
static size_t udp4(uint8_t *out, const char *from, const char *to, unsigned port, const void *data, size_t length)
{
	memset(out, 0, 28);
	out[0] = 0x45;
	put16(out + 2, (unsigned)(28 + length));
	out[8] = 64;
	out[9] = 17;
	ip4_addr_t address;
	ip4addr_aton(from, &address);
	memcpy(out + 12, &address.addr, 4);
	ip4addr_aton(to, &address);
	memcpy(out + 16, &address.addr, 4);
	put16(out + 10, ~header_sum(out) & 0xffff);
	put16(out + 20, 4000);
	put16(out + 22, port);
	put16(out + 24, (unsigned)(8 + length));
	memcpy(out + 28, data, length);
	return 28 + length;
}

/* IPv4 and a SYN that announces segments of 1460 bytes, with a checksum that nobody looks at; the whole length. */
static size_t syn4(uint8_t *out, const char *from, const char *to)
{
	const size_t length = udp4(out, from, to, 80, "", 0) - 8 + 24;
	put16(out + 2, (unsigned)length);
	out[9] = 6;
	put16(out + 10, 0);
	put16(out + 10, ~header_sum(out) & 0xffff);
	memset(out + 24, 0, 20);
	out[32] = 0x60;
	out[33] = 2;
	memcpy(out + 40, "\2\4\5\264", 4);
	return length;
}

static size_t udp6(uint8_t *out, const char *from, const char *to, unsigned port, const void *data, size_t length)
{
	memset(out, 0, 48);
	out[0] = 0x60;
	put16(out + 4, (unsigned)(8 + length));
	out[6] = 17;
	out[7] = 64;
	ip6_addr_t address;
	address6(&address, from);
	memcpy(out + 8, address.addr, 16);
	address6(&address, to);
	memcpy(out + 24, address.addr, 16);
	put16(out + 40, 4000);
	put16(out + 42, port);
	put16(out + 44, (unsigned)(8 + length));
	memcpy(out + 48, data, length);
	/* RFC 8200, section 8.1: UDP over IPv6 has a checksum, with a pseudo header. */
	unsigned long sum = (unsigned long)(8 + length) + 17;
	for (size_t i = 8; i < 40; i += 2) sum += get16(out + i);
	for (size_t i = 40; i < 48 + length; i += 2)
		sum += i + 1 < 48 + length ? get16(out + i) : (unsigned)out[i] << 8;
	while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
	put16(out + 46, ~(unsigned)sum & 0xffff);
	return 48 + length;
}

static void enter(wire *by, const uint8_t *packet, size_t length)
{
	struct pbuf *copy = pbuf_alloc(PBUF_LINK, (u16_t)length, PBUF_RAM);
	pbuf_take(copy, packet, (u16_t)length);
	if (by->netif.input(copy, &by->netif) != ERR_OK) pbuf_free(copy);
	settle();
}

static void forget_wires(void)
{
	settle();
	accessPoint.count = uplink.count = 0;
}

static int wakes, socketWakes, refuseWakes;

/* `context` is the count of calls. */
static int wake(void *context)
{
	if (refuseWakes) return 0;
	++*(int *)context;
	return 1;
}

/* An ordinary socket of the chip. */
static struct udp_pcb *local;
static char heard[64];
static ip_addr_t heardFrom;

static void hear(void *context, struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *from, u16_t port)
{
	(void)context, (void)pcb, (void)port;
	memset(heard, 0, sizeof heard);
	pbuf_copy_partial(packet, heard, sizeof heard - 1, 0);
	ip_addr_copy(heardFrom, *from);
	pbuf_free(packet);
}

static void open_local(void *unused)
{
	(void)unused;
	local = udp_new_ip_type(IPADDR_TYPE_ANY);
	udp_bind(local, IP_ANY_TYPE, 7000);
	udp_recv(local, hear, NULL);
}

static void say(void *to)
{
	ip_addr_t address;
	ipaddr_aton(to, &address);
	struct pbuf *packet = pbuf_alloc(PBUF_TRANSPORT, 5, PBUF_RAM);
	pbuf_take(packet, "hello", 5);
	udp_sendto(local, packet, &address, 9999);
	pbuf_free(packet);
}

/* As say, from memory that is overwritten as soon as the call returns. */
static void say_volatile(void *to)
{
	static char words[8];
	memcpy(words, "fleeting", 8);
	ip_addr_t address;
	ipaddr_aton(to, &address);
	struct pbuf *packet = pbuf_alloc(PBUF_RAW, 8, PBUF_REF);
	packet->payload = words;
	udp_sendto(local, packet, &address, 9999);
	pbuf_free(packet);
	memset(words, 'x', 8);
}

static cb_tunnel tunnel;
static uint8_t packet[2048], got[2048];

static const uint8_t own4[] = { 10, 9, 0, 2 };

static cb_route route4(int a, int b, int c, int d, int prefixLength)
{
	return (cb_route){ .family = 4, .prefixLength = (uint8_t)prefixLength,
		.address = { (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d } };
}

static cb_route route6(const char *text, int prefixLength)
{
	cb_route route = { .family = 6, .prefixLength = (uint8_t)prefixLength };
	ip6_addr_t address;
	address6(&address, text);
	memcpy(route.address, address.addr, 16);
	return route;
}

static void test_local_sends(void)
{
	wakes = 0;
	within(say, "10.9.0.1");
	check(wakes == 1, "a packet wakes the gateway");
	within(say, "10.9.0.1");
	check(wakes == 1, "a second one does not wake it again before the first was read");
	const size_t length = cb_tunnel_read(&tunnel, got, sizeof got);
	check(length == 33 && got[0] == 0x45, "a socket's datagram reaches the queue as an IPv4 packet");
	check(memcmp(got + 12, own4, 4) == 0 && got[19] == 1, "with the tunnel's address as its source");
	check(memcmp(got + 28, "hello", 5) == 0 && header_sum(got) == 0xffff, "whole and with a right checksum");
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 33, "the second one follows");
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 0, "then the queue is empty");
	within(say, "10.9.0.1");
	check(wakes == 2, "and the next packet wakes again");
	cb_tunnel_read(&tunnel, got, sizeof got);
	cb_tunnel_read(&tunnel, got, sizeof got);

	within(say_volatile, "10.9.0.1");
	cb_tunnel_read(&tunnel, got, sizeof got);
	check(memcmp(got + 28, "fleeting", 8) == 0, "memory that its owner changes afterwards was copied");
	cb_tunnel_read(&tunnel, got, sizeof got);

	within(say, "fd00:9::1");
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 53 && got[0] >> 4 == 6, "IPv6 goes the same way");
	check(got[8] == 0xfd && got[23] == 2 && memcmp(got + 48, "hello", 5) == 0, "with the tunnel's IPv6 address");
	cb_tunnel_read(&tunnel, got, sizeof got);
}

static void test_bounds(void)
{
	wakes = 0;
	const uint32_t before = tunnel.ring.dropped;
	for (int i = 0; i < 10; i++) within(say, "10.9.0.1");
	int count = 0;
	while (cb_tunnel_read(&tunnel, got, sizeof got) > 0) count++;
	check(count == 4 && tunnel.ring.dropped - before == 6, "a full queue drops the newest and counts them");

	refuseWakes = 1;
	within(say, "10.9.0.1");
	refuseWakes = 0;
	within(say, "10.9.0.1");
	check(wakes == 2, "a wake-up that could not be delivered is tried again with the next packet");
	check(cb_ring_count(&tunnel.ring) == 2, "and nothing was lost meanwhile");
	check(cb_tunnel_read(&tunnel, got, 20) == 0 && tunnel.ring.dropped - before == 8, "packets too long for the reader are dropped");
}

static void test_arrivals(void)
{
	size_t length = udp4(packet, "10.9.0.1", "10.9.0.2", 7000, "inward", 6);
	check(cb_tunnel_write(&tunnel, packet, length) == 1, "lwIP takes a decrypted packet");
	settle();
	check(strcmp(heard, "inward") == 0 && IP_IS_V4_VAL(heardFrom), "a socket of the chip hears it");
	length = udp6(packet, "fd00:9::1", "fd00:9::2", 7000, "inward6", 7);
	cb_tunnel_write(&tunnel, packet, length);
	settle();
	check(strcmp(heard, "inward6") == 0 && IP_IS_V6_VAL(heardFrom), "and IPv6, too");
	memset(heard, 0, sizeof heard);
	length = udp4(packet, "10.9.0.1", "10.9.0.2", 7000, "broken", 6);
	packet[12] ^= 1;
	cb_tunnel_write(&tunnel, packet, length);
	settle();
	check(heard[0] == 0, "a packet with a wrong checksum is not heard");

	/* Echo request (RFC 792). */
	length = udp4(packet, "10.9.0.1", "10.9.0.2", 0, "ping", 4);
	packet[9] = 1;
	put16(packet + 10, 0);
	put16(packet + 10, ~header_sum(packet) & 0xffff);
	memset(packet + 20, 0, 8);
	packet[20] = 8;
	unsigned long sum = 0;
	for (size_t i = 20; i < length; i += 2) sum += get16(packet + i);
	while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
	put16(packet + 22, ~(unsigned)sum & 0xffff);
	cb_tunnel_write(&tunnel, packet, length);
	settle();
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 32 && got[20] == 0 && got[19] == 1, "the chip answers a ping through the tunnel");
	cb_tunnel_read(&tunnel, got, sizeof got);
}

static void test_forwarding(void)
{
	forget_wires();
	size_t length = udp4(packet, "192.168.4.2", "10.9.0.7", 53, "out", 3);
	enter(&accessPoint, packet, length);
	check(cb_tunnel_read(&tunnel, got, sizeof got) == length, "a client's packet is forwarded into the tunnel");
	check(got[8] == 63 && header_sum(got) == 0xffff && memcmp(got + 28, "out", 3) == 0, "with one hop less");
	cb_tunnel_read(&tunnel, got, sizeof got);

	length = udp4(packet, "10.9.0.7", "192.168.4.2", 53, "back", 4);
	cb_tunnel_write(&tunnel, packet, length);
	settle();
	check(accessPoint.count == 1 && accessPoint.lengths[0] == length, "the answer is forwarded to the client");
	check(memcmp(accessPoint.packets[0] + 28, "back", 4) == 0, "unchanged");

	forget_wires();
	length = syn4(packet, "192.168.4.2", "10.9.0.7");
	enter(&accessPoint, packet, length);
	check(cb_tunnel_read(&tunnel, got, sizeof got) == length && get16(got + 42) == 1380, "a client's SYN announces what the tunnel has room for");
	length = syn4(packet, "10.9.0.7", "192.168.4.2");
	cb_tunnel_write(&tunnel, packet, length);
	settle();
	check(accessPoint.count == 1 && get16(accessPoint.packets[0] + 42) == 1380, "and so does one from the tunnel");

	forget_wires();
	char large[1480];
	memset(large, 'l', sizeof large);
	length = udp4(packet, "192.168.4.2", "10.9.0.7", 53, large, 1472);
	enter(&accessPoint, packet, length);
	size_t sum = 0;
	for (size_t one; (one = cb_tunnel_read(&tunnel, got, sizeof got)) > 0;) {
		if (one > 1420) sum += 100000;
		sum += one - 20;
	}
	check(sum == 1480, "a packet above the tunnel's MTU is sent in fragments");
	packet[6] = 0x40;
	put16(packet + 10, 0);
	put16(packet + 10, ~header_sum(packet) & 0xffff);
	enter(&accessPoint, packet, length);
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 0, "unless it must not be fragmented");
	check(accessPoint.count == 1 && accessPoint.packets[0][20] == 3 && accessPoint.packets[0][21] == 4, "then its sender is told (RFC 792, type 3, code 4)");
}

static void test_routes(void)
{
	size_t length = udp4(packet, "192.168.4.2", "10.50.1.1", 53, "far", 3);
	forget_wires();
	enter(&accessPoint, packet, length);
	check(uplink.count == 1 && cb_tunnel_read(&tunnel, got, sizeof got) == 0, "without a route a packet leaves by the uplink");

	cb_route routes[] = { route4(10, 50, 0, 0, 16), route4(192, 168, 4, 128, 25), route6("fd00:50::", 32) };
	cb_tunnel_set_routes(&tunnel, routes, 3);
	forget_wires();
	enter(&accessPoint, packet, length);
	check(uplink.count == 0 && cb_tunnel_read(&tunnel, got, sizeof got) == length, "with one it takes the tunnel");
	cb_tunnel_read(&tunnel, got, sizeof got);

	within(say, "192.168.4.200");
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 33, "a longer prefix wins over a connected network");
	cb_tunnel_read(&tunnel, got, sizeof got);
	forget_wires();
	within(say, "192.168.4.7");
	check(accessPoint.count == 1, "beside it the connected network stays");

	length = udp6(packet, "2001:db8:4::2", "fd00:50::1", 53, "six", 3);
	enter(&accessPoint, packet, length);
	check(cb_tunnel_read(&tunnel, got, sizeof got) == length && got[7] == 63, "IPv6 of a client is forwarded by its route");
	cb_tunnel_read(&tunnel, got, sizeof got);

	cb_route all[] = { route4(0, 0, 0, 0, 0), route6("::", 0) };
	cb_tunnel_set_routes(&tunnel, all, 2);
	forget_wires();
	within(say, "198.51.100.9");
	check(uplink.count == 0 && cb_tunnel_read(&tunnel, got, sizeof got) == 33, "a default route takes what nobody else has");
	cb_tunnel_read(&tunnel, got, sizeof got);
	within(say, "192.168.4.7");
	within(say, "203.0.113.77");
	check(accessPoint.count == 1 && uplink.count == 1, "but not what the connected networks have");
	within(say, "2001:db8:77::1");
	check(cb_tunnel_read(&tunnel, got, sizeof got) == 53, "likewise for IPv6");
	cb_tunnel_read(&tunnel, got, sizeof got);
}

/* With the default route to the tunnel still in place. */
static void test_udp(void)
{
	cb_udp udp, second;
	socketWakes = 0;
	check(cb_udp_open(&udp, &uplink.netif, 51820, 4, wake, &socketWakes) == ERR_OK && udp.port == 51820, "the tunnel's port is bound");
	check(cb_udp_open(&second, &uplink.netif, 51820, 4, wake, &socketWakes) == ERR_USE, "a taken port is told");
	check(cb_udp_open(&second, NULL, 0, 4, wake, &socketWakes) == ERR_OK && second.port != 0, "port 0 takes any");
	cb_udp_close(&second);

	const uint8_t bytes[] = "firstsecondthird";
	const uint32_t offset[] = { 0, 5, 5, 11 }, length[] = { 5, 6, 0, 5 };
	cb_endpoint to[4] = {
		{ .family = 4, .port = { 0x30, 0x39 }, .address = { 198, 51, 100, 7 } },
		{ .family = 6, .port = { 0x30, 0x3a } },
		{ .family = 4, .port = { 0x30, 0x39 }, .address = { 198, 51, 100, 8 } },
		{ .family = 0 },
	};
	ip6_addr_t six;
	address6(&six, "2001:db8:99::7");
	memcpy(to[1].address, six.addr, 16);
	forget_wires();
	cb_udp_send(&udp, &(cb_datagrams){ bytes, offset, length, to, 4 });
	check(uplink.count == 2 && cb_ring_count(&tunnel.ring) == 0, "datagrams leave by the uplink in spite of a default route to the tunnel");
	check(get16(uplink.packets[0] + 20) == 51820 && get16(uplink.packets[0] + 22) == 12345 && memcmp(uplink.packets[0] + 16, to[0].address, 4) == 0
		&& memcmp(uplink.packets[0] + 28, "first", 5) == 0, "from the bound port to the IPv4 endpoint");
	check(uplink.packets[1][0] >> 4 == 6 && get16(uplink.packets[1] + 42) == 12346 && memcmp(uplink.packets[1] + 48, "second", 6) == 0, "and to the IPv6 endpoint");
	check(udp.unsent == 1 && udp.failure == ERR_VAL && udp.failed.family == 0, "an endpoint that names no address is counted as unsent");

	cb_endpoint from;
	size_t size = udp4(packet, "198.51.100.7", "203.0.113.5", 51820, "answer", 6);
	enter(&uplink, packet, size);
	check(socketWakes == 1, "a datagram wakes the gateway");
	check(cb_udp_receive(&udp, got, sizeof got, &from) == 6 && memcmp(got, "answer", 6) == 0, "it is received");
	check(from.family == 4 && get16(from.port) == 4000 && memcmp(from.address, to[0].address, 4) == 0, "with its source endpoint");
	size = udp6(packet, "2001:db8:99::7", "2001:db8:5::5", 51820, "answer6", 7);
	enter(&uplink, packet, size);
	check(cb_udp_receive(&udp, got, sizeof got, &from) == 7 && from.family == 6 && memcmp(from.address, to[1].address, 16) == 0, "IPv6 likewise");

	size = udp4(packet, "192.168.4.2", "192.168.4.1", 51820, "client", 6);
	enter(&accessPoint, packet, size);
	check(cb_udp_receive(&udp, got, sizeof got, &from) == 0, "nothing is received from another interface");

	size = udp4(packet, "198.51.100.7", "203.0.113.5", 51820, "too long", 8);
	enter(&uplink, packet, size);
	check(cb_udp_receive(&udp, got, 7, &from) == 0, "what does not fit is dropped");
	size = udp4(packet, "198.51.100.7", "203.0.113.5", 51820, "", 0);
	enter(&uplink, packet, size);
	size = udp4(packet, "198.51.100.7", "203.0.113.5", 51820, "next", 4);
	enter(&uplink, packet, size);
	check(cb_udp_receive(&udp, got, sizeof got, &from) == 4, "an empty datagram does not end the batch");
	const uint32_t before = udp.ring.dropped;
	for (int i = 0; i < 6; i++) enter(&uplink, packet, size);
	check(udp.ring.dropped - before == 2, "a full queue drops and counts");
	cb_udp_close(&udp);
	socketWakes = 0;
	enter(&uplink, packet, size);
	check(socketWakes == 0, "a closed socket wakes nobody");
}

static int listed(struct netif *wanted)
{
	struct netif *netif;
	NETIF_FOREACH(netif) if (netif == wanted) return 1;
	return 0;
}

int main(void)
{
	tcpip_init(NULL, NULL);
	within(add_wires, NULL);
	within(open_local, NULL);
	check(cb_tunnel_open(&tunnel, 1420, 4, wake, &wakes) == 1 && listed(&tunnel.netif), "the tunnel is an interface of lwIP");
	check(cb_tunnel_add_address(&tunnel, 4, own4, 24) == 1, "it takes an IPv4 address");
	check(cb_tunnel_add_address(&tunnel, 4, own4, 24) == 0, "a second one is refused");
	ip6_addr_t six;
	address6(&six, "fd00:9::2");
	check(cb_tunnel_add_address(&tunnel, 6, (const uint8_t *)six.addr, 64) == 1, "it takes an IPv6 address");
	check((tunnel.netif.flags & (NETIF_FLAG_ETHARP | NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHERNET)) == 0 && tunnel.netif.mtu == 1420, "it asks for no neighbours and has the tunnel's MTU");

	check(tunnel.netif.state == NULL, "it leaves alone the field that the IDF takes for its own");

	test_local_sends();
	test_bounds();
	test_arrivals();
	test_forwarding();
	test_routes();
	test_udp();

	within(say, "198.51.100.9");
	cb_tunnel_close(&tunnel);
	forget_wires();
	wakes = 0;
	within(say, "198.51.100.9");
	check(!listed(&tunnel.netif) && wakes == 0 && uplink.count == 1, "a closed tunnel leaves lwIP as it was");
	printf("translation %s\n", cb_translate_from(&accessPoint.netif, 1) ? "present" : "absent");
	return failures != 0;
}
