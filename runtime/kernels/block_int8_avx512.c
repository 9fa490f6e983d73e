/* The int8 kernels of the block schedule for AVX-512 BW (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#include <immintrin.h>

#define MSTB_SET avx512
#define MSTB_WIDTH 16
/* GCC takes the halves of a vector through narrower ones */
#define MSTB_OWN_WIDEN \
    to[0] = (ints)_mm512_cvtepi16_epi32(_mm512_castsi512_si256((__m512i)x)); \
    to[1] = (ints)_mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64((__m512i)x, 1));
#include "runtime/kernels/block_int8_body.h"
#else
typedef int mstb_int8_avx512_is_for_x86; /* an empty file is not C */
#endif
