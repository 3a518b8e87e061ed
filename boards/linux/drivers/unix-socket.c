/* The methods of UnixListener and UnixStream (unix-socket.ts): stream sockets of unix(7). */

#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffers.h"
#include "watch.h"

#define BACKLOG 16

typedef struct {
	/* The listening socket, and the directory its file lies in. */
	cb_watch listening, directory;
	int fd, notices;
	ino_t inode;
	struct sockaddr_un path;
} listener;

static ino_t inode_of(const char *path)
{
	struct stat about;
	return lstat(path, &about) < 0 ? 0 : about.st_ino;
}

static void close_listener(listener *self)
{
	cb_watch_end(&self->listening);
	cb_watch_end(&self->directory);
	if (self->fd >= 0) {
		close(self->fd);
		/* Only our own file: another program may have put its own in the place. */
		if (inode_of(self->path.sun_path) == self->inode) unlink(self->path.sun_path);
	}
	if (self->notices >= 0) close(self->notices);
	self->fd = self->notices = -1;
}

void xs_unix_listener_destructor(void *data)
{
	if (data == NULL) return;
	close_listener(data);
	free(data);
}

static int bind_private(const struct sockaddr_un *path, int *result)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Keys are read through this socket, so it is its owner's alone from the first moment. */
	const mode_t mask = umask(077);
	*result = 0;
	if (fd < 0 || bind(fd, (const struct sockaddr *)path, sizeof *path) < 0 || listen(fd, BACKLOG) < 0) {
		*result = -errno;
		if (fd >= 0) close(fd);
	}
	umask(mask);
	return fd;
}

/* (path, directory): 0 or a negative errno. `wake` is called for connections and for changes of the directory. */
void xs_unix_listener_open(xsMachine *the)
{
	listener *self = calloc(1, sizeof *self);
	if (self == NULL) {
		xsmcSetInteger(xsResult, -ENOMEM);
		return;
	}
	self->path.sun_family = AF_UNIX;
	const char *path = xsmcToString(xsArg(0));
	if (strlen(path) >= sizeof self->path.sun_path) {
		free(self);
		xsmcSetInteger(xsResult, -ENAMETOOLONG);
		return;
	}
	strcpy(self->path.sun_path, path);
	int result;
	self->fd = bind_private(&self->path, &result);
	if (result < 0) {
		free(self);
		xsmcSetInteger(xsResult, result);
		return;
	}
	self->inode = inode_of(self->path.sun_path);
	self->notices = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	xsmcSetHostData(xsThis, self);
	cb_watch_begin(&self->listening, the, &xsThis, self->fd, G_IO_IN);
	if (self->notices >= 0 && inotify_add_watch(self->notices, xsmcToString(xsArg(1)), IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) >= 0)
		cb_watch_begin(&self->directory, the, &xsThis, self->notices, G_IO_IN);
	xsmcSetInteger(xsResult, 0);
}

/* The descriptor of a new connection, or a negative errno. */
void xs_unix_listener_accept(xsMachine *the)
{
	const listener *self = xsmcGetHostData(xsThis);
	const int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	xsmcSetInteger(xsResult, fd < 0 ? -errno : fd);
}

/* Whether the socket's file is still ours. */
void xs_unix_listener_present(xsMachine *the)
{
	const listener *self = xsmcGetHostData(xsThis);
	char notices[4096];
	while (self->notices >= 0 && read(self->notices, notices, sizeof notices) > 0) continue;
	xsmcSetBoolean(xsResult, inode_of(self->path.sun_path) == self->inode);
}

void xs_unix_listener_close(xsMachine *the)
{
	listener *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_listener(self);
}

/* (path): 0 when somebody answers there, a negative errno otherwise. */
void xs_unix_socket_probe(xsMachine *the)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = xsmcToString(xsArg(0));
	int result = -ENAMETOOLONG;
	if (strlen(path) < sizeof address.sun_path) {
		strcpy(address.sun_path, path);
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		result = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
		if (fd >= 0) close(fd);
	}
	xsmcSetInteger(xsResult, result);
}

/* (path): the descriptor of a connection, or a negative errno. */
void xs_unix_socket_connect(xsMachine *the)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = xsmcToString(xsArg(0));
	int result = -ENAMETOOLONG;
	if (strlen(path) < sizeof address.sun_path) {
		strcpy(address.sun_path, path);
		result = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		/* A unix socket connects at once or not at all. */
		if (result < 0 || connect(result, (struct sockaddr *)&address, sizeof address) < 0) {
			const int error = errno;
			if (result >= 0) close(result);
			result = -error;
		}
	}
	xsmcSetInteger(xsResult, result);
}

/* (path) */
void xs_unix_socket_unlink(xsMachine *the)
{
	xsmcSetInteger(xsResult, unlink(xsmcToString(xsArg(0))) < 0 ? -errno : 0);
}

typedef struct {
	cb_watch readable, writable;
	int fd;
} stream;

static void close_stream(stream *self)
{
	cb_watch_end(&self->readable);
	cb_watch_end(&self->writable);
	if (self->fd >= 0) close(self->fd);
	self->fd = -1;
}

void xs_unix_stream_destructor(void *data)
{
	if (data == NULL) return;
	close_stream(data);
	free(data);
}

/* (descriptor): takes it over. */
void xs_unix_stream_open(xsMachine *the)
{
	stream *self = calloc(1, sizeof *self);
	const int fd = xsmcToInteger(xsArg(0));
	if (self == NULL) {
		close(fd);
		xsUnknownError("no memory for a connection");
	}
	self->fd = fd;
	xsmcSetHostData(xsThis, self);
}

/* (readable, writable): which events call `wake`. */
void xs_unix_stream_want(xsMachine *the)
{
	stream *self = xsmcGetHostData(xsThis);
	if (self->fd < 0) return;
	const int readable = xsmcTest(xsArg(0)), writable = xsmcTest(xsArg(1));
	if (readable && self->readable.source == 0) cb_watch_begin(&self->readable, the, &xsThis, self->fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
	else if (!readable) cb_watch_end(&self->readable);
	if (writable && self->writable.source == 0) cb_watch_begin(&self->writable, the, &xsThis, self->fd, G_IO_OUT);
	else if (!writable) cb_watch_end(&self->writable);
}

/* (buffer): bytes read, 0 at the end of the stream, or a negative errno. */
void xs_unix_stream_read(xsMachine *the)
{
	const stream *self = xsmcGetHostData(xsThis);
	const cb_buffer buffer = cb_writable(the, &xsArg(0));
	const ssize_t length = read(self->fd, buffer.bytes, buffer.length);
	xsmcSetInteger(xsResult, length < 0 ? -errno : (int)length);
}

/* (text, from): writes the text's bytes from the given one on; how many were taken, or a negative errno. */
void xs_unix_stream_write(xsMachine *the)
{
	const stream *self = xsmcGetHostData(xsThis);
	const uint32_t from = xsmcToUnsigned(xsArg(1));
	const char *text = xsmcToString(xsArg(0));
	const size_t length = strlen(text);
	if (from > length) xsRangeError("there is no byte %u of %u", from, (uint32_t)length);
	const ssize_t written = send(self->fd, text + from, length - from, MSG_NOSIGNAL);
	xsmcSetInteger(xsResult, written < 0 ? -errno : (int)written);
}

void xs_unix_stream_close(xsMachine *the)
{
	stream *self = xsmcGetHostData(xsThis);
	if (self != NULL) close_stream(self);
}
