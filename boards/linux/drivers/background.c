/* The functions of background.ts: a process that goes on by itself once it has told whoever started it how it went. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsmc.h"

#define SENTENCE_BYTES 1024
#define EXIT_FAILURE_OF_SYSTEM 10

typedef struct {
	int32_t code;
	char sentence[SENTENCE_BYTES];
} report;

/* Where the parent waits; -1: nobody does. Of the process, as its descriptors are. */
static int told = -1;

/* Waits for the child's report, says it, and ends with its code. */
static _Noreturn void wait_for(pid_t child, int from, int patience)
{
	report said;
	struct pollfd ready = { .fd = from, .events = POLLIN };
	int result;
	do result = poll(&ready, 1, patience); while (result < 0 && errno == EINTR);
	if (result == 0) {
		kill(child, SIGTERM);
		fprintf(stderr, "cloudbridge-gateway: it was not up within %d ms\n", patience);
		_exit(EXIT_FAILURE_OF_SYSTEM);
	}
	if (read(from, &said, sizeof said) != sizeof said) {
		fputs("cloudbridge-gateway: it ended before it was up\n", stderr);
		_exit(EXIT_FAILURE);
	}
	said.sentence[SENTENCE_BYTES - 1] = 0;
	if (said.code != 0) fprintf(stderr, "cloudbridge-gateway: %s\n", said.sentence);
	_exit(said.code);
}

/* (patience, silent): goes on in a process of its own, without output when silent; 0 there, or a negative errno here. */
void xs_background_enter(xsMachine *the)
{
	const int patience = xsmcToInteger(xsArg(0)), silent = xsmcTest(xsArg(1));
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		xsmcSetInteger(xsResult, -errno);
		return;
	}
	const pid_t child = fork();
	if (child < 0) {
		xsmcSetInteger(xsResult, -errno);
		close(ends[0]);
		close(ends[1]);
		return;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for(child, ends[0], patience);
	}
	close(ends[0]);
	told = ends[1];
	setsid();
	if (chdir("/") < 0) xsUnknownError("there is no root directory");
	const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nowhere >= 0) {
		dup2(nowhere, STDIN_FILENO);
		if (silent) {
			dup2(nowhere, STDOUT_FILENO);
			dup2(nowhere, STDERR_FILENO);
		}
		close(nowhere);
	}
	xsmcSetInteger(xsResult, 0);
}

/* (code, sentence): tells the waiting parent; whether there was one. */
void xs_background_report(xsMachine *the)
{
	report said = { .code = xsmcToInteger(xsArg(0)) };
	const char *sentence = xsmcToString(xsArg(1));
	strncpy(said.sentence, sentence, SENTENCE_BYTES - 1);
	int heard = 0;
	if (told >= 0) {
		heard = write(told, &said, sizeof said) == sizeof said;
		close(told);
		told = -1;
	}
	xsmcSetBoolean(xsResult, heard);
}
