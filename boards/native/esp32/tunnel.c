/* The methods of LwipTunnel (tunnel.ts). */

#include <stdlib.h>

#include "batch.h"
#include "forwarding.h"
#include "interfaces.h"
#include "mailbox.h"
#include "tunnel-netif.h"

typedef struct {
	cb_mailbox *mailbox;
	cb_tunnel tunnel;
} lwip_tunnel;

static void close_tunnel(lwip_tunnel *self)
{
	if (self->mailbox == NULL) return;
	cb_tunnel_close(&self->tunnel);
	cb_mailbox_close(self->mailbox);
	self->mailbox = NULL;
}

void xs_tunnel_destructor(void *data)
{
	lwip_tunnel *self = data;
	if (self == NULL) return;
	close_tunnel(self);
	free(self);
}

/* (mtu, queue): true, or false when there is no memory. */
void xs_tunnel_open(xsMachine *the)
{
	lwip_tunnel *self = calloc(1, sizeof *self);
	cb_mailbox *mailbox = self == NULL ? NULL : cb_mailbox_open(the, &xsThis);
	const uint16_t mtu = (uint16_t)xsmcToInteger(xsArg(0));
	if (mailbox == NULL || !cb_tunnel_open(&self->tunnel, mtu, xsmcToUnsigned(xsArg(1)), cb_mailbox_post, mailbox)) {
		if (mailbox != NULL) cb_mailbox_close(mailbox);
		free(self);
		xsmcSetFalse(xsResult);
		return;
	}
	self->mailbox = mailbox;
	xsmcSetHostData(xsThis, self);
	xsmcSetTrue(xsResult);
}

void xs_tunnel_close(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_tunnel(self);
}

void xs_tunnel_set_mtu(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	cb_tunnel_set_mtu(&self->tunnel, (uint16_t)xsmcToInteger(xsArg(0)));
}

/* (address, prefixLength): false when lwIP has no room for it. */
void xs_tunnel_add_address(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	const int prefixLength = xsmcToInteger(xsArg(1));
	const cb_buffer address = cb_readable(the, &xsArg(0));
	if (address.length != 4 && address.length != 16) xsRangeError("an address of %u bytes", (unsigned)address.length);
	if (prefixLength < 0 || prefixLength > (int)address.length * 8) xsRangeError("a prefix of %d bits", prefixLength);
	const int family = address.length == 4 ? 4 : 6;
	xsmcSetBoolean(xsResult, cb_tunnel_add_address(&self->tunnel, family, address.bytes, prefixLength));
}

/* (records): routes of CB_ROUTE_BYTES each; false when there is no memory. */
void xs_tunnel_set_routes(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	const cb_buffer records = cb_readable(the, &xsArg(0));
	const uint32_t count = records.length / CB_ROUTE_BYTES;
	_Static_assert(sizeof(cb_route) == CB_ROUTE_BYTES, "a route record has its size");
	xsmcSetBoolean(xsResult, cb_tunnel_set_routes(&self->tunnel, (const cb_route *)records.bytes, count));
}

/* (key): translates what enters through that interface, "" for the tunnel; false when that cannot be. */
void xs_tunnel_translate_from(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	char key[CB_INTERFACE_KEY_BYTES];
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	struct netif *inside = key[0] == 0 ? &self->tunnel.netif : cb_interface(key);
	xsmcSetBoolean(xsResult, inside != NULL && cb_translate_from(inside, 1));
}

/* (batch): the number of packets read. When some are left, wake() is called again. */
void xs_tunnel_read(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	uint32_t count = 0;
	while (count < batch.entries) {
		const uint32_t at = count * batch.slotSize + batch.start;
		const size_t length = cb_tunnel_read(&self->tunnel, batch.bytes + at, batch.slotSize - batch.start);
		if (length == 0) break;
		batch.offset[count] = at;
		batch.length[count++] = (uint32_t)length;
	}
	if (count == batch.entries) cb_mailbox_post(self->mailbox);
	xsmcSetInteger(xsResult, (int)count);
}

/* (batch): hands every entry of nonzero length to lwIP. */
void xs_tunnel_write(xsMachine *the)
{
	lwip_tunnel *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	for (uint32_t i = 0; i < batch.entries; i++) {
		const uint8_t *packet = cb_batch_entry(&batch, i);
		if (packet != NULL) cb_tunnel_write(&self->tunnel, packet, batch.length[i]);
	}
}

/* Packets dropped on either way. */
void xs_tunnel_get_dropped(xsMachine *the)
{
	const lwip_tunnel *self = xsmcGetHostData(xsThis);
	xsmcSetNumber(xsResult, (double)self->tunnel.ring.dropped + self->tunnel.undelivered);
}
