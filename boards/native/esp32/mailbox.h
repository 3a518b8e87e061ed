/*
 * Calls from other threads to an object of the machine: its method `wake()` is called once, however often it was asked
 * for meanwhile. The method must not throw.
 */
#ifndef CLOUDBRIDGE_MAILBOX_H
#define CLOUDBRIDGE_MAILBOX_H

#include "xsmc.h"

typedef struct {
	xsMachine *the;
	xsSlot object;
	int posted, open;
} cb_mailbox;

/* While it is open the object is not collected. NULL: no memory. */
cb_mailbox *cb_mailbox_open(xsMachine *the, xsSlot *object);
/* In the machine's thread, when no other thread posts any more. */
void cb_mailbox_close(cb_mailbox *mailbox);
/* From any thread; takes a cb_mailbox. 0 when the machine's queue is full now. */
int cb_mailbox_post(void *mailbox);

#endif
