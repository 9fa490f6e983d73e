/* The kernels compiled for AVX2 (the Makefile gives this file its flags), and the one that only intrinsics express. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* For each mask of 8 lanes the lanes that are set, ascending, a byte each. */
#define BIT_OF(m, i) ((uint64_t)((m) >> (i)&1))
#define BEFORE(x, m, i) ((x) << 8 * BIT_OF(m, i) | (i)*BIT_OF(m, i))
#define SET_4(x, m, i) BEFORE(BEFORE(BEFORE(BEFORE(x, m, (i) + 3), m, (i) + 2), m, (i) + 1), m, i)
#define SET(m) SET_4(SET_4((uint64_t)0, m, 4), m, 0)
#define SETS_4(m) SET(m), SET((m) + 1), SET((m) + 2), SET((m) + 3)
#define SETS_16(m) SETS_4(m), SETS_4((m) + 4), SETS_4((m) + 8), SETS_4((m) + 12)
#define SETS_64(m) SETS_16(m), SETS_16((m) + 16), SETS_16((m) + 32), SETS_16((m) + 48)
static const uint64_t lanes_set[256] = {SETS_64(0), SETS_64(64), SETS_64(128), SETS_64(192)};

static size_t mstk_scan_f32__avx2(const float *x, size_t n, uint32_t *idx, float *val)
{
    size_t k = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_loadu_ps(x + i);
        int on = _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
        __m256i lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)&lanes_set[on]));
        _mm256_storeu_si256((void *)(idx + k), _mm256_add_epi32(lanes, _mm256_set1_epi32((int)i)));
        _mm256_storeu_ps(val + k, _mm256_permutevar8x32_ps(v, lanes));
        k += (size_t)__builtin_popcount((unsigned)on);
    }
    for (; i < n; i++) {
        idx[k] = (uint32_t)i;
        val[k] = x[i];
        k += x[i] != 0.0f;
    }
    return k;
}

#define MSTK_SET avx2
#define MSTK_WIDTH 8
#define MSTK_OWN_SCAN
#include "runtime/kernels/kernels_body.h"
#else
typedef int mstk_avx2_is_for_x86; /* an empty file is not C */
#endif
