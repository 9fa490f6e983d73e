/* What the toy back end tells the test. */
#ifndef TEST_TOY_BACKEND_H
#define TEST_TOY_BACKEND_H

#include <stdatomic.h>

extern atomic_uint toy_runs; /* operations that it ran */

#endif
