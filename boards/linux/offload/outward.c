#define _GNU_SOURCE

#include "outward.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>

/* Longest wait for room in a full socket, ms; then datagrams are dropped, as UDP may. */
#define ROOM_WAIT 2

static void drop(cb_outward *outward, const cb_run *run)
{
	outward->dropped += run->segments;
	outward->failure = errno;
	outward->failed = run->to;
}

/* One send(2) of `segments` datagrams from `at` on. */
static int send_part(cb_outward *outward, const cb_run *run, uint32_t at, uint32_t length, int segmented, cb_local_addresses *local)
{
	const int fd = outward->fd[run->to.family == CB_FAMILY_IPV6];
	_Alignas(struct cmsghdr) uint8_t control[CB_PACKET_INFO_SPACE + CMSG_SPACE(sizeof(uint16_t))];
	cb_address address;
	struct iovec vector = { .iov_base = outward->bytes + at, .iov_len = length };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = cb_endpoint_to(&address, &run->to),
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
	};
	memset(control, 0, sizeof control);
	const size_t localLength = cb_local_apply(local, &run->to, &message);
	message.msg_controllen = localLength;
	if (segmented) {
		const uint16_t stride = (uint16_t)run->stride;
		struct cmsghdr *part = (struct cmsghdr *)(control + localLength);
		part->cmsg_level = IPPROTO_UDP;
		part->cmsg_type = UDP_SEGMENT;
		part->cmsg_len = CMSG_LEN(sizeof stride);
		memcpy(CMSG_DATA(part), &stride, sizeof stride);
		message.msg_controllen += CMSG_SPACE(sizeof stride);
	}
	for (int waited = 0;;) {
		if (sendmsg(fd, &message, MSG_DONTWAIT) >= 0) {
			outward->sends++;
			return 0;
		}
		if (errno == EINTR) continue;
		if (errno == EAGAIN && !waited) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };
			outward->waits++;
			waited = 1;
			poll(&room, 1, ROOM_WAIT);
			continue;
		}
		if (localLength > 0 && !segmented && (errno == EINVAL || errno == ENETUNREACH || errno == EADDRNOTAVAIL)) {
			/* The remembered address may be gone: the kernel chooses. */
			cb_local_forget(local, &run->to);
			if (message.msg_controllen > 0) {
				message.msg_controllen = 0;
				continue;
			}
		}
		return -errno;
	}
}

static void send_run(cb_outward *outward, cb_run *run, cb_local_addresses *local)
{
	if (outward->fd[run->to.family == CB_FAMILY_IPV6] < 0) {
		errno = EAFNOSUPPORT;
		drop(outward, run);
		return;
	}
	if (run->segments > 1 && outward->segmentation) {
		const int result = send_part(outward, run, run->at, run->length, 1, local);
		if (result == 0) return;
		errno = -result;
		if (result == -EAGAIN || result == -EPERM || result == -ECONNREFUSED) {
			drop(outward, run);
			return;
		}
		/* Some paths cannot be segmented for (a missing checksum offload, a smaller MTU): one by one then. */
		if (result == -EIO || result == -EOPNOTSUPP) outward->segmentation = 0;
	}
	for (uint32_t at = run->at, left = run->length; left > 0;) {
		const uint32_t length = left < run->stride ? left : run->stride;
		const int result = send_part(outward, run, at, length, 0, local);
		if (result < 0) {
			errno = -result;
			outward->dropped++;
			outward->failure = errno;
			outward->failed = run->to;
		}
		at += length;
		left -= length;
	}
}

void cb_outward_flush(cb_outward *outward, cb_local_addresses *local)
{
	for (uint32_t i = 0; i < outward->runs; i++) send_run(outward, &outward->run[i], local);
	outward->runs = outward->used = 0;
}

uint8_t *cb_outward_room(cb_outward *outward, cb_local_addresses *local, uint32_t length)
{
	if (outward->runs == CB_RUNS || outward->used + length > CB_OUTPUT_BYTES) cb_outward_flush(outward, local);
	return outward->bytes + outward->used;
}

void cb_outward_add(cb_outward *outward, uint32_t length, const cb_endpoint *to)
{
	cb_run *last = outward->runs > 0 ? &outward->run[outward->runs - 1] : NULL;
	/* A shorter message ends a run. */
	if (last != NULL && last->segments < CB_RUN_SEGMENTS && last->length == last->segments * last->stride
		&& length <= last->stride && last->length + length <= CB_RUN_BYTES && memcmp(&last->to, to, sizeof *to) == 0) {
		last->length += length;
		last->segments++;
	} else {
		outward->run[outward->runs++] = (cb_run){ .at = outward->used, .length = length, .stride = length, .segments = 1, .to = *to };
	}
	outward->used += length;
}
