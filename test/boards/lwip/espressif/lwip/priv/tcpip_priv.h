/* What lwIP declares only for systems with threads; translation.c defines it for one thread. */
#pragma once
#include "lwip/tcpip.h"
struct tcpip_api_call_data {
	err_t err;
};
typedef err_t (*tcpip_api_call_fn)(struct tcpip_api_call_data *call);
err_t tcpip_api_call(tcpip_api_call_fn function, struct tcpip_api_call_data *call);
