#pragma once
#include "lwip/tcpip.h"
struct tcpip_api_call_data {
	err_t err;
	void *sem;
};
typedef err_t (*tcpip_api_call_fn)(struct tcpip_api_call_data *call);
err_t tcpip_api_call(tcpip_api_call_fn function, struct tcpip_api_call_data *call);
