#include "mailbox.h"

#include <stdlib.h>

#include "mc.xs.h"
#include "xsHost.h"

cb_mailbox *cb_mailbox_open(xsMachine *the, xsSlot *object)
{
	cb_mailbox *mailbox = calloc(1, sizeof *mailbox);
	if (mailbox == NULL) return NULL;
	mailbox->the = the;
	mailbox->object = *object;
	mailbox->open = 1;
	xsRemember(mailbox->object);
	return mailbox;
}

void cb_mailbox_close(cb_mailbox *mailbox)
{
	xsMachine *the = mailbox->the;
	xsForget(mailbox->object);
	mailbox->open = 0;
	/* A call under way refers to it still, and frees it. */
	if (!__atomic_load_n(&mailbox->posted, __ATOMIC_ACQUIRE)) free(mailbox);
}

static void deliver(void *machine, void *context, uint8_t *message, uint16_t length)
{
	(void)message, (void)length;
	xsMachine *the = machine;
	cb_mailbox *mailbox = context;
	__atomic_store_n(&mailbox->posted, 0, __ATOMIC_RELEASE);
	if (!mailbox->open) {
		free(mailbox);
		return;
	}
	xsBeginHost(the);
	xsCall0_noResult(mailbox->object, xsID_wake);
	xsEndHost(the);
}

int cb_mailbox_post(void *context)
{
	cb_mailbox *mailbox = context;
	if (__atomic_exchange_n(&mailbox->posted, 1, __ATOMIC_ACQ_REL)) return 1;
	if (modMessagePostToMachine(mailbox->the, NULL, 0, deliver, mailbox) == 0) return 1;
	__atomic_store_n(&mailbox->posted, 0, __ATOMIC_RELEASE);
	return 0;
}
