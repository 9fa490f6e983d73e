/* The source of the block kernels that every set shares, compiled once per set.
 * The including file defines MSTB_SET and MSTB_WIDTH (floats per vector); kernels
 * that it replaces by intrinsics it names in its own table. No include guard:
 * meant for one inclusion per block_<set>.c, and for nothing else.
 */
#include <string.h>

#include "runtime/kernels/block_set.h"

#define VECS (MSTB_COLS / MSTB_WIDTH)

typedef float vec __attribute__((vector_size(MSTB_WIDTH * 4), aligned(4), may_alias));

#define VEC_AT(p, j) (((const vec *)(const void *)(p))[j])
#define VEC_TO(p, j) (((vec *)(void *)(p))[j])

/* ---- lists ------------------------------------------------------------- */

/* How a set lists consecutive words; returns how many entries. */
typedef size_t list_words(const uint64_t *bits, size_t words, uint32_t first, uint32_t per, uint16_t *idx);

ALWAYS size_t list_source(const mstb_source *in, size_t n, uint16_t *idx, uint32_t *start, list_words *list)
{
    for (size_t t = 0; t < in->steps; t++) {
        size_t chunk = 0;
        *start++ = (uint32_t)n;
        for (const mstb_run *r = in->runs; r < in->runs + in->n_runs; r++) {
            for (; chunk < r->chunk; chunk++)
                *start++ = (uint32_t)n;
            n += list(r->bits + t * in->step, r->words, r->first, r->per, idx + n);
        }
        for (; chunk + 1 < in->chunks; chunk++)
            *start++ = (uint32_t)n;
    }
    return n;
}

/* ---- gather ------------------------------------------------------------ */

/* One list into accumulators that stay in registers. */
ALWAYS void add_list(const uint16_t *idx, const uint16_t *end, size_t vecs, const float *w, vec a[VECS])
{
    for (; idx < end; idx++) {
        const float *row = w + (size_t)*idx * MSTB_COLS;
        for (size_t j = 0; j < vecs; j++)
            a[j] += VEC_AT(row, j);
    }
}

ALWAYS void add_list_val(const uint16_t *idx, const uint16_t *end, const float *val, size_t vecs,
                         const float *w, vec a[VECS])
{
    for (; idx < end; idx++, val++) {
        const float *row = w + (size_t)*idx * MSTB_COLS;
        for (size_t j = 0; j < vecs; j++)
            a[j] += *val * VEC_AT(row, j);
    }
}

ALWAYS void gather_vecs(const mstb_lists *in, size_t n, size_t vecs, const float *w, const float *b,
                        float *acc)
{
    for (size_t i = 0; i < n; i++, acc += MSTB_COLS) {
        uint32_t from = in->start[i * in->stride], end = in->start[i * in->stride + 1];
        const float *first = b != NULL ? b : acc;
        vec a[VECS];
        for (size_t j = 0; j < vecs; j++)
            a[j] = VEC_AT(first, j);
        if (in->val != NULL)
            add_list_val(in->idx + from, in->idx + end, in->val + from, vecs, w, a);
        else
            add_list(in->idx + from, in->idx + end, vecs, w, a);
        for (size_t j = 0; j < vecs; j++)
            VEC_TO(acc, j) = a[j];
    }
}

static void FN(gather)(const mstb_lists *in, size_t n, size_t cols, const float *w, const float *b,
                       float *acc)
{
    if (cols > MSTB_COLS / 2)
        gather_vecs(in, n, VECS, w, b, acc);
    else
        gather_vecs(in, n, VECS / 2, w, b, acc);
}

/* ---- dense ------------------------------------------------------------- */

typedef int32_t ints __attribute__((vector_size(MSTB_WIDTH * 4), may_alias));

#define AT_ONCE (MSTB_WIDTH / 4) /* steps whose sums stay in registers together */

/* Inputs of one word at n steps, up to the last that is set. What is not set adds -0, which changes
 * no sum. */
ALWAYS void dense_word(const uint64_t *bits, size_t step, size_t n, const float *w, vec a[AT_ONCE][VECS])
{
    const ints minus = (ints){0} + INT32_MIN;
    uint64_t word[AT_ONCE], any = 0;
    for (size_t t = 0; t < n; t++)
        any |= word[t] = bits[t * step];
    for (; any != 0; any >>= 1, w += MSTB_COLS)
        for (size_t t = 0; t < n; t++) {
            ints on = (ints){0} - (int32_t)(word[t] & 1);
            word[t] >>= 1;
            for (size_t j = 0; j < VECS; j++)
                a[t][j] += (vec)(((ints)VEC_AT(w, j) & on) | (minus & ~on));
        }
}

ALWAYS void dense_steps(const mstb_source *in, size_t t0, size_t n, const float *w, const float *b,
                        float *acc)
{
    vec a[AT_ONCE][VECS];
    for (size_t t = 0; t < n; t++)
        for (size_t j = 0; j < VECS; j++)
            a[t][j] = VEC_AT(b, j);
    for (const mstb_run *r = in->runs; r < in->runs + in->n_runs; r++)
        for (size_t k = 0; k < r->words; k++)
            dense_word(r->bits + t0 * in->step + k, in->step, n, w + ((size_t)r->first + k * r->per) * MSTB_COLS, a);
    for (size_t t = 0; t < n; t++)
        for (size_t j = 0; j < VECS; j++)
            VEC_TO(acc + t * MSTB_COLS, j) = a[t][j];
}

static void FN(dense)(const mstb_source *in, const float *w, const float *b, float *acc)
{
    size_t t = 0;
    for (; t + AT_ONCE <= in->steps; t += AT_ONCE)
        dense_steps(in, t, AT_ONCE, w, b, acc + t * MSTB_COLS);
    for (; t < in->steps; t++)
        dense_steps(in, t, 1, w, b, acc + t * MSTB_COLS);
}

/* ---- counting ------------------------------------------------------------ */

static uint64_t FN(count)(const uint64_t *bits, size_t words)
{
    uint64_t n = 0;
    for (size_t w = 0; w < words; w++)
        n += (uint64_t)__builtin_popcountll(bits[w]);
    return n;
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
