#include <time.h>

#include "xsmc.h"

static double milliseconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1000000;
}

/* Counts on while the machine sleeps: keys grow old then, too. */
void xs_clock_monotonic(xsMachine *the)
{
	xsmcSetNumber(xsResult, milliseconds(CLOCK_BOOTTIME));
}

void xs_clock_wall(xsMachine *the)
{
	xsmcSetNumber(xsResult, milliseconds(CLOCK_REALTIME));
}
