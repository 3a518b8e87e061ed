/* Espressif's lwIP with address translation, without an operating system: everything runs in the one thread. */
#pragma once
#include <stdint.h>
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_RAW 1
#define LWIP_ARP 1
#define LWIP_DHCP 0
#define LWIP_STATS 0
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define ESP_LWIP 1
#define ESP_IP4_ROUTE 1
#define IP_FORWARD 1
#define IP_NAPT 1
#define IP_NAPT_PORTMAP 1
#define ESP_LWIP_LOCK 0
#define LWIP_HOOK_FILENAME "test-hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC test_ip4_route
