#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#define LWIP_PLATFORM_DIAG(words) printf words
#define LWIP_PLATFORM_ASSERT(words) abort()
#define LWIP_RAND() ((u32_t)rand())
