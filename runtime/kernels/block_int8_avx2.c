/* The int8 kernels of the block schedule for AVX2 (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#define MSTB_SET avx2
#define MSTB_WIDTH 8
#include "runtime/kernels/block_int8_body.h"
#else
typedef int mstb_int8_avx2_is_for_x86; /* an empty file is not C */
#endif
