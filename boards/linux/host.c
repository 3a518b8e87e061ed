/*
 * The process around the machine: makes it, imports the entry module, calls its default export and runs the main
 * loop. An exception that nobody caught ends the process with its cause on standard error; a service manager starts
 * it again.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

#include "xs.h"
#include "mc.xs.h"

/* The name under which the manifest's "main" is linked. */
#define ENTRY "boards/linux/main"

/* As sysexits.h: the program itself failed. */
#define EXIT_SOFTWARE 70

static GMainLoop *loop;
static int exitCode, ended;
static int argumentCount;
static char **arguments;

void fxAbort(xsMachine *the, int status)
{
	fprintf(stderr, "cloudbridge-gateway: the engine stopped: %s\n", fxAbortString(status));
	if (status == xsUnhandledExceptionExit) {
		xsBeginHost(the);
		fprintf(stderr, "cloudbridge-gateway: %s\n", xsToString(xsException));
		xsEndHost(the);
	}
	exit(EXIT_SOFTWARE);
}

/* exit(code): leaves the main loop once the running callback has returned. */
void xs_host_exit(xsMachine *the)
{
	exitCode = xsToInteger(xsArg(0));
	ended = 1;
	g_main_loop_quit(loop);
}

/* arguments(): the words behind the program's name. */
void xs_host_arguments(xsMachine *the)
{
	xsResult = xsNewArray(0);
	for (int i = 1; i < argumentCount; i++) xsSetAt(xsResult, xsInteger(i - 1), xsString(arguments[i]));
}

int main(int argc, char **argv)
{
	argumentCount = argc;
	arguments = argv;
	signal(SIGPIPE, SIG_IGN);
	loop = g_main_loop_new(NULL, FALSE);
	xsMachine *machine = xsPrepareMachine(NULL, xsPreparation(), "cloudbridge-gateway", NULL, NULL);
	if (machine == NULL) {
		fputs("cloudbridge-gateway: no memory for the engine\n", stderr);
		return EXIT_SOFTWARE;
	}
	xsBeginHost(machine);
	{
		xsVars(1);
		xsVar(0) = xsImportNow(ENTRY);
		xsVar(0) = xsGet(xsVar(0), xsID("default"));
		xsCallFunction0(xsVar(0), xsGlobal);
	}
	xsEndHost(machine);
	if (!ended) g_main_loop_run(loop);
	xsDeleteMachine(machine);
	return exitCode;
}
