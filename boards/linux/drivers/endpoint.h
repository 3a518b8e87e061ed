/* Endpoint records (src/packet/endpoint.ts) from and to socket addresses. */
#ifndef CLOUDBRIDGE_ENDPOINT_H
#define CLOUDBRIDGE_ENDPOINT_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define CB_FAMILY_IPV4 4
#define CB_FAMILY_IPV6 6

/* The layout of a record. */
typedef struct {
	uint8_t family, zero;
	uint8_t port[2];
	uint8_t scope[4];
	uint8_t address[16];
} cb_endpoint;

typedef union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} cb_address;

static inline void cb_endpoint_from(cb_endpoint *record, const cb_address *from)
{
	memset(record, 0, sizeof *record);
	if (from->any.sa_family == AF_INET) {
		record->family = CB_FAMILY_IPV4;
		memcpy(record->port, &from->v4.sin_port, 2);
		memcpy(record->address, &from->v4.sin_addr, 4);
	} else if (from->any.sa_family == AF_INET6) {
		record->family = CB_FAMILY_IPV6;
		memcpy(record->port, &from->v6.sin6_port, 2);
		for (int i = 0; i < 4; i++) record->scope[i] = (uint8_t)(from->v6.sin6_scope_id >> 8 * i);
		memcpy(record->address, &from->v6.sin6_addr, 16);
	}
}

/* The address's length, 0 when the record names none. */
static inline socklen_t cb_endpoint_to(cb_address *to, const cb_endpoint *record)
{
	memset(to, 0, sizeof *to);
	if (record->family == CB_FAMILY_IPV4) {
		to->v4.sin_family = AF_INET;
		memcpy(&to->v4.sin_port, record->port, 2);
		memcpy(&to->v4.sin_addr, record->address, 4);
		return sizeof to->v4;
	}
	if (record->family == CB_FAMILY_IPV6) {
		to->v6.sin6_family = AF_INET6;
		memcpy(&to->v6.sin6_port, record->port, 2);
		memcpy(&to->v6.sin6_addr, record->address, 16);
		for (int i = 0; i < 4; i++) to->v6.sin6_scope_id |= (uint32_t)record->scope[i] << 8 * i;
		return sizeof to->v6;
	}
	return 0;
}

#endif
