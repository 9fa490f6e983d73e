/* Philox 4x32-10 in vectors of 256 bits: the words of 8 groups of four elements, one group a lane. */
#ifndef MST_PHILOX_AVX2_H
#define MST_PHILOX_AVX2_H

#include <Random123/philox.h>
#include <immintrin.h>
#include <stdint.h>

static inline __attribute__((always_inline)) void philox_multiply(__m256i x, uint32_t by, __m256i *hi, __m256i *lo)
{
    const __m256i m = _mm256_set1_epi64x(by);
    __m256i even = _mm256_mul_epu32(x, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);
    *hi = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    *lo = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

/* c[i]: word i of groups group .. group + 7, by counter (sample, time, index, group). */
static inline __attribute__((always_inline)) void philox_vecs(uint64_t seed, uint32_t sample, uint32_t time,
                                                              uint32_t index, uint32_t group, __m256i c[4])
{
    const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    c[0] = _mm256_set1_epi32((int)sample);
    c[1] = _mm256_set1_epi32((int)time);
    c[2] = _mm256_set1_epi32((int)index);
    c[3] = _mm256_add_epi32(iota, _mm256_set1_epi32((int)group));
    for (int round = 0; round < 10; round++, k0 += PHILOX_W32_0, k1 += PHILOX_W32_1) {
        __m256i hi0, lo0, hi1, lo1;
        philox_multiply(c[0], PHILOX_M4x32_0, &hi0, &lo0);
        philox_multiply(c[2], PHILOX_M4x32_1, &hi1, &lo1);
        c[0] = _mm256_xor_si256(_mm256_xor_si256(hi1, c[1]), _mm256_set1_epi32((int)k0));
        c[2] = _mm256_xor_si256(_mm256_xor_si256(hi0, c[3]), _mm256_set1_epi32((int)k1));
        c[1] = lo1;
        c[3] = lo0;
    }
}

#endif
