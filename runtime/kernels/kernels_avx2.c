/* The kernels compiled for AVX2 (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#define MSTK_SET avx2
#define MSTK_WIDTH 8
#include "runtime/kernels/kernels_body.h"
#else
typedef int mstk_avx2_is_for_x86; /* an empty file is not C */
#endif
