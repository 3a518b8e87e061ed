/*
 * Marks the one fact about secrets that may steer the program: whether a tag was right. Nothing in a product; the
 * constant-time test tells memcheck with it.
 */
#ifndef CLOUDBRIDGE_DECLASSIFY_H
#define CLOUDBRIDGE_DECLASSIFY_H

#ifdef CB_CONSTANT_TIME_TEST
#include <valgrind/memcheck.h>
#define declassify(value) VALGRIND_MAKE_MEM_DEFINED(&(value), sizeof(value))
#else
#define declassify(value) ((void)0)
#endif

#endif
