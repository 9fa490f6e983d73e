/* Thinning of counts. Included by count_body.h only. A set that makes Philox words in vectors has
 * defined THIN_GROUPS, thin_words() and thin_block(). */
#ifndef MST_COUNT_THIN_H
#define MST_COUNT_THIN_H

#include <string.h>

#include "runtime/core/philox.h"
#include "runtime/kernels/count_set.h"

ALWAYS uint8_t thinned(const mstc_thin *m, uint8_t n, uint32_t word)
{
    if (m->table == NULL)
        return (uint8_t)(((uint64_t)n * m->keep + word) >> 32);
    const size_t row = mstc_thin_row(m->levels);
    uint8_t k = 0;
    for (const uint32_t *less = m->table + n - 1; k < n && word >= *less; less += row)
        k++;
    return k;
}

/* All spikes of the one step. */
static void thin_each(const mstc_thin *m, uint64_t first, size_t n, const uint8_t *in, uint8_t *out)
{
    mst_draw d = {.seed = m->seed, .group = UINT64_MAX, .sample = m->sample, .time = 1, .index = m->index};
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] != 0 ? thinned(m, in[i], mst_draw_word(&d, first + i)) : 0;
}

#ifdef THIN_GROUPS
#define THIN_BLOCK (4 * THIN_GROUPS)

/* Many levels: words in vectors, counts one by one. in and out have THIN_BLOCK elements. */
static void thin_many(const mstc_thin *m, uint32_t group, const uint8_t *in, uint8_t *out)
{
    uint32_t word[4][THIN_GROUPS] __attribute__((aligned(64)));
    thin_words(m, group, word);
    for (size_t i = 0; i < THIN_BLOCK; i++)
        out[i] = in[i] != 0 ? thinned(m, in[i], word[i % 4][i / 4]) : 0;
}

static void thin_any(const mstc_thin *m, uint64_t first, const uint8_t *in, uint8_t *out)
{
    uint64_t some = 0;
    for (size_t i = 0; i < THIN_BLOCK; i += 8) {
        uint64_t eight;
        memcpy(&eight, in + i, 8);
        some |= eight;
    }
    if (some == 0)
        memset(out, 0, THIN_BLOCK);
    else if (m->table != NULL && m->levels <= 16)
        thin_block(m, (uint32_t)(first / 4), in, out);
    else
        thin_many(m, (uint32_t)(first / 4), in, out);
}

static void FN(thin)(const mstc_thin *m, uint64_t first, size_t n, const uint8_t *in, uint8_t *out)
{
    size_t i = (size_t)(-first % 4);
    i = i < n ? i : n;
    thin_each(m, first, i, in, out);
    for (; i + THIN_BLOCK <= n; i += THIN_BLOCK)
        thin_any(m, first + i, in + i, out + i);
    if (i < n) {
        uint8_t block[THIN_BLOCK] = {0};
        memcpy(block, in + i, n - i);
        thin_any(m, first + i, block, block);
        memcpy(out + i, block, n - i);
    }
}
#else
static void FN(thin)(const mstc_thin *m, uint64_t first, size_t n, const uint8_t *in, uint8_t *out)
{
    thin_each(m, first, n, in, out);
}
#endif

#endif
