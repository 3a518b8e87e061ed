/* A process with one machine that measures itself: `memory PEERS [PACKETS]`. */

#include <stdio.h>
#include <stdlib.h>

#include "xs.h"
#include "mc.xs.h"

static int peers = 1, packets;

void fxAbort(xsMachine *the, int status)
{
	fprintf(stderr, "the machine stopped: %s\n", fxAbortString(status));
	if (status == xsUnhandledExceptionExit) {
		xsBeginHost(the);
		fprintf(stderr, "%s\n", xsToString(xsException));
		xsEndHost(the);
	}
	exit(1);
}

void xs_measure_peers(xsMachine *the)
{
	xsResult = xsInteger(peers);
}

void xs_measure_packets(xsMachine *the)
{
	xsResult = xsInteger(packets);
}

void xs_measure_print(xsMachine *the)
{
	fputs(xsToString(xsArg(0)), stdout);
}

int main(int argc, char **argv)
{
	if (argc > 1) peers = atoi(argv[1]);
	if (argc > 2) packets = atoi(argv[2]);
	xsMachine *machine = xsPrepareMachine(NULL, xsPreparation(), "memory", NULL, NULL);
	xsBeginHost(machine);
	{
		xsVars(1);
		xsVar(0) = xsImportNow("test/boards/esp32/memory/main");
		xsVar(0) = xsGet(xsVar(0), xsID("default"));
		xsCallFunction0(xsVar(0), xsGlobal);
	}
	xsEndHost(machine);
	return 0;
}
