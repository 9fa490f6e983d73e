/* Sums of counts by the sums of eight bytes that AVX2 has. For the sets of 256 bits. */
#ifndef MST_COUNT_SUMS_AVX2_H
#define MST_COUNT_SUMS_AVX2_H

#include <immintrin.h>
#include <string.h>

#define MSTC_OWN_SUMS
#include "runtime/kernels/count_set.h"

/* Each byte's set bits. */
ALWAYS __m256i bits_of_bytes(__m256i x)
{
    const __m128i of_four = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i table = _mm256_broadcastsi128_si256(of_four), low = _mm256_set1_epi8(15);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

ALWAYS __m256i sum_vector(const uint8_t *x, const int bits)
{
    __m256i v = _mm256_loadu_si256((const void *)x);
    return _mm256_sad_epu8(bits ? bits_of_bytes(v) : v, _mm256_setzero_si256());
}

ALWAYS uint64_t sum_some(const uint8_t *x, size_t n, const int bits)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    uint64_t lanes[4];
    for (; n >= 64; n -= 64, x += 64) {
        a = _mm256_add_epi64(a, sum_vector(x, bits));
        b = _mm256_add_epi64(b, sum_vector(x + 32, bits));
    }
    while (n > 0) {
        uint8_t rest[32] = {0};
        const size_t some = n < 32 ? n : 32;
        if (some == 32)
            a = _mm256_add_epi64(a, sum_vector(x, bits));
        else
            b = _mm256_add_epi64(b, sum_vector(memcpy(rest, x, some), bits));
        n -= some;
        x += some;
    }
    _mm256_storeu_si256((void *)lanes, _mm256_add_epi64(a, b));
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

#endif
