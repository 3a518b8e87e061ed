#pragma once
#include "lwip/arch.h"
typedef int sys_prot_t;
sys_prot_t sys_arch_protect(void);
void sys_arch_unprotect(sys_prot_t level);
#define SYS_ARCH_DECL_PROTECT(level) sys_prot_t level
#define SYS_ARCH_PROTECT(level) level = sys_arch_protect()
#define SYS_ARCH_UNPROTECT(level) sys_arch_unprotect(level)
