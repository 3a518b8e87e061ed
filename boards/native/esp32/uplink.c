/* The methods of UplinkSocket (uplink.ts). */

#include <stdlib.h>

#include "batch.h"
#include "interfaces.h"
#include "mailbox.h"
#include "uplink-udp.h"

/* As lwIP's err_t for an interface that does not exist. */
#define NO_INTERFACE ERR_IF

typedef struct {
	cb_mailbox *mailbox;
	cb_udp udp;
} uplink_socket;

static void close_socket(uplink_socket *self)
{
	if (self->mailbox == NULL) return;
	cb_udp_close(&self->udp);
	cb_mailbox_close(self->mailbox);
	self->mailbox = NULL;
}

void xs_uplink_destructor(void *data)
{
	uplink_socket *self = data;
	if (self == NULL) return;
	close_socket(self);
	free(self);
}

static int open_socket(xsMachine *the, const char *key, uint16_t port, uint32_t queue)
{
	struct netif *uplink = cb_interface(key);
	if (uplink == NULL) return NO_INTERFACE;
	uplink_socket *self = calloc(1, sizeof *self);
	if (self == NULL) return ERR_MEM;
	cb_mailbox *mailbox = cb_mailbox_open(the, &xsThis);
	const int error = mailbox == NULL ? ERR_MEM : cb_udp_open(&self->udp, uplink, port, queue, cb_mailbox_post, mailbox);
	if (error != ERR_OK) {
		if (mailbox != NULL) cb_mailbox_close(mailbox);
		free(self);
		return error;
	}
	self->mailbox = mailbox;
	xsmcSetHostData(xsThis, self);
	return ERR_OK;
}

/* (key, port, queue): 0 or lwIP's error. */
void xs_uplink_open(xsMachine *the)
{
	char key[CB_INTERFACE_KEY_BYTES];
	xsmcToStringBuffer(xsArg(0), key, sizeof key);
	const uint16_t port = (uint16_t)xsmcToInteger(xsArg(1));
	xsmcSetInteger(xsResult, open_socket(the, key, port, xsmcToUnsigned(xsArg(2))));
}

void xs_uplink_close(xsMachine *the)
{
	uplink_socket *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_socket(self);
}

void xs_uplink_get_port(xsMachine *the)
{
	const uplink_socket *self = xsmcGetHostData(xsThis);
	xsmcSetInteger(xsResult, self->udp.port);
}

/* (batch): the number of datagrams received. When some are left, wake() is called again. */
void xs_uplink_receive(xsMachine *the)
{
	uplink_socket *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	_Static_assert(sizeof(cb_endpoint) == CB_ENDPOINT_BYTES, "an endpoint record has its size");
	uint32_t count = 0;
	while (count < batch.entries) {
		const uint32_t at = count * batch.slotSize + batch.start;
		cb_endpoint *from = (cb_endpoint *)(batch.endpoints + count * CB_ENDPOINT_BYTES);
		const size_t length = cb_udp_receive(&self->udp, batch.bytes + at, batch.slotSize - batch.start, from);
		if (length == 0) break;
		batch.offset[count] = at;
		batch.length[count++] = (uint32_t)length;
	}
	if (count == batch.entries) cb_mailbox_post(self->mailbox);
	xsmcSetInteger(xsResult, (int)count);
}

/* (batch): sends every entry of nonzero length to its endpoint. The machine waits, so its memory stays where it is. */
void xs_uplink_send(xsMachine *the)
{
	uplink_socket *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	for (uint32_t i = 0; i < batch.entries; i++) if (cb_batch_entry(&batch, i) == NULL) batch.length[i] = 0;
	cb_udp_send(&self->udp, &(cb_datagrams){
		batch.bytes, batch.offset, batch.length, (const cb_endpoint *)batch.endpoints, batch.entries,
	});
}

/* Datagrams lost on either way. */
void xs_uplink_get_dropped(xsMachine *the)
{
	const uplink_socket *self = xsmcGetHostData(xsThis);
	xsmcSetNumber(xsResult, (double)self->udp.unsent + self->udp.ring.dropped);
}
