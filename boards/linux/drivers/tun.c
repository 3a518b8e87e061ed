/* The methods of Tun (tun.ts): a TUN interface (Documentation/networking/tuntap.rst of the kernel). */

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "batch.h"
#include "watch.h"

/* Linux 6.2; older headers have no name for them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

typedef struct {
	cb_watch watch;
	int fd;
} tun;

static void close_tun(tun *self)
{
	cb_watch_end(&self->watch);
	if (self->fd >= 0) close(self->fd);
	self->fd = -1;
}

void xs_tun_destructor(void *data)
{
	if (data == NULL) return;
	close_tun(data);
	free(data);
}

/* What the kernel may leave to us: checksums and the cutting of TCP, and of UDP where it knows that. */
static int ask_offloads(int fd)
{
	const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	if (ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0) return 0;
	return ioctl(fd, TUNSETOFFLOAD, tcp);
}

/* (name, offload): makes the interface; 0 or a negative errno. */
void xs_tun_open(xsMachine *the)
{
	struct ifreq request = { 0 };
	const int offload = xsmcTest(xsArg(1));
	xsmcToStringBuffer(xsArg(0), request.ifr_name, sizeof request.ifr_name);
	request.ifr_flags = offload ? IFF_TUN | IFF_NO_PI | IFF_VNET_HDR : IFF_TUN | IFF_NO_PI;
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || (offload && ask_offloads(fd) < 0)) {
		xsmcSetInteger(xsResult, -errno);
		if (fd >= 0) close(fd);
		return;
	}
	tun *self = calloc(1, sizeof *self);
	if (self == NULL) {
		close(fd);
		xsmcSetInteger(xsResult, -ENOMEM);
		return;
	}
	self->fd = fd;
	xsmcSetHostData(xsThis, self);
	cb_watch_begin(&self->watch, the, &xsThis, fd, G_IO_IN | G_IO_ERR | G_IO_HUP);
	xsmcSetInteger(xsResult, 0);
}

/* For a data path that reads and writes by itself; -1: closed. */
void xs_tun_descriptor(xsMachine *the)
{
	const tun *self = xsmcGetHostData(xsThis);
	xsmcSetInteger(xsResult, self->fd);
}

void xs_tun_close(xsMachine *the)
{
	tun *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_tun(self);
}

/* (batch): the number of packets read, or a negative errno when the device is gone. */
void xs_tun_read(xsMachine *the)
{
	tun *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	uint32_t count = 0;
	int result = 0;
	while (count < batch.entries) {
		const uint32_t at = count * batch.slotSize + batch.start;
		const ssize_t length = read(self->fd, batch.bytes + at, batch.slotSize - batch.start);
		if (length <= 0) {
			if (length < 0 && errno == EINTR) continue;
			if (length < 0 && errno != EAGAIN) result = -errno;
			break;
		}
		/* A packet that fills its slot to the last byte was larger and lost its end: the MTU was raised under us. */
		if ((uint32_t)length == batch.slotSize - batch.start) continue;
		batch.offset[count] = at;
		batch.length[count++] = (uint32_t)length;
	}
	xsmcSetInteger(xsResult, count > 0 ? (int)count : result);
}

/* (batch): writes every entry of nonzero length; the number the kernel did not take. */
void xs_tun_write(xsMachine *the)
{
	tun *self = xsmcGetHostData(xsThis);
	const cb_batch batch = cb_batch_arguments(the);
	int dropped = 0;
	for (uint32_t i = 0; i < batch.entries; i++) {
		const uint8_t *packet = cb_batch_entry(&batch, i);
		if (packet == NULL) continue;
		ssize_t written;
		do written = write(self->fd, packet, batch.length[i]); while (written < 0 && errno == EINTR);
		if (written < 0) dropped++;
	}
	xsmcSetInteger(xsResult, dropped);
}
