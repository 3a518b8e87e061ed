/*
 * A descriptor in the main loop on behalf of an object of the machine. Whenever the descriptor is ready, the object's
 * method `wake(condition)` is called; it must not throw.
 */
#ifndef CLOUDBRIDGE_WATCH_H
#define CLOUDBRIDGE_WATCH_H

#include <glib.h>

#include "xsmc.h"

typedef struct {
	xsMachine *the;
	xsSlot object;
	guint source;
} cb_watch;

/* While watched, the object is not collected. `condition` is of GIOCondition. */
void cb_watch_begin(cb_watch *watch, xsMachine *the, xsSlot *object, int fd, GIOCondition condition);
void cb_watch_end(cb_watch *watch);

#endif
