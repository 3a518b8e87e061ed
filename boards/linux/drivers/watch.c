#include "watch.h"

#include <glib-unix.h>

#include "mc.xs.h"

static gboolean ready(gint fd, GIOCondition condition, gpointer data)
{
	cb_watch *watch = data;
	(void)fd;
	xsBeginHost(watch->the);
	xsCall1_noResult(watch->object, xsID_wake, xsInteger(condition));
	xsEndHost(watch->the);
	/* `wake` may have ended the watch, and what holds it; the source then is destroyed already. */
	return G_SOURCE_CONTINUE;
}

void cb_watch_begin(cb_watch *watch, xsMachine *the, xsSlot *object, int fd, GIOCondition condition)
{
	watch->the = the;
	watch->object = *object;
	xsRemember(watch->object);
	watch->source = g_unix_fd_add(fd, condition, ready, watch);
}

void cb_watch_end(cb_watch *watch)
{
	if (watch->source == 0) return;
	g_source_remove(watch->source);
	watch->source = 0;
	xsMachine *the = watch->the;
	xsForget(watch->object);
}
