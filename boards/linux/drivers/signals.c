/* The methods of Signals (signals.ts). */

#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "watch.h"

typedef struct {
	cb_watch watch;
	int fd;
} signals;

static void close_signals(signals *self)
{
	cb_watch_end(&self->watch);
	if (self->fd >= 0) close(self->fd);
	self->fd = -1;
}

void xs_signals_destructor(void *data)
{
	if (data == NULL) return;
	close_signals(data);
	free(data);
}

/* Takes SIGHUP, SIGINT and SIGTERM; 0 or a negative errno. */
void xs_signals_open(xsMachine *the)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	signals *self = fd < 0 ? NULL : calloc(1, sizeof *self);
	if (self == NULL) {
		xsmcSetInteger(xsResult, fd < 0 ? -errno : -ENOMEM);
		if (fd >= 0) close(fd);
		return;
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	self->fd = fd;
	xsmcSetHostData(xsThis, self);
	cb_watch_begin(&self->watch, the, &xsThis, fd, G_IO_IN);
	xsmcSetInteger(xsResult, 0);
}

/* The number of the next signal that came, 0 for none. */
void xs_signals_next(xsMachine *the)
{
	const signals *self = xsmcGetHostData(xsThis);
	struct signalfd_siginfo info;
	xsmcSetInteger(xsResult, read(self->fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0);
}

void xs_signals_close(xsMachine *the)
{
	signals *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_signals(self);
}
