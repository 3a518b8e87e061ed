#pragma once
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);
void *memmove(void *to, const void *from, size_t length);
size_t strlen(const char *text);
size_t strcspn(const char *text, const char *any);
