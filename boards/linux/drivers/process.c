/* The functions of process.ts. The program's words and its end are host.c's. */

#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsmc.h"

extern char **environ;

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

/* (script): runs it by sh and waits; its exit status, 128 and more for a signal, or a negative errno. */
void xs_process_shell(xsMachine *the)
{
	char *arguments[] = { "sh", "-c", xsmcToString(xsArg(0)), NULL };
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t child;
	int status;
	/* Our signals come by signalfd and are blocked; the child's are not. */
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	const int error = posix_spawnp(&child, "sh", NULL, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	if (error != 0) {
		xsmcSetInteger(xsResult, -error);
		return;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
	xsmcSetInteger(xsResult, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
