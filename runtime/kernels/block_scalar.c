/* The block kernels for any machine: the reference that the other sets must equal. */
#define MSTB_SET scalar
#define MSTB_WIDTH 4
#include "runtime/core/philox.h"
#include "runtime/kernels/block_body.h"
#include "runtime/kernels/integrate_fire.h"

ALWAYS size_t list_bits(const uint64_t *bits, size_t words, uint32_t first, uint32_t per, uint16_t *idx)
{
    size_t n = 0;
    for (size_t w = 0; w < words; w++, first += per)
        for (uint64_t left = bits[w]; left != 0; left &= left - 1)
            idx[n++] = (uint16_t)(first + (uint32_t)__builtin_ctzll(left));
    return n;
}

static size_t FN(list)(const mstb_source *in, size_t n, uint16_t *idx, uint32_t *start)
{
    return list_source(in, n, idx, start, list_bits);
}

/* Branch-free: at 10 % density a branch is mispredicted at every spike. */
static size_t FN(list_val)(const float *x, size_t n, uint32_t first, uint16_t *idx, float *val)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        idx[k] = (uint16_t)(first + i);
        val[k] = x[i];
        k += x[i] != 0.0f;
    }
    return k;
}

static void open_strip(const mstb_strip *s)
{
    if (s->from != s->v)
        memcpy(s->v, s->from, s->n * sizeof *s->v);
}

static uint64_t fire_step(const mstb_strip *s, const float *x)
{
    uint64_t word = 0;
    for (size_t j = 0; j < s->n; j++) {
        float current = s->gain != NULL ? s->gain[j] * x[j] + s->bias[j] : x[j];
        word |= (uint64_t)mstk_fire_one(&s->v[j], current, s->theta[j]) << j;
    }
    return word;
}

static void FN(fire)(const mstb_strip *s, const float *x)
{
    open_strip(s);
    for (size_t t = 0; t < s->steps; t++)
        s->bits[t] = fire_step(s, x + t * MSTB_COLS);
}

static void FN(gather_fire)(const mstb_lists *in, const mstb_strip *s, const float *w, const float *b,
                            const float *acc)
{
    open_strip(s);
    for (size_t t = 0; t < s->steps; t++) {
        float x[MSTB_COLS];
        mstb_lists one = {in->idx, NULL, in->start + t * in->stride, in->stride};
        if (b == NULL)
            memcpy(x, acc + t * MSTB_COLS, sizeof x);
        FN(gather)
        (&one, 1, s->n, w, b, x);
        s->bits[t] = fire_step(s, x);
    }
}

static void FN(gather_bytes_fire)(const mstb_lists *in, const mstb_strip *s, size_t strips, const uint8_t *w,
                                  const float *c, const float *b)
{
    for (size_t i = 0; i < strips; i++)
        open_strip(&s[i]);
    for (size_t t = 0; t < s->steps; t++) {
        float x[2 * MSTB_COLS];
        mstb_lists one = {in->idx, NULL, in->start + t * in->stride, in->stride};
        FN(gather_bytes)
        (&one, 1, strips, w, c, b, x, MSTB_COLS);
        for (size_t i = 0; i < strips; i++)
            s[i].bits[t] = fire_step(&s[i], x + i * MSTB_COLS);
    }
}

static void FN(sum)(const mstb_term *terms, size_t n_terms, size_t steps, int add, float *x)
{
    for (size_t t = 0; t < steps; t++, x += MSTB_COLS)
        for (size_t k = 0; k < n_terms; k++) {
            uint64_t word = terms[k].bits[t * terms[k].step];
            for (size_t j = 0; j < MSTB_COLS; j++) {
                float y = (word >> j & 1) != 0 ? terms[k].theta : 0.0f;
                x[j] = k == 0 && !add ? y : x[j] + y;
            }
        }
}

static uint64_t FN(coincide)(const mstb_planes *p, size_t n, float c, float *x)
{
    uint64_t total = 0;
    for (size_t t = 0; t < p->steps; t++, x += MSTB_COLS)
        for (size_t j = 0; j < (n + 15) / 16 * 16; j++) {
            uint32_t count = 0;
            for (size_t w = 0; w < p->words; w++)
                count += (uint32_t)__builtin_popcount(p->a[t * p->a_step + w] &
                                                      p->b[t * p->b_step + w * p->ld + j]);
            x[j] = c * (float)count;
            total += count;
        }
    return total;
}

static void FN(columns)(const uint64_t *rows, size_t ld, size_t k, size_t n, uint32_t *planes)
{
    (void)n; /* bits past n are 0 */
    memset(planes, 0, (k + 31) / 32 * MSTB_COLS * sizeof *planes);
    for (size_t i = 0; i < k; i++)
        for (uint64_t left = rows[i * ld]; left != 0; left &= left - 1)
            planes[i / 32 * MSTB_COLS + (size_t)__builtin_ctzll(left)] |= 1u << i % 32;
}

static void FN(mask)(const mstb_mask *m, uint64_t first, size_t n, const uint64_t *in, uint64_t *out)
{
    mst_draw d = {.seed = m->seed, .group = UINT64_MAX, .sample = m->sample, .time = m->time, .index = m->index};
    for (size_t w = 0; w < (n + 63) / 64; w++) {
        uint64_t kept = 0;
        for (uint64_t left = in[w]; left != 0; left &= left - 1) {
            uint64_t bit = left & (~left + 1), e = first + w * 64 + (uint64_t)__builtin_ctzll(left);
            kept |= mst_survives(mst_draw_word(&d, e), m->threshold) != 0 ? bit : 0;
        }
        out[w] = kept;
    }
}

const mst_block_kernels mst_block_kernels_scalar = {
#define MSTB_KERNEL(ret, name, args) .name = FN(name),
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
};
