/* The source of the block kernels that every set shares, compiled once per set.
 * The including file defines MSTB_SET and MSTB_WIDTH (floats per vector); kernels
 * that it replaces by intrinsics it names in its own table. No include guard:
 * meant for one inclusion per block_<set>.c, and for nothing else.
 */
#include <string.h>

#include "runtime/kernels/block_kernels.h"

#define MSTB_CAT_(name, set) mstb_##name##__##set
#define MSTB_CAT(name, set) MSTB_CAT_(name, set)
#define FN(name) MSTB_CAT(name, MSTB_SET)
#define VECS (MSTB_COLS / MSTB_WIDTH)

typedef float vec __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));

#define VEC_AT(p, j) (((const vec *)(const void *)(p))[j])
#define VEC_TO(p, j) (((vec *)(void *)(p))[j])

/* ---- gather ------------------------------------------------------------ */

/* One list into 64 accumulators that stay in registers. */
static inline __attribute__((always_inline)) void add_list(const uint16_t *idx, const uint16_t *end, const float *w,
                                                           vec a[VECS])
{
    for (; idx < end; idx++) {
        const float *row = w + (size_t)*idx * MSTB_COLS;
        for (size_t j = 0; j < VECS; j++)
            a[j] += VEC_AT(row, j);
    }
}

static void FN(gather)(const mstb_lists *in, size_t n, const float *w, const float *b, float *acc)
{
    for (size_t i = 0; i < n; i++, acc += MSTB_COLS) {
        vec a[VECS];
        const float *from = b != NULL ? b : acc;
        for (size_t j = 0; j < VECS; j++)
            a[j] = VEC_AT(from, j);
        add_list(in->idx + in->start[i * in->stride], in->idx + in->start[i * in->stride + 1], w, a);
        for (size_t j = 0; j < VECS; j++)
            VEC_TO(acc, j) = a[j];
    }
}

static void FN(gather_val)(const mstb_lists *in, size_t n, const float *w, const float *b, float *acc)
{
    for (size_t i = 0; i < n; i++, acc += MSTB_COLS) {
        vec a[VECS];
        const float *from = b != NULL ? b : acc;
        for (size_t j = 0; j < VECS; j++)
            a[j] = VEC_AT(from, j);
        for (uint32_t e = in->start[i * in->stride]; e < in->start[i * in->stride + 1]; e++) {
            const float *row = w + (size_t)in->idx[e] * MSTB_COLS;
            float x = in->val[e];
            for (size_t j = 0; j < VECS; j++)
                a[j] += x * VEC_AT(row, j);
        }
        for (size_t j = 0; j < VECS; j++)
            VEC_TO(acc, j) = a[j];
    }
}

/* ---- values of a strip ---------------------------------------------------- */

static void FN(add)(const float *from, size_t step, size_t n, size_t steps, int add, float *restrict x)
{
    for (size_t t = 0; t < steps; t++, from += step, x += MSTB_COLS)
        if (add)
            for (size_t j = 0; j < n; j++)
                x[j] += from[j];
        else
            memcpy(x, from, n * sizeof *x);
}

static void FN(affine)(const float *g, const float *h, size_t steps, float *restrict x)
{
    for (size_t t = 0; t < steps; t++, x += MSTB_COLS)
        for (size_t j = 0; j < MSTB_COLS; j++)
            x[j] = g[j] * x[j] + h[j];
}
