/* The functions of files.ts. Paths are strings; results below zero are negative errnos. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffers.h"

/* The whole file in fresh memory with a zero byte behind it; its length, or a negative errno. */
static ssize_t read_whole(const char *path, size_t limit, char **content, mode_t *mode)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) return -errno;
	struct stat about;
	ssize_t result = fstat(fd, &about) < 0 ? -errno : S_ISDIR(about.st_mode) ? -EISDIR : 0;
	/* One byte more than allowed shows that there is more; devices and pipes have no size to ask for. */
	char *bytes = result < 0 ? NULL : malloc(limit + 1);
	size_t used = 0;
	if (result == 0 && bytes == NULL) result = -ENOMEM;
	while (result >= 0) {
		if ((size_t)result > limit) {
			result = -EFBIG;
			break;
		}
		const ssize_t got = read(fd, bytes + result, limit + 1 - (size_t)result);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) result = -errno;
		if (got <= 0) break;
		result += got;
		used = (size_t)result;
	}
	close(fd);
	if (result < 0) {
		if (bytes != NULL) explicit_bzero(bytes, used);
		free(bytes);
		return result;
	}
	bytes[result] = 0;
	*mode = about.st_mode;
	*content = bytes;
	return result;
}

/* (path, limit): the text, or a negative errno; -EILSEQ when it is not UTF-8 text. */
void xs_files_read_text(xsMachine *the)
{
	const size_t limit = xsmcToUnsigned(xsArg(1));
	char *content;
	mode_t mode;
	const ssize_t length = read_whole(xsmcToString(xsArg(0)), limit, &content, &mode);
	if (length < 0) {
		xsmcSetInteger(xsResult, (int)length);
		return;
	}
	/* A zero byte is not valid here either. */
	const int valid = g_utf8_validate(content, length, NULL);
	if (valid) xsmcSetStringBuffer(xsResult, content, (xsIntegerValue)length);
	else xsmcSetInteger(xsResult, -EILSEQ);
	explicit_bzero(content, (size_t)length);
	free(content);
}

/* (path, limit): the bytes as an ArrayBuffer, or a negative errno. */
void xs_files_read(xsMachine *the)
{
	const size_t limit = xsmcToUnsigned(xsArg(1));
	char *content;
	mode_t mode;
	const ssize_t length = read_whole(xsmcToString(xsArg(0)), limit, &content, &mode);
	if (length < 0) {
		xsmcSetInteger(xsResult, (int)length);
		return;
	}
	xsmcSetArrayBuffer(xsResult, content, (xsIntegerValue)length);
	explicit_bzero(content, (size_t)length);
	free(content);
}

/* (path): the permission bits of a regular file, -1 for anything else, or a negative errno below that. */
void xs_files_mode(xsMachine *the)
{
	struct stat about;
	if (stat(xsmcToString(xsArg(0)), &about) < 0) xsmcSetInteger(xsResult, -errno);
	else xsmcSetInteger(xsResult, S_ISREG(about.st_mode) ? (int)(about.st_mode & 07777) : -1);
}

/* Flushes a directory: without it a rename in it may be lost. */
static int flush_directory(const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return -errno;
	const int result = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static int write_whole(const char *path, const uint8_t *bytes, size_t length)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return -errno;
	int result = 0;
	while (length > 0) {
		const ssize_t written = write(fd, bytes, length);
		if (written < 0 && errno == EINTR) continue;
		if (written <= 0) {
			result = written < 0 ? -errno : -EIO;
			break;
		}
		bytes += written;
		length -= (size_t)written;
	}
	if (result == 0 && fsync(fd) < 0) result = -errno;
	if (close(fd) < 0 && result == 0) result = -errno;
	return result;
}

/*
 * Replaces the file as a whole. It is written beside, flushed and renamed: after a power cut there is either the old
 * content or the new one.
 */
static int replace(const char *directory, const char *name, const uint8_t *bytes, size_t length)
{
	char temporary[PATH_MAX], final[PATH_MAX];
	if (snprintf(final, sizeof final, "%s/%s", directory, name) >= (int)sizeof final
		|| snprintf(temporary, sizeof temporary, "%s/.%s.new", directory, name) >= (int)sizeof temporary) return -ENAMETOOLONG;
	int result = write_whole(temporary, bytes, length);
	if (result == 0 && rename(temporary, final) < 0) result = -errno;
	if (result == 0) return flush_directory(directory);
	unlink(temporary);
	return result;
}

/* (directory, name, bytes) */
void xs_files_replace(xsMachine *the)
{
	char directory[PATH_MAX], name[NAME_MAX + 1];
	xsmcToStringBuffer(xsArg(0), directory, sizeof directory);
	xsmcToStringBuffer(xsArg(1), name, sizeof name);
	const cb_buffer bytes = cb_readable(the, &xsArg(2));
	xsmcSetInteger(xsResult, replace(directory, name, bytes.bytes, bytes.length));
}

/* (directory, name, text) */
void xs_files_replace_text(xsMachine *the)
{
	char directory[PATH_MAX], name[NAME_MAX + 1];
	xsmcToStringBuffer(xsArg(0), directory, sizeof directory);
	xsmcToStringBuffer(xsArg(1), name, sizeof name);
	const char *text = xsmcToString(xsArg(2));
	xsmcSetInteger(xsResult, replace(directory, name, (const uint8_t *)text, strlen(text)));
}

/* (directory, name) */
void xs_files_remove(xsMachine *the)
{
	char path[PATH_MAX], directory[PATH_MAX];
	xsmcToStringBuffer(xsArg(0), directory, sizeof directory);
	int result = -ENAMETOOLONG;
	if (snprintf(path, sizeof path, "%s/%s", directory, xsmcToString(xsArg(1))) < (int)sizeof path) {
		result = unlink(path) < 0 && errno != ENOENT ? -errno : flush_directory(directory);
	}
	xsmcSetInteger(xsResult, result);
}

/* (path, mode): makes one directory; one that exists already is no failure. */
void xs_files_make_directory(xsMachine *the)
{
	const mode_t mode = (mode_t)xsmcToInteger(xsArg(1));
	const char *path = xsmcToString(xsArg(0));
	int result = mkdir(path, mode) == 0 ? 0 : -errno;
	/* Whatever the umask was. */
	if (result == 0 && chmod(path, mode) < 0) result = -errno;
	struct stat about;
	if (result == -EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) result = 0;
	xsmcSetInteger(xsResult, result);
}

/* (path, text): for files of /proc and the like. */
void xs_files_write_text(xsMachine *the)
{
	const char *text = xsmcToString(xsArg(1));
	const int fd = open(xsmcToString(xsArg(0)), O_WRONLY | O_CLOEXEC);
	int result = fd < 0 ? -errno : 0;
	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0) result = -errno;
		close(fd);
	}
	xsmcSetInteger(xsResult, result);
}

/* (path): whether anything is there. */
void xs_files_exists(xsMachine *the)
{
	xsmcSetBoolean(xsResult, access(xsmcToString(xsArg(0)), F_OK) == 0);
}

/* (path): what a symbolic link holds, or a negative errno. */
void xs_files_read_link(xsMachine *the)
{
	char target[PATH_MAX];
	const ssize_t length = readlink(xsmcToString(xsArg(0)), target, sizeof target - 1);
	if (length < 0) xsmcSetInteger(xsResult, -errno);
	else {
		target[length] = 0;
		xsmcSetString(xsResult, target);
	}
}
