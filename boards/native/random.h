/* The system's cryptographic generator; each board brings its own. */
#ifndef CLOUDBRIDGE_RANDOM_H
#define CLOUDBRIDGE_RANDOM_H

#include <stddef.h>

/* Fills `out`. Returns 0 when there is no generator; nothing weaker is ever used in its place. */
int cb_random(void *out, size_t length);

#endif
