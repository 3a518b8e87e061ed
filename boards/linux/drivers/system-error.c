#include <string.h>

#include "xsmc.h"

/* (errno) */
void xs_system_error_text(xsMachine *the)
{
	xsmcSetString(xsResult, strerror(xsmcToInteger(xsArg(0))));
}
