#include <string.h>

#include "primitives.h"

int cb_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
	uint32_t difference = 0;
	for (size_t i = 0; i < length; i++) difference |= (uint32_t)(a[i] ^ b[i]);
	/* 0 becomes 1, 1..255 become 0, without a branch. */
	return (int)((difference - 1) >> 31);
}

void cb_erase(void *data, size_t length)
{
	memset(data, 0, length);
	/* Whoever might read it now is unknown to the compiler, so it cannot leave the zeros out. */
	__asm__ volatile("" : : "r"(data) : "memory");
}
