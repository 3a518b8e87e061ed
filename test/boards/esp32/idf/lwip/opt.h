#pragma once
/* As boards/esp32/sdkconfig and the IDF's defaults set them. */
#define IP_NAPT 1
#define LWIP_DNS 1
#define LWIP_IPV6 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_NUM_ADDRESSES 3
#define LWIP_IPV6_SCOPES 1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 1
#define LWIP_ND6_ALLOW_RA_UPDATES 1
#define DNS_MAX_SERVERS 3
#define LWIP_UNUSED_ARG(x) (void)x
