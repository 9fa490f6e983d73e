/* The kernels compiled for AVX-512 F, BW, VL, DQ (the Makefile gives this file
 * its flags), and those that only intrinsics express. */
#if defined(__x86_64__)
#include "runtime/kernels/mask_count.h"

/* Compress in registers: the form that stores to memory is microcoded on Zen 4. */
static size_t mstk_scan_f32__avx512(const float *x, size_t n, uint32_t *idx, float *val)
{
    const __m512i step = _mm512_set1_epi32(16);
    __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t k = 0;
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 live = (__mmask16)(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1);
        __m512 v = _mm512_maskz_loadu_ps(live, x + i);
        __mmask16 on = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        _mm512_storeu_si512(idx + k, _mm512_maskz_compress_epi32(on, at));
        _mm512_storeu_ps(val + k, _mm512_maskz_compress_ps(on, v));
        k += mstk_mask_count(on);
        at = _mm512_add_epi32(at, step);
    }
    return k;
}

#define MSTK_SET avx512
#define MSTK_WIDTH 16
#define MSTK_OWN_SCAN
#include "runtime/kernels/kernels_body.h"
#else
typedef int mstk_avx512_is_for_x86; /* an empty file is not C */
#endif
