/* Philox 4x32-10 in vectors of 512 bits: the words of 16 groups of four elements, one group a lane. */
#ifndef MST_PHILOX_AVX512_H
#define MST_PHILOX_AVX512_H

#include <Random123/philox.h>
#include <immintrin.h>
#include <stdint.h>

static inline __attribute__((always_inline)) void philox_multiply(__m512i x, uint32_t by, __m512i *hi, __m512i *lo)
{
    const __m512i m = _mm512_set1_epi64(by);
    __m512i even = _mm512_mul_epu32(x, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m);
    *hi = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    *lo = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

/* c[i]: word i of groups group .. group + 15, by counter (sample, time, index, group). */
static inline __attribute__((always_inline)) void philox_vecs(uint64_t seed, uint32_t sample, uint32_t time,
                                                              uint32_t index, uint32_t group, __m512i c[4])
{
    const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    c[0] = _mm512_set1_epi32((int)sample);
    c[1] = _mm512_set1_epi32((int)time);
    c[2] = _mm512_set1_epi32((int)index);
    c[3] = _mm512_add_epi32(iota, _mm512_set1_epi32((int)group));
    for (int round = 0; round < 10; round++, k0 += PHILOX_W32_0, k1 += PHILOX_W32_1) {
        __m512i hi0, lo0, hi1, lo1;
        philox_multiply(c[0], PHILOX_M4x32_0, &hi0, &lo0);
        philox_multiply(c[2], PHILOX_M4x32_1, &hi1, &lo1);
        c[0] = _mm512_ternarylogic_epi32(hi1, c[1], _mm512_set1_epi32((int)k0), 0x96); /* xor of three */
        c[2] = _mm512_ternarylogic_epi32(hi0, c[3], _mm512_set1_epi32((int)k1), 0x96);
        c[1] = lo1;
        c[3] = lo0;
    }
}

#endif
