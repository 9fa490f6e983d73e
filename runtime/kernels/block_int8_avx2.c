/* The int8 kernels of the block schedule for AVX2 (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <immintrin.h>

#define MSTB_SET avx2
#define MSTB_WIDTH 8
/* GCC takes the halves of a vector through narrower ones */
#define MSTB_OWN_WIDEN \
    to[0] = (ints)_mm256_cvtepi16_epi32(_mm256_castsi256_si128((__m256i)x)); \
    to[1] = (ints)_mm256_cvtepi16_epi32(_mm256_extracti128_si256((__m256i)x, 1));
#include "runtime/kernels/block_int8_body.h"
#else
typedef int mstb_int8_avx2_is_for_x86; /* an empty file is not C */
#endif
