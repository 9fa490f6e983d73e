/* Lists and neurons of whole strips, for sets whose vectors the including file spells out: it has fire_step(), one
 * step of a strip whose membranes, MSTB_COLS of them, are in v. Included by block_<set>.c only, behind block_body.h. */
#ifndef MST_BLOCK_STRIPS_H
#define MST_BLOCK_STRIPS_H

/* Entries are written eight at a time, so that few branches depend on the data. */
ALWAYS size_t list_bits(const uint64_t *bits, size_t words, uint32_t first, uint32_t per, uint16_t *idx)
{
    size_t n = 0;
    for (size_t w = 0; w < words; w++, first += per) {
        uint64_t left = bits[w];
        uint16_t *to = idx + n;
        n += (size_t)__builtin_popcountll(left);
        while (left != 0)
            for (int i = 0; i < 8; i++) {
                *to++ = (uint16_t)(first + (uint32_t)__builtin_ctzll(left | (uint64_t)1 << 63));
                left &= left - 1;
            }
    }
    return n;
}

static size_t FN(list)(const mstb_source *in, size_t n, uint16_t *idx, uint32_t *start)
{
    return list_source(in, n, idx, start, list_bits);
}

/* ---- neurons --------------------------------------------------------------- */

/* Columns past the last have no membrane of their own. */
ALWAYS float *open_strip(const mstb_strip *s, float *own)
{
    if (s->n == MSTB_COLS) {
        if (s->from != s->v)
            memcpy(s->v, s->from, MSTB_COLS * sizeof *own);
        return s->v;
    }
    memset(own, 0, MSTB_COLS * sizeof *own);
    memcpy(own, s->from, s->n * sizeof *own);
    return own;
}

ALWAYS void close_strip(const mstb_strip *s, const float *own)
{
    if (s->n != MSTB_COLS)
        memcpy(s->v, own, s->n * sizeof *own);
}

static void FN(fire)(const mstb_strip *s, const float *x)
{
    float own[MSTB_COLS] __attribute__((aligned(64)));
    float *v = open_strip(s, own);
    uint64_t live = live_bits(s->n);
    for (size_t t = 0; t < s->steps; t++, x += MSTB_COLS)
        s->bits[t] = (s->gain != NULL ? fire_step(s, x, v, 1) : fire_step(s, x, v, 0)) & live;
    close_strip(s, own);
}

static void FN(gather_fire)(const mstb_lists *in, const mstb_strip *s, const float *w, const float *b,
                            const float *acc)
{
    float own[MSTB_COLS] __attribute__((aligned(64))), x[MSTB_COLS] __attribute__((aligned(64))) = {0};
    float *v = open_strip(s, own);
    uint64_t live = live_bits(s->n);
    for (size_t t = 0; t < s->steps; t++) {
        mstb_lists one = {in->idx, NULL, in->start + t * in->stride, in->stride};
        if (b == NULL)
            memcpy(x, acc + t * MSTB_COLS, sizeof x);
        FN(gather)
        (&one, 1, s->n, w, b, x);
        s->bits[t] = (s->gain != NULL ? fire_step(s, x, v, 1) : fire_step(s, x, v, 0)) & live;
    }
    close_strip(s, own);
}

static void FN(gather_bytes_fire)(const mstb_lists *in, const mstb_strip *s, size_t strips, const uint8_t *w,
                                  const float *c, const float *b)
{
    float own[2][MSTB_COLS] __attribute__((aligned(64))), x[2 * MSTB_COLS] __attribute__((aligned(64))), *v[2];
    for (size_t i = 0; i < strips; i++)
        v[i] = open_strip(&s[i], own[i]);
    for (size_t t = 0; t < s->steps; t++) {
        mstb_lists one = {in->idx, NULL, in->start + t * in->stride, in->stride};
        FN(gather_bytes)
        (&one, 1, strips, w, c, b, x, MSTB_COLS);
        for (size_t i = 0; i < strips; i++) {
            const float *from = x + i * MSTB_COLS;
            uint64_t word = s->gain != NULL ? fire_step(&s[i], from, v[i], 1) : fire_step(&s[i], from, v[i], 0);
            s[i].bits[t] = word & live_bits(s[i].n);
        }
    }
    for (size_t i = 0; i < strips; i++)
        close_strip(&s[i], own[i]);
}

#endif
