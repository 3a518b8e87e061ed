/* The methods of Udp (udp.ts): whole batches by recvmmsg(2) and sendmmsg(2), addresses straight from and to records. */

#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "batch.h"
#include "udp.h"
#include "udp-socket.h"
#include "watch.h"

enum { V4, V6, FAMILIES };

typedef struct {
	cb_watch watch[FAMILIES];
	int fd[FAMILIES];
	uint16_t port;
	uint32_t mark;
	/* The family that is received from first this time: neither may starve the other. */
	int turn;
	/* What sending could not do: datagrams dropped, and the last reason with its destination. */
	uint32_t dropped;
	int failure;
	cb_endpoint failed;
	cb_local_addresses local;
	struct mmsghdr messages[CB_BATCH_MOST];
	struct iovec vectors[CB_BATCH_MOST];
	cb_address addresses[CB_BATCH_MOST];
	uint32_t entry[CB_BATCH_MOST];
	_Alignas(struct cmsghdr) uint8_t control[CB_BATCH_MOST][CB_PACKET_INFO_SPACE];
} udp;

void xs_udp_destructor(void *data);

static void close_sockets(udp *self)
{
	for (int i = 0; i < FAMILIES; i++) {
		cb_watch_end(&self->watch[i]);
		if (self->fd[i] >= 0) close(self->fd[i]);
		self->fd[i] = -1;
	}
}

void xs_udp_destructor(void *data)
{
	if (data == NULL) return;
	close_sockets(data);
	free(data);
}

static void watch_sockets(xsMachine *the, udp *self, xsSlot *object)
{
	for (int i = 0; i < FAMILIES; i++) {
		if (self->fd[i] >= 0) cb_watch_begin(&self->watch[i], the, object, self->fd[i], G_IO_IN | G_IO_ERR);
	}
}

/* (port, mark): 0 or a negative errno. */
void xs_udp_open(xsMachine *the)
{
	udp *self = calloc(1, sizeof *self);
	if (self == NULL) {
		xsmcSetInteger(xsResult, -ENOMEM);
		return;
	}
	self->port = (uint16_t)xsmcToInteger(xsArg(0));
	self->mark = xsmcToUnsigned(xsArg(1));
	const int result = cb_udp_open(&self->fd[V4], &self->fd[V6], &self->port, self->mark);
	if (result < 0) free(self);
	else {
		xsmcSetHostData(xsThis, self);
		watch_sockets(the, self, &xsThis);
	}
	xsmcSetInteger(xsResult, result);
}

/* (port): moves to another port; on failure the old sockets stay. */
void xs_udp_rebind(xsMachine *the)
{
	udp *self = xsmcGetHostData(xsThis);
	uint16_t port = (uint16_t)xsmcToInteger(xsArg(0));
	int fd[FAMILIES];
	const int result = cb_udp_open(&fd[V4], &fd[V6], &port, self->mark);
	if (result == 0) {
		close_sockets(self);
		for (int i = 0; i < FAMILIES; i++) self->fd[i] = fd[i];
		self->port = port;
		watch_sockets(the, self, &xsThis);
	}
	xsmcSetInteger(xsResult, result);
}

void xs_udp_set_mark(xsMachine *the)
{
	udp *self = xsmcGetHostData(xsThis);
	const uint32_t mark = xsmcToUnsigned(xsArg(0));
	int result = 0;
	for (int i = 0; i < FAMILIES; i++) {
		if (self->fd[i] >= 0 && cb_udp_mark(self->fd[i], mark) < 0) result = -errno;
	}
	if (result == 0) self->mark = mark;
	xsmcSetInteger(xsResult, result);
}

void xs_udp_close(xsMachine *the)
{
	udp *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_sockets(self);
}

void xs_udp_get_port(xsMachine *the)
{
	const udp *self = xsmcGetHostData(xsThis);
	xsmcSetInteger(xsResult, self->port);
}

cb_local_addresses *cb_udp_parts(xsMachine *the, xsSlot *object, int fd[2])
{
	/* Throws unless it is one of ours. */
	udp *self = xsmcGetHostDataValidate(*object, xs_udp_destructor);
	fd[0] = self->fd[V4];
	fd[1] = self->fd[V6];
	return &self->local;
}

void xs_udp_has_ipv6(xsMachine *the)
{
	const udp *self = xsmcGetHostData(xsThis);
	xsmcSetBoolean(xsResult, self->fd[V6] >= 0);
}

void xs_udp_get_dropped(xsMachine *the)
{
	const udp *self = xsmcGetHostData(xsThis);
	xsmcSetUnsigned(xsResult, self->dropped);
}

