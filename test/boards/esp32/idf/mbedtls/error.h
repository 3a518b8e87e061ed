#pragma once
#include <stddef.h>
void mbedtls_strerror(int error, char *text, size_t size);
