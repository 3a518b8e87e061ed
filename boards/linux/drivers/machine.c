/* The functions of machine.ts. */

#include <sys/utsname.h>

#include "xsmc.h"

void xs_machine_host_name(xsMachine *the)
{
	struct utsname about;
	xsmcSetString(xsResult, uname(&about) < 0 ? "" : about.nodename);
}

void xs_machine_architecture(xsMachine *the)
{
	struct utsname about;
	xsmcSetString(xsResult, uname(&about) < 0 ? "" : about.machine);
}
