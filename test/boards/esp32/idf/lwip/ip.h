#pragma once
#include "lwip/netif.h"
