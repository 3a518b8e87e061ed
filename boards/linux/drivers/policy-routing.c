/* The functions of policy-routing.ts: dumps of rtnetlink(7), looked through for one thing. */

#define _GNU_SOURCE

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsmc.h"

typedef struct {
	uint32_t table, preference;
} found;

typedef void (*visitor)(const struct nlmsghdr *message, found *result);

/* An attribute of 32 bits, or `otherwise`. */
static uint32_t attribute(const struct nlmsghdr *message, size_t fixed, uint16_t type, uint32_t otherwise)
{
	const struct rtattr *at = (const struct rtattr *)((const uint8_t *)NLMSG_DATA(message) + NLMSG_ALIGN(fixed));
	int left = (int)message->nlmsg_len - (int)NLMSG_SPACE(fixed);
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		uint32_t value;
		if (at->rta_type != type || RTA_PAYLOAD(at) < sizeof value) continue;
		memcpy(&value, RTA_DATA(at), sizeof value);
		return value;
	}
	return otherwise;
}

/* Shows `visit` every answer to a dump; 0 or a negative errno. Both families' requests begin with the same bytes. */
static int dump(uint16_t type, int family, visitor visit, found *result)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg fixed;
	} request = {
		.header = { .nlmsg_len = sizeof request, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.fixed = { .rtm_family = family == 4 ? AF_INET : AF_INET6 },
	};
	union {
		struct nlmsghdr header;
		uint8_t bytes[32768];
	} answer;
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0) return -errno;
	int error = send(fd, &request, sizeof request, 0) < 0 ? -errno : 0, done = error < 0;
	while (!done) {
		const ssize_t got = recv(fd, &answer, sizeof answer, 0);
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) {
			error = got < 0 ? -errno : -EPROTO;
			break;
		}
		int left = (int)got;
		for (const struct nlmsghdr *message = &answer.header; !done && NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
			done = message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR;
			if (message->nlmsg_type == NLMSG_ERROR) error = ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
			else if (!done) visit(message, result);
		}
	}
	close(fd);
	return error;
}

static void see_route(const struct nlmsghdr *message, found *result)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	if (attribute(message, sizeof *route, RTA_TABLE, route->rtm_table) == result->table) result->preference = 1;
}

static void see_rule(const struct nlmsghdr *message, found *result)
{
	/* The kernel's own first rule has no preference, that is, 0. */
	const uint32_t preference = attribute(message, sizeof(struct fib_rule_hdr), FRA_PRIORITY, 0);
	if (preference > 0 && preference < result->preference) result->preference = preference;
}

static void see_marked(const struct nlmsghdr *message, found *result)
{
	const struct fib_rule_hdr *rule = NLMSG_DATA(message);
	if ((rule->flags & FIB_RULE_INVERT) != 0 && attribute(message, sizeof *rule, FRA_FWMARK, 0) != 0) result->preference = 1;
}

/* (family, table): whether a route is in it; unknown tables are free. */
void xs_policy_table_used(xsMachine *the)
{
	found result = { .table = xsmcToUnsigned(xsArg(1)) };
	dump(RTM_GETROUTE, xsmcToInteger(xsArg(0)), see_route, &result);
	xsmcSetBoolean(xsResult, result.preference != 0);
}

/* (family, most): the preference of the first rule after the kernel's local one, `most` at most, or a negative errno. */
void xs_policy_lowest_preference(xsMachine *the)
{
	found result = { .preference = xsmcToUnsigned(xsArg(1)) };
	const int error = dump(RTM_GETRULE, xsmcToInteger(xsArg(0)), see_rule, &result);
	xsmcSetInteger(xsResult, error < 0 ? error : (int)result.preference);
}

/* (family): whether a rule for everything without a mark is there. */
void xs_policy_mark_rules_left(xsMachine *the)
{
	found result = { .preference = 0 };
	dump(RTM_GETRULE, xsmcToInteger(xsArg(0)), see_marked, &result);
	xsmcSetBoolean(xsResult, result.preference != 0);
}
