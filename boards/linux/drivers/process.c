/* The functions of process.ts. The program's words and its end are host.c's. */

#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xsmc.h"

/* (text): one line on standard error, written at once. */
void xs_process_report(xsMachine *the)
{
	const char *text = xsmcToString(xsArg(0));
	size_t length = strlen(text);
	while (length > 0) {
		const ssize_t written = write(STDERR_FILENO, text, length);
		if (written < 0 && errno == EINTR) continue;
		if (written <= 0) return;
		text += written;
		length -= (size_t)written;
	}
}

/* (text): on standard output. */
void xs_process_print(xsMachine *the)
{
	const char *text = xsmcToString(xsArg(0));
	size_t length = strlen(text);
	while (length > 0) {
		const ssize_t written = write(STDOUT_FILENO, text, length);
		if (written < 0 && errno == EINTR) continue;
		if (written <= 0) return;
		text += written;
		length -= (size_t)written;
	}
}

void xs_process_id(xsMachine *the)
{
	xsmcSetInteger(xsResult, getpid());
}

void xs_process_user(xsMachine *the)
{
	xsmcSetInteger(xsResult, (int)getuid());
}

/* (name): the environment variable's value, or undefined. */
void xs_process_environment(xsMachine *the)
{
	char *value = getenv(xsmcToString(xsArg(0)));
	if (value != NULL) xsmcSetString(xsResult, value);
}
