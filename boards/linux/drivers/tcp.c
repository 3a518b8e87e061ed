/* The methods of Tcp (tcp.ts): a stream socket of tcp(7) in the main loop. */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffers.h"
#include "endpoint.h"
#include "watch.h"

typedef struct {
	cb_watch readable, writable;
	int fd;
} tcp;

static void close_tcp(tcp *self)
{
	cb_watch_end(&self->readable);
	cb_watch_end(&self->writable);
	if (self->fd >= 0) close(self->fd);
	self->fd = -1;
}

void xs_tcp_destructor(void *data)
{
	if (data == NULL) return;
	close_tcp(data);
	free(data);
}

/* The socket address's length, 0 when the text is no address. */
static socklen_t parse_address(cb_address *address, const char *text, uint16_t port)
{
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		return sizeof address->v4;
	}
	if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		return sizeof address->v6;
	}
	return 0;
}

/* A socket that is connecting, or a negative errno. */
static int begin_connecting(const cb_address *address, socklen_t length)
{
	const int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -errno;
	const int on = 1;
	/* Messages are small and written whole; waiting for more of them gains nothing. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, &address->any, length) == 0 || errno == EINPROGRESS) return fd;
	const int error = errno;
	close(fd);
	return -error;
}

/* (address, port): begins to connect and watches for the outcome; 0 or a negative errno. */
void xs_tcp_open(xsMachine *the)
{
	cb_address address;
	const socklen_t length = parse_address(&address, xsmcToString(xsArg(0)), (uint16_t)xsmcToInteger(xsArg(1)));
	if (length == 0) {
		xsmcSetInteger(xsResult, -EINVAL);
		return;
	}
	tcp *self = calloc(1, sizeof *self);
	if (self == NULL) {
		xsmcSetInteger(xsResult, -ENOMEM);
		return;
	}
	self->fd = begin_connecting(&address, length);
	if (self->fd < 0) {
		xsmcSetInteger(xsResult, self->fd);
		free(self);
		return;
	}
	xsmcSetHostData(xsThis, self);
	cb_watch_begin(&self->writable, the, &xsThis, self->fd, G_IO_OUT);
	xsmcSetInteger(xsResult, 0);
}

/* (readable, writable): which events call `wake`. */
void xs_tcp_want(xsMachine *the)
{
	tcp *self = xsmcGetHostData(xsThis);
	if (self == NULL || self->fd < 0) return;
	const int readable = xsmcTest(xsArg(0)), writable = xsmcTest(xsArg(1));
	if (readable && self->readable.source == 0) cb_watch_begin(&self->readable, the, &xsThis, self->fd, G_IO_IN);
	else if (!readable) cb_watch_end(&self->readable);
	if (writable && self->writable.source == 0) cb_watch_begin(&self->writable, the, &xsThis, self->fd, G_IO_OUT);
	else if (!writable) cb_watch_end(&self->writable);
}

/* The pending error as a positive errno, 0 for none: how connecting ended. */
void xs_tcp_error(xsMachine *the)
{
	const tcp *self = xsmcGetHostData(xsThis);
	int error = EBADF;
	socklen_t length = sizeof error;
	if (self != NULL && self->fd >= 0 && getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
	xsmcSetInteger(xsResult, error);
}

/* How many bytes wait to be read. */
void xs_tcp_available(xsMachine *the)
{
	const tcp *self = xsmcGetHostData(xsThis);
	int count = 0;
	if (self != NULL && self->fd >= 0 && ioctl(self->fd, FIONREAD, &count) < 0) count = 0;
	xsmcSetInteger(xsResult, count);
}

/* (buffer): bytes read, 0 at the end of the stream, or a negative errno. */
void xs_tcp_read(xsMachine *the)
{
	const tcp *self = xsmcGetHostData(xsThis);
	const cb_buffer buffer = cb_writable(the, &xsArg(0));
	const ssize_t length = recv(self->fd, buffer.bytes, buffer.length, 0);
	xsmcSetInteger(xsResult, length < 0 ? -errno : (int)length);
}

/* (bytes, offset, length): how many were taken, or a negative errno. */
void xs_tcp_write(xsMachine *the)
{
	const tcp *self = xsmcGetHostData(xsThis);
	const double offset = xsmcToNumber(xsArg(1)), length = xsmcToNumber(xsArg(2));
	const cb_buffer buffer = cb_readable(the, &xsArg(0));
	const uint8_t *bytes = cb_require_bytes(the, &buffer, offset, length);
	const ssize_t written = send(self->fd, bytes, (size_t)length, MSG_NOSIGNAL);
	xsmcSetInteger(xsResult, written < 0 ? -errno : (int)written);
}

void xs_tcp_close(xsMachine *the)
{
	tcp *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_tcp(self);
}
