#define _GNU_SOURCE

#include "udp-socket.h"

#include <errno.h>
#include <unistd.h>

#include "endpoint.h"

/* Our choice: 100 ms at 300 Mbit/s. The kernel halves nothing of it for root, and caps it for others. */
#define BUFFER_BYTES (4 << 20)
/* Tries to find a port that is free in both families. */
#define PORT_TRIES 100

static int open_one(int family, uint16_t port, uint32_t mark)
{
	const int on = 1, size = BUFFER_BYTES;
	const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -errno;
	cb_address local = { 0 };
	socklen_t length;
	if (family == AF_INET) {
		local.v4.sin_family = AF_INET;
		local.v4.sin_port = htons(port);
		length = sizeof local.v4;
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	} else {
		local.v6.sin6_family = AF_INET6;
		local.v6.sin6_port = htons(port);
		length = sizeof local.v6;
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if ((mark != 0 && cb_udp_mark(fd, mark) < 0) || bind(fd, &local.any, length) < 0) {
		const int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static uint16_t port_of(int fd)
{
	cb_address local;
	socklen_t length = sizeof local;
	if (getsockname(fd, &local.any, &length) < 0) return 0;
	return ntohs(local.any.sa_family == AF_INET ? local.v4.sin_port : local.v6.sin6_port);
}

int cb_udp_open(int *v4, int *v6, uint16_t *port, uint32_t mark)
{
	for (int tries = 0;; tries++) {
		*v4 = open_one(AF_INET, *port, mark);
		if (*v4 < 0) return *v4;
		const uint16_t bound = port_of(*v4);
		*v6 = open_one(AF_INET6, bound, mark);
		if (*v6 >= 0 || *v6 == -EAFNOSUPPORT || *v6 == -EADDRNOTAVAIL) {
			if (*v6 < 0) *v6 = -1;
			*port = bound;
			return 0;
		}
		close(*v4);
		if (*v6 != -EADDRINUSE || *port != 0 || tries == PORT_TRIES) return *v6;
	}
}

int cb_udp_mark(int fd, uint32_t mark)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}
