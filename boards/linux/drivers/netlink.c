/*
 * Addresses, links, routes and rules by rtnetlink(7), so that no tool need be installed. One request at a time over a
 * short-lived socket; every function returns 0 or a negative errno.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffers.h"
#include "endpoint.h"

typedef struct {
	struct nlmsghdr header;
	uint8_t body[256];
} request;

static void *begin(request *message, uint16_t type, uint16_t flags, size_t fixed)
{
	memset(message, 0, sizeof *message);
	message->header.nlmsg_type = type;
	message->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	message->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(fixed);
	return NLMSG_DATA(&message->header);
}

static void add(request *message, uint16_t type, const void *data, size_t length)
{
	struct rtattr *attribute = (struct rtattr *)((uint8_t *)message + NLMSG_ALIGN(message->header.nlmsg_len));
	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	if (length > 0) memcpy(RTA_DATA(attribute), data, length);
	message->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(message->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

static void add32(request *message, uint16_t type, uint32_t value)
{
	add(message, type, &value, sizeof value);
}

static int exchange(const request *message)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0) return -errno;
	union {
		struct nlmsghdr header;
		uint8_t bytes[8192];
	} answer;
	int result = 0;
	if (send(fd, message, message->header.nlmsg_len, 0) < 0) result = -errno;
	else {
		const ssize_t length = recv(fd, &answer, sizeof answer, 0);
		if (length < 0) result = -errno;
		else if (!NLMSG_OK(&answer.header, (size_t)length) || answer.header.nlmsg_type != NLMSG_ERROR) result = -EPROTO;
		else result = ((const struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
	}
	close(fd);
	return result;
}

static uint8_t family_of(const cb_buffer *address)
{
	return address->length == 4 ? AF_INET : AF_INET6;
}

static void require_address(xsMachine *the, const cb_buffer *address, uint32_t prefixLength)
{
	if ((address->length != 4 && address->length != 16) || prefixLength > address->length * 8)
		xsRangeError("an address of %u bytes cannot have a prefix of %u bits", address->length, prefixLength);
}

/* (name): the interface's index, 0 when there is none. */
void xs_netlink_index(xsMachine *the)
{
	xsmcSetInteger(xsResult, (int)if_nametoindex(xsmcToString(xsArg(0))));
}

/* (index): the interface's name, or undefined. */
void xs_netlink_name(xsMachine *the)
{
	char name[IF_NAMESIZE];
	if (if_indextoname(xsmcToUnsigned(xsArg(0)), name) != NULL) xsmcSetString(xsResult, name);
}

/* (index, mtu, up): sets the MTU and, with `up`, brings the link up. */
void xs_netlink_set_link(xsMachine *the)
{
	request message;
	struct ifinfomsg *link = begin(&message, RTM_NEWLINK, 0, sizeof *link);
	link->ifi_index = xsmcToInteger(xsArg(0));
	if (xsmcTest(xsArg(2))) link->ifi_flags = link->ifi_change = IFF_UP;
	add32(&message, IFLA_MTU, xsmcToUnsigned(xsArg(1)));
	xsmcSetInteger(xsResult, exchange(&message));
}

/* (name): the interface's MTU in bytes, or a negative errno. */
void xs_netlink_link_mtu(xsMachine *the)
{
	struct ifreq request = { .ifr_mtu = 0 };
	xsmcToStringBuffer(xsArg(0), request.ifr_name, sizeof request.ifr_name);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result = fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0 ? -errno : request.ifr_mtu;
	if (fd >= 0) close(fd);
	xsmcSetInteger(xsResult, result);
}