/* (record): copies the destination of the last failure there; its errno, 0 when there was none since last asked. */
void xs_udp_take_failure(xsMachine *the)
{
	udp *self = xsmcGetHostData(xsThis);
	const cb_buffer record = cb_writable(the, &xsArg(0));
	cb_require_length(the, &record, sizeof self->failed, "the endpoint record");
	if (self->failure != 0) memcpy(record.bytes, &self->failed, sizeof self->failed);
	xsmcSetInteger(xsResult, self->failure);
	self->failure = 0;
}

/* One recvmmsg into the batch from entry `count` on; the new count. */
static uint32_t receive_from(udp *self, int fd, const cb_batch *batch, uint32_t count)
{
	const uint32_t room = batch->entries - count;
	for (uint32_t i = 0; i < room; i++) {
		struct msghdr *header = &self->messages[i].msg_hdr;
		self->vectors[i].iov_base = batch->bytes + (count + i) * batch->slotSize + batch->start;
		self->vectors[i].iov_len = batch->slotSize - batch->start;
		*header = (struct msghdr){
			.msg_name = &self->addresses[i], .msg_namelen = sizeof self->addresses[i],
			.msg_iov = &self->vectors[i], .msg_iovlen = 1,
			.msg_control = self->control[i], .msg_controllen = CB_PACKET_INFO_SPACE,
		};
	}
	int got;
	do got = recvmmsg(fd, self->messages, room, MSG_DONTWAIT, NULL); while (got < 0 && errno == EINTR);
	/* An ICMP error for an earlier datagram is reported here once; it is no reason to stop. */
	if (got < 0) return count;
	for (int i = 0; i < got; i++, count++) {
		struct msghdr *header = &self->messages[i].msg_hdr;
		cb_endpoint *source = (cb_endpoint *)(batch->endpoints + count * CB_ENDPOINT_BYTES);
		cb_endpoint_from(source, &self->addresses[i]);
		cb_local_learn(&self->local, source, header);
		batch->offset[count] = count * batch->slotSize + batch->start;
		/* What did not fit its slot is no datagram of ours. */
		batch->length[count] = header->msg_flags & MSG_TRUNC ? 0 : self->messages[i].msg_len;
	}
	return count;
}

/* (batch): the number of datagrams received. */
void xs_udp_receive(xsMachine *the)
{
	udp *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	uint32_t count = 0;
	for (int i = 0; i < FAMILIES && count < batch.entries; i++) {
		const int fd = self->fd[(i + self->turn) % FAMILIES];
		if (fd >= 0) count = receive_from(self, fd, &batch, count);
	}
	self->turn ^= 1;
	xsmcSetInteger(xsResult, (int)count);
}

static void failed(udp *self, const cb_batch *batch, uint32_t message)
{
	cb_endpoint *to = (cb_endpoint *)(batch->endpoints + self->entry[message] * CB_ENDPOINT_BYTES);
	self->dropped++;
	self->failure = errno;
	self->failed = *to;
}

static void send_family(udp *self, int fd, uint8_t family, const cb_batch *batch)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < batch->entries; i++) {
		uint8_t *datagram = cb_batch_entry(batch, i);
		const cb_endpoint *to = (const cb_endpoint *)(batch->endpoints + i * CB_ENDPOINT_BYTES);
		if (datagram == NULL || to->family != family) continue;
		struct msghdr *header = &self->messages[count].msg_hdr;
		self->vectors[count] = (struct iovec){ .iov_base = datagram, .iov_len = batch->length[i] };
		*header = (struct msghdr){
			.msg_name = &self->addresses[count], .msg_namelen = cb_endpoint_to(&self->addresses[count], to),
			.msg_iov = &self->vectors[count], .msg_iovlen = 1, .msg_control = self->control[count],
		};
		header->msg_controllen = cb_local_apply(&self->local, to, header);
		self->entry[count++] = i;
	}
	for (uint32_t done = 0; done < count;) {
		const int sent = sendmmsg(fd, self->messages + done, count - done, MSG_DONTWAIT);
		if (sent > 0) {
			done += (uint32_t)sent;
			continue;
		}
		if (errno == EINTR) continue;
		struct msghdr *header = &self->messages[done].msg_hdr;
		const cb_endpoint *to = (const cb_endpoint *)(batch->endpoints + self->entry[done] * CB_ENDPOINT_BYTES);
		if (header->msg_controllen > 0 && (errno == EINVAL || errno == ENETUNREACH || errno == EADDRNOTAVAIL)) {
			/* The remembered address may be gone: the kernel chooses. */
			cb_local_forget(&self->local, to);
			header->msg_controllen = 0;
			continue;
		}
		failed(self, batch, done++);
	}
}

/* (batch): sends every entry of nonzero length to its endpoint. */
void xs_udp_send(xsMachine *the)
{
	udp *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	if (self->fd[V4] >= 0) send_family(self, self->fd[V4], CB_FAMILY_IPV4, &batch);
	if (self->fd[V6] >= 0) send_family(self, self->fd[V6], CB_FAMILY_IPV6, &batch);
}
