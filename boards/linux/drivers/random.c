/* Random bytes from the kernel, getrandom(2). */

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#include "random.h"

int cb_random(void *out, size_t length)
{
	uint8_t *at = out;
	while (length > 0) {
		const ssize_t got = getrandom(at, length, 0);
		if (got < 0) {
			if (errno == EINTR) continue;
			return 0;
		}
		at += got;
		length -= (size_t)got;
	}
	return 1;
}
