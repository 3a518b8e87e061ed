/* The methods of OneShot (one-shot.ts). */

#include <glib.h>
#include <stdlib.h>

#include "mc.xs.h"
#include "xsmc.h"

typedef struct {
	xsMachine *the;
	xsSlot object;
	guint source;
} one_shot;

void xs_one_shot_destructor(void *data)
{
	one_shot *self = data;
	if (self == NULL) return;
	if (self->source != 0) g_source_remove(self->source);
	free(self);
}

static gboolean due(gpointer data)
{
	one_shot *self = data;
	xsMachine *the = self->the;
	self->source = 0;
	xsBeginHost(the);
	xsmcVars(1);
	/* Nothing else may hold the object once it is forgotten. */
	xsVar(0) = self->object;
	xsForget(self->object);
	xsCall0_noResult(xsVar(0), xsID_wake);
	xsEndHost(the);
	return G_SOURCE_REMOVE;
}

static void cancel(xsMachine *the, one_shot *self)
{
	if (self == NULL || self->source == 0) return;
	g_source_remove(self->source);
	self->source = 0;
	xsForget(self->object);
}

/* (delay): calls `wake` once after that many ms, rounded up. */
void xs_one_shot_schedule(xsMachine *the)
{
	const double delay = xsmcToNumber(xsArg(0));
	one_shot *self = xsmcGetHostData(xsThis);
	if (self == NULL) {
		self = calloc(1, sizeof *self);
		if (self == NULL) xsUnknownError("no memory for a timer");
		xsmcSetHostData(xsThis, self);
	}
	cancel(the, self);
	self->the = the;
	self->object = xsThis;
	xsRemember(self->object);
	guint ms = delay > 0 ? (guint)delay : 0;
	if (ms < delay) ms++;
	self->source = g_timeout_add(ms, due, self);
}

void xs_one_shot_cancel(xsMachine *the)
{
	cancel(the, xsmcGetHostData(xsThis));
}
