/* Neurons of a strip in AVX-512 registers, for the kernels that fire. */
#ifndef MST_BLOCK_FIRE_AVX512_H
#define MST_BLOCK_FIRE_AVX512_H

#include <immintrin.h>

#include "runtime/kernels/block_set.h"

static inline __mmask16 mask_at(uint64_t word, size_t j) { return (__mmask16)(word >> (16 * j)); }

/* The lanes of vector j that lie before column n. */
static inline __mmask16 live_lanes(size_t n, size_t j)
{
    return (__mmask16)(n >= 16 * (j + 1) ? 0xffffu : n > 16 * j ? (1u << (n - 16 * j)) - 1
                                                                : 0u);
}

typedef struct neurons {
    __m512 v[4], theta[4], gain[4], bias[4];
    uint64_t live; /* columns that there are; the others' membranes are not kept */
} neurons;

ALWAYS void load_neurons(const mstb_strip *s, size_t vecs, int gain, neurons *q)
{
    q->live = live_bits(s->n);
    for (size_t j = 0; j < vecs; j++) {
        q->v[j] = _mm512_maskz_loadu_ps(live_lanes(s->n, j), s->from + 16 * j);
        q->theta[j] = _mm512_loadu_ps(s->theta + 16 * j);
        if (gain) {
            q->gain[j] = _mm512_loadu_ps(s->gain + 16 * j);
            q->bias[j] = _mm512_loadu_ps(s->bias + 16 * j);
        }
    }
}

ALWAYS void store_neurons(const mstb_strip *s, size_t vecs, const neurons *q)
{
    for (size_t j = 0; j < vecs; j++)
        _mm512_mask_storeu_ps(s->v + 16 * j, live_lanes(s->n, j), q->v[j]);
}

ALWAYS uint64_t fire_vectors(neurons *q, size_t vecs, int gain, const __m512 x[4])
{
    uint64_t word = 0;
    for (size_t j = 0; j < vecs; j++) {
        __m512 current = gain ? _mm512_add_ps(_mm512_mul_ps(q->gain[j], x[j]), q->bias[j]) : x[j];
        __m512 u = _mm512_add_ps(q->v[j], current);
        __mmask16 on = _mm512_cmp_ps_mask(u, q->theta[j], _CMP_GE_OQ);
        q->v[j] = _mm512_mask_sub_ps(u, on, u, q->theta[j]);
        word |= (uint64_t)on << (16 * j);
    }
    return word & q->live;
}

#endif
