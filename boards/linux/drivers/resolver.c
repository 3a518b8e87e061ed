/* Names looked up by getaddrinfo(3) in a thread of its own, so that the gateway goes on meanwhile. */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "mc.xs.h"
#include "xsmc.h"

/* Addresses taken of one answer. */
#define ANSWER_LIMIT 16

typedef struct {
	xsMachine *the;
	/* The resolver, and what it calls back. */
	xsSlot object, done;
	char *name;
	int error;
	int count;
	char addresses[ANSWER_LIMIT][INET6_ADDRSTRLEN];
} look_up;

static gboolean deliver(gpointer data)
{
	look_up *self = data;
	xsMachine *the = self->the;
	xsBeginHost(the);
	xsmcVars(4);
	xsVar(0) = self->object;
	xsVar(1) = self->done;
	xsForget(self->object);
	xsForget(self->done);
	xsmcSetNewArray(xsVar(2), 0);
	for (int i = 0; i < self->count; i++) {
		xsmcSetString(xsVar(3), self->addresses[i]);
		xsmcSetIndex(xsVar(2), (xsIndex)i, xsVar(3));
	}
	if (self->error != 0) xsmcSetString(xsVar(3), (char *)gai_strerror(self->error));
	else xsmcSetUndefined(xsVar(3));
	free(self->name);
	free(self);
	xsCall3_noResult(xsVar(0), xsID_wake, xsVar(1), xsVar(2), xsVar(3));
	xsEndHost(the);
	return G_SOURCE_REMOVE;
}

static void *work(void *data)
{
	look_up *self = data;
	struct addrinfo *found = NULL;
	const struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	self->error = getaddrinfo(self->name, NULL, &wanted, &found);
	for (const struct addrinfo *one = found; self->error == 0 && one != NULL && self->count < ANSWER_LIMIT; one = one->ai_next) {
		const cb_address *address = (const cb_address *)one->ai_addr;
		const void *bytes = one->ai_family == AF_INET ? (const void *)&address->v4.sin_addr : (const void *)&address->v6.sin6_addr;
		if (inet_ntop(one->ai_family, bytes, self->addresses[self->count], INET6_ADDRSTRLEN) != NULL) self->count++;
	}
	if (found != NULL) freeaddrinfo(found);
	g_idle_add_full(G_PRIORITY_DEFAULT, deliver, self, NULL);
	return NULL;
}

/* (name, done): calls the object's `wake(done, addresses, error)` later. 0 or a negative errno. */
void xs_resolver_look_up(xsMachine *the)
{
	look_up *self = calloc(1, sizeof *self);
	if (self != NULL) self->name = strdup(xsmcToString(xsArg(0)));
	if (self == NULL || self->name == NULL) {
		free(self);
		xsmcSetInteger(xsResult, -ENOMEM);
		return;
	}
	self->the = the;
	self->object = xsThis;
	self->done = xsArg(1);
	xsRemember(self->object);
	xsRemember(self->done);
	pthread_t thread;
	const int error = pthread_create(&thread, NULL, work, self);
	if (error == 0) pthread_detach(thread);
	else {
		xsForget(self->object);
		xsForget(self->done);
		free(self->name);
		free(self);
	}
	xsmcSetInteger(xsResult, -error);
}
