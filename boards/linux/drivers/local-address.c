#define _GNU_SOURCE

#include "local-address.h"

static uint32_t slot_of(const cb_endpoint *remote)
{
	/* FNV-1a. Whoever makes entries collide only makes his own replies take the kernel's source. */
	const uint8_t *bytes = (const uint8_t *)remote;
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < sizeof *remote; i++) hash = (hash ^ bytes[i]) * 16777619u;
	return hash & (CB_LOCAL_ADDRESSES - 1);
}

void cb_local_learn(cb_local_addresses *memory, const cb_endpoint *remote, struct msghdr *received)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(received); part != NULL; part = CMSG_NXTHDR(received, part)) {
		const uint32_t slot = slot_of(remote);
		if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(part), sizeof info);
			memset(memory->entries[slot].address, 0, 16);
			memcpy(memory->entries[slot].address, &info.ipi_spec_dst, 4);
			memory->entries[slot].interface = 0;
		} else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(part), sizeof info);
			memcpy(memory->entries[slot].address, &info.ipi6_addr, 16);
			memory->entries[slot].interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
		} else continue;
		memory->entries[slot].remote = *remote;
		return;
	}
}

size_t cb_local_apply(const cb_local_addresses *memory, const cb_endpoint *remote, struct msghdr *message)
{
	const uint32_t slot = slot_of(remote);
	if (memcmp(&memory->entries[slot].remote, remote, sizeof *remote) != 0) return 0;
	struct cmsghdr *part = message->msg_control;
	if (remote->family == CB_FAMILY_IPV4) {
		struct in_pktinfo info = { 0 };
		memcpy(&info.ipi_spec_dst, memory->entries[slot].address, 4);
		part->cmsg_level = IPPROTO_IP;
		part->cmsg_type = IP_PKTINFO;
		part->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(part), &info, sizeof info);
		return CMSG_SPACE(sizeof info);
	}
	struct in6_pktinfo info = { 0 };
	memcpy(&info.ipi6_addr, memory->entries[slot].address, 16);
	info.ipi6_ifindex = memory->entries[slot].interface;
	part->cmsg_level = IPPROTO_IPV6;
	part->cmsg_type = IPV6_PKTINFO;
	part->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(part), &info, sizeof info);
	return CMSG_SPACE(sizeof info);
}

void cb_local_forget(cb_local_addresses *memory, const cb_endpoint *remote)
{
	memory->entries[slot_of(remote)].remote.family = 0;
}