/* (index, address, prefixLength) */
static void change_address(xsMachine *the, uint16_t type, uint16_t flags)
{
	request message;
	const uint32_t index = xsmcToUnsigned(xsArg(0)), prefixLength = xsmcToUnsigned(xsArg(2));
	const cb_buffer address = cb_readable(the, &xsArg(1));
	require_address(the, &address, prefixLength);
	struct ifaddrmsg *fixed = begin(&message, type, flags, sizeof *fixed);
	fixed->ifa_family = family_of(&address);
	fixed->ifa_prefixlen = (uint8_t)prefixLength;
	fixed->ifa_index = index;
	add(&message, IFA_LOCAL, address.bytes, address.length);
	add(&message, IFA_ADDRESS, address.bytes, address.length);
	xsmcSetInteger(xsResult, exchange(&message));
}

void xs_netlink_add_address(xsMachine *the)
{
	change_address(the, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
}

void xs_netlink_remove_address(xsMachine *the)
{
	change_address(the, RTM_DELADDR, 0);
}

/* (add, index, address, prefixLength, table): table 0 is the main one. */
void xs_netlink_route(xsMachine *the)
{
	request message;
	const int adding = xsmcTest(xsArg(0));
	const uint32_t index = xsmcToUnsigned(xsArg(1)), prefixLength = xsmcToUnsigned(xsArg(3)), table = xsmcToUnsigned(xsArg(4));
	const cb_buffer address = cb_readable(the, &xsArg(2));
	require_address(the, &address, prefixLength);
	struct rtmsg *route = begin(&message, adding ? RTM_NEWROUTE : RTM_DELROUTE, adding ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof *route);
	route->rtm_family = family_of(&address);
	route->rtm_dst_len = (uint8_t)prefixLength;
	route->rtm_scope = adding && address.length == 4 ? RT_SCOPE_LINK : adding ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
	if (adding) {
		/* "boot" is what routes set by hand have. */
		route->rtm_protocol = RTPROT_BOOT;
		route->rtm_type = RTN_UNICAST;
	}
	add32(&message, RTA_TABLE, table == 0 ? RT_TABLE_MAIN : table);
	add32(&message, RTA_OIF, index);
	add(&message, RTA_DST, address.bytes, address.length);
	xsmcSetInteger(xsResult, exchange(&message));
}

/*
 * (add, family, preference, table, mark): what has not the mark looks into `table`. With mark 0: look into `table`, but
 * take no default route from it.
 */
void xs_netlink_rule(xsMachine *the)
{
	request message;
	const int adding = xsmcTest(xsArg(0));
	const int family = xsmcToInteger(xsArg(1));
	const uint32_t preference = xsmcToUnsigned(xsArg(2)), table = xsmcToUnsigned(xsArg(3)), mark = xsmcToUnsigned(xsArg(4));
	struct fib_rule_hdr *rule = begin(&message, adding ? RTM_NEWRULE : RTM_DELRULE, adding ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof *rule);
	rule->family = family == 4 ? AF_INET : AF_INET6;
	rule->action = FR_ACT_TO_TBL;
	add32(&message, FRA_PRIORITY, preference);
	add32(&message, FRA_TABLE, table);
	if (mark != 0) {
		rule->flags = FIB_RULE_INVERT;
		add32(&message, FRA_FWMARK, mark);
	} else add32(&message, FRA_SUPPRESS_PREFIXLEN, 0);
	xsmcSetInteger(xsResult, exchange(&message));
}

/* (record): the MTU of the route to this endpoint in bytes, 0 when there is no route. Sends nothing. */
void xs_netlink_route_mtu(xsMachine *the)
{
	const cb_buffer record = cb_readable(the, &xsArg(0));
	cb_require_length(the, &record, sizeof(cb_endpoint), "the endpoint record");
	cb_address address;
	int mtu = 0;
	socklen_t size = sizeof mtu, length = cb_endpoint_to(&address, (const cb_endpoint *)record.bytes);
	const int fd = length > 0 ? socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (fd >= 0) {
		const int v4 = address.any.sa_family == AF_INET;
		if (connect(fd, &address.any, length) < 0
			|| getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &size) < 0) mtu = 0;
		close(fd);
	}
	xsmcSetInteger(xsResult, mtu);
}
