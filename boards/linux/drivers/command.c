/* The functions of command.ts. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "xsmc.h"
#include "mc.xs.h"

#define ARGUMENTS 24
/* How much of a failing program's words is kept. */
#define WORDS_BYTES 300
/* How often the child is looked at where the kernel has no pidfd_open (before Linux 5.3), ms. */
#define LOOK_INTERVAL 20

extern char **environ;

typedef struct {
	pid_t pid;
	/* Readable when the child has ended; -1: the kernel is too old. */
	int ended;
	/* Its standard input and error; -1: closed, or not ours. */
	int in, errors;
} child;

static void close_end(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

/* Starts a program; 0 or an errno. Its standard output goes where its standard error goes, or nowhere when that is ours. */
static int start(child *self, const char *path, char **arguments, int capture)
{
	int in[2], errors[2] = { -1, -1 };
	sigset_t none, defaults;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	if (pipe2(in, O_CLOEXEC) < 0) return errno;
	if (capture && pipe2(errors, O_CLOEXEC) < 0) {
		const int error = errno;
		close(in[0]);
		close(in[1]);
		return error;
	}
	/* Our signals come by signalfd and are blocked, and we ignore SIGPIPE; the child does neither. */
	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	if (capture) {
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
		posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
	} else posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	const int error = posix_spawn(&self->pid, path, &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(in[0]);
	close_end(&errors[1]);
	self->in = in[1];
	self->errors = errors[0];
	if (error != 0) {
		close_end(&self->in);
		close_end(&self->errors);
		return error;
	}
	self->ended = (int)syscall(SYS_pidfd_open, self->pid, 0);
	fcntl(self->in, F_SETFL, O_NONBLOCK);
	if (capture) fcntl(self->errors, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Hands over what is left of the input; closes it at the end, or when nobody reads it. */
static void feed(child *self, const char **input, size_t *length)
{
	while (*length > 0) {
		const ssize_t written = write(self->in, *input, *length);
		if (written < 0 && errno == EINTR) continue;
		if (written < 0 && errno == EAGAIN) return;
		if (written < 0) break;
		*input += written;
		*length -= (size_t)written;
	}
	close_end(&self->in);
}

static void listen_to(child *self, char words[WORDS_BYTES + 1], size_t *used)
{
	char more[512];
	for (;;) {
		const ssize_t got = read(self->errors, more, sizeof more);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0 && errno == EAGAIN) return;
		if (got <= 0) break;
		const size_t room = WORDS_BYTES - *used, take = (size_t)got < room ? (size_t)got : room;
		memcpy(words + *used, more, take);
		*used += take;
	}
	close_end(&self->errors);
}

static long long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Waits for the end, `patience` ms (0: for ever); the status as of wait(2). One that takes longer is killed. */
static int attend(child *self, const char *input, size_t length, int patience, char words[WORDS_BYTES + 1])
{
	const long long until = now_ms() + patience;
	size_t used = 0;
	int status = 0;
	for (;;) {
		feed(self, &input, &length);
		if (self->errors >= 0) listen_to(self, words, &used);
		const pid_t gone = waitpid(self->pid, &status, WNOHANG);
		if (gone == self->pid || (gone < 0 && errno != EINTR)) break;
		const long long left = until - now_ms();
		if (patience > 0 && left <= 0) {
			kill(self->pid, SIGKILL);
			while (waitpid(self->pid, &status, 0) < 0 && errno == EINTR) continue;
			break;
		}
		struct pollfd ready[] = {
			{ .fd = self->ended, .events = POLLIN },
			{ .fd = self->in, .events = POLLOUT },
			{ .fd = self->errors, .events = POLLIN },
		};
		int wait = patience > 0 ? (int)left : -1;
		if (self->ended < 0 && (wait < 0 || wait > LOOK_INTERVAL)) wait = LOOK_INTERVAL;
		poll(ready, 3, wait);
	}
	if (self->errors >= 0) listen_to(self, words, &used);
	words[used] = 0;
	close_end(&self->ended);
	close_end(&self->in);
	close_end(&self->errors);
	return status;
}

/*
 * (path, arguments, input, patience, capture): an object of `status`, the exit status, 128 and more for a signal, or a
 * negative errno, and of `words`, what it wrote to its standard error if that was captured.
 */
void xs_command_run(xsMachine *the)
{
	char *arguments[ARGUMENTS + 2] = { NULL }, words[WORDS_BYTES + 1] = "";
	child self = { .pid = -1, .ended = -1, .in = -1, .errors = -1 };
	xsmcVars(1);
	xsmcGet(xsVar(0), xsArg(1), xsID_length);
	const int count = xsmcToInteger(xsVar(0)), patience = xsmcToInteger(xsArg(3)), capture = xsmcTest(xsArg(4));
	if (count > ARGUMENTS) xsRangeError("%d arguments", count);
	/* Copies: strings of the machine move. */
	for (int i = 0; i < count; i++) {
		xsmcGetIndex(xsVar(0), xsArg(1), i);
		arguments[i + 1] = strdup(xsmcToString(xsVar(0)));
	}
	char *input = strdup(xsmcToString(xsArg(2)));
	arguments[0] = strdup(xsmcToString(xsArg(0)));
	int result = -start(&self, arguments[0], arguments, capture);
	if (result == 0) {
		const int status = attend(&self, input, strlen(input), patience, words);
		result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	explicit_bzero(input, strlen(input));
	free(input);
	for (int i = 0; i <= count; i++) free(arguments[i]);
	/* A character cut in two would be no string. */
	for (char *at = words; *at != 0; at++) if ((unsigned char)*at >= 0x80) *at = '?';
	xsmcSetNewObject(xsResult);
	xsmcSetInteger(xsVar(0), result);
	xsmcSet(xsResult, xsID_status, xsVar(0));
	xsmcSetString(xsVar(0), words);
	xsmcSet(xsResult, xsID_words, xsVar(0));
}

/* (path): whether it is a program that may be run. */
void xs_command_executable(xsMachine *the)
{
	xsmcSetBoolean(xsResult, access(xsmcToString(xsArg(0)), X_OK) == 0);
}
