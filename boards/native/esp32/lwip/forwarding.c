#include "forwarding.h"

#include <stddef.h>

#include "lwip/opt.h"

/* IP_NAPT exists in Espressif's lwIP only. */
#if defined(IP_NAPT) && IP_NAPT

#include "lwip/lwip_napt.h"
#include "lwip/priv/tcpip_priv.h"

typedef struct {
	struct tcpip_api_call_data call;
	struct netif *inside;
	int on, done;
} request;

static err_t translate_here(struct tcpip_api_call_data *call)
{
	request *asked = (request *)((char *)call - offsetof(request, call));
	asked->done = ip_napt_enable_netif(asked->inside, asked->on);
	return ERR_OK;
}

int cb_translate_from(struct netif *inside, int on)
{
	request asked = { .inside = inside, .on = on };
	tcpip_api_call(translate_here, &asked.call);
	return asked.done;
}

#else

int cb_translate_from(struct netif *inside, int on)
{
	LWIP_UNUSED_ARG(inside);
	LWIP_UNUSED_ARG(on);
	return 0;
}

#endif
