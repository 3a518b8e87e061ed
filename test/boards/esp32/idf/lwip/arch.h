#pragma once
#include <stddef.h>
#include <stdint.h>
#include "lwip/opt.h"
typedef uint8_t u8_t;
typedef int8_t s8_t;
typedef uint16_t u16_t;
typedef uint32_t u32_t;
