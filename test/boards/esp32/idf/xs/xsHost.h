#pragma once
#include "xsmc.h"
typedef void (*modMessageDeliver)(void *the, void *context, uint8_t *message, uint16_t length);
/* 0 when the message was queued. */
int modMessagePostToMachine(xsMachine *the, uint8_t *message, uint16_t length, modMessageDeliver deliver, void *context);
