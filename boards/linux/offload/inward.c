#define _GNU_SOURCE

#include "inward.h"

#include <errno.h>
#include <netinet/udp.h>

void cb_inward_prepare(int fd)
{
	const int on = 1;
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

uint32_t cb_inward_receive(cb_inward *inward, int fd, cb_local_addresses *local)
{
	struct mmsghdr messages[CB_BUFFERS];
	struct iovec vectors[CB_BUFFERS];
	cb_address addresses[CB_BUFFERS];
	_Alignas(struct cmsghdr) uint8_t control[CB_BUFFERS][CB_PACKET_INFO_SPACE + CMSG_SPACE(sizeof(int))];
	const uint32_t room = CB_BUFFERS - inward->count;
	for (uint32_t i = 0; i < room; i++) {
		vectors[i] = (struct iovec){ .iov_base = inward->bytes[inward->count + i], .iov_len = CB_BUFFER_BYTES };
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = &addresses[i], .msg_namelen = sizeof addresses[i], .msg_iov = &vectors[i], .msg_iovlen = 1,
			.msg_control = control[i], .msg_controllen = sizeof control[i],
		};
	}
	int got;
	do got = recvmmsg(fd, messages, room, MSG_DONTWAIT, NULL); while (got < 0 && errno == EINTR);
	if (got <= 0) return 0;
	for (int i = 0; i < got; i++) {
		struct msghdr *header = &messages[i].msg_hdr;
		cb_received *received = &inward->buffer[inward->count++];
		received->bytes = vectors[i].iov_base;
		received->length = received->stride = messages[i].msg_len;
		cb_endpoint_from(&received->source, &addresses[i]);
		cb_local_learn(local, &received->source, header);
		for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
			int stride;
			if (part->cmsg_level != IPPROTO_UDP || part->cmsg_type != UDP_GRO) continue;
			memcpy(&stride, CMSG_DATA(part), sizeof stride);
			if (stride > 0 && (uint32_t)stride < received->length) received->stride = (uint32_t)stride;
		}
	}
	return (uint32_t)got;
}
