#pragma once
#include "lwip/arch.h"
#define PP_HTONL(x) ((((x) & 0xffUL) << 24) | (((x) & 0xff00UL) << 8) | (((x) & 0xff0000UL) >> 8) | (((x) & 0xff000000UL) >> 24))
u32_t lwip_htonl(u32_t value);
u32_t lwip_ntohl(u32_t value);
