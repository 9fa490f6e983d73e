/* The int8 kernels of the block schedule for AVX-512 BW (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#define MSTB_SET avx512
#define MSTB_WIDTH 16
#include "runtime/kernels/block_int8_body.h"
#else
typedef int mstb_int8_avx512_is_for_x86; /* an empty file is not C */
#endif
