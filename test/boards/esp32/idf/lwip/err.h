#pragma once
#include "lwip/arch.h"
typedef s8_t err_t;
enum { ERR_OK = 0, ERR_MEM = -1, ERR_VAL = -6, ERR_USE = -8, ERR_IF = -12 };
