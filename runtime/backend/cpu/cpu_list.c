/* Lists of the inputs of a synapse's band that are not zero, for a tile of rows and a block of
 * steps, in ascending order, cut into chunks. */
#include <string.h>

#include "runtime/backend/cpu/cpu_tile.h"
#include "runtime/plan/window.h"

typedef struct lister {
    const cpu_job *job;
    const rt_synapse *syn;
    const cpu_tile *tile;
    size_t band, n, chunk; /* entries so far; of values: chunk being filled */
    uint32_t *start;
} lister;

/* ---- bits -------------------------------------------------------------------------- */

/* Most runs of a row: a tap each, and one more where a chunk ends. */
size_t cpu_most_runs(const rt_synapse *syn)
{
    const op_conv *q = &syn->node->u.conv;
    return cpu_of(syn)->chunks + (syn->is_conv ? (size_t)q->h.kernel * (size_t)q->w.kernel : 1);
}

/* Words that belong to inputs from `first` on. */
static size_t add_run(const rt_synapse *syn, mstb_run *runs, size_t n, const uint64_t *bits, size_t words,
                      size_t first)
{
    size_t per = syn->bits.words == 1 ? syn->bits.cols : MSTB_COLS;
    while (words != 0) {
        size_t chunk = first / cpu_of(syn)->chunk, take = ((chunk + 1) * cpu_of(syn)->chunk - first + per - 1) / per;
        take = take < words ? take : words;
        runs[n++] = (mstb_run){bits, (uint32_t)take, (uint32_t)first, (uint32_t)per, (uint32_t)chunk};
        bits += take;
        words -= take;
        first += take * per;
    }
    return n;
}

/* Neighbouring taps are one run where the words that are read of each pixel join without a gap. */
static size_t window_runs(const rt_synapse *syn, mstb_run *runs, const uint64_t *bits, size_t band, size_t pixel)
{
    const op_conv *q = &syn->node->u.conv;
    const rt_value *b = &syn->bits;
    int64_t oh = (int64_t)pixel / q->w.out, ow = (int64_t)pixel % q->w.out, h_lo, h_hi, w_lo, w_hi;
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
    bool whole = cpu_of(syn)->bands == 1, gapless = whole && (b->words == 1 || b->cols % MSTB_COLS == 0);
    int64_t joined = q->w.dilation == 1 && gapless ? w_hi - w_lo : 1;
    size_t n = 0, channels = cpu_band_channels(syn), first = whole ? 0 : band * channels / MSTB_COLS,
           words = whole || (band + 1) * channels > b->cols ? b->words - first : channels / MSTB_COLS;
    for (int64_t i = h_lo; i < h_hi; i++) {
        int64_t row = (oh * q->h.stride - q->h.pad + i * q->h.dilation) * q->w.size;
        for (int64_t j = w_lo; j < w_hi; j += joined) {
            size_t at = (size_t)(row + ow * q->w.stride - q->w.pad + j * q->w.dilation);
            n = add_run(syn, runs, n, bits + at * b->words + first, (size_t)joined * words,
                        (size_t)(i * q->w.kernel + j) * channels);
        }
    }
    return n;
}

mstb_source cpu_source(const cpu_job *job, const cpu_tile *tile, size_t band, size_t row)
{
    const rt_synapse *syn = job->op->expr->syn;
    const uint64_t *bits = rt_words(job->s, &syn->bits);
    size_t n = syn->is_conv ? window_runs(syn, tile->runs, bits, band, row)
                            : add_run(syn, tile->runs, 0, bits + row * syn->bits.words, syn->bits.words, 0);
    return (mstb_source){tile->runs, n, syn->bits.step, job->steps, cpu_of(syn)->chunks};
}

static void list_bits(lister *l, size_t row)
{
    mstb_source in = cpu_source(l->job, l->tile, l->band, row);
    l->n = l->job->k->list(&in, l->n, l->tile->idx, l->start);
    l->start += l->job->steps * cpu_of(l->syn)->chunks;
}

/* ---- values ------------------------------------------------------------------------ */

static void next_chunk(lister *l)
{
    l->chunk++;
    *l->start++ = (uint32_t)l->n;
}

static void list_values(lister *l, const float *x, size_t n, size_t first)
{
    while (n != 0) {
        size_t take;
        while (l->chunk + 1 < cpu_of(l->syn)->chunks && first >= (l->chunk + 1) * cpu_of(l->syn)->chunk)
            next_chunk(l);
        take = l->chunk + 1 < cpu_of(l->syn)->chunks ? (l->chunk + 1) * cpu_of(l->syn)->chunk - first : n;
        take = take < n ? take : n;
        l->n += l->job->k->list_val(x, take, (uint32_t)first, l->tile->idx + l->n,
                                    l->tile->val + l->n);
        x += take;
        n -= take;
        first += take;
    }
}

static const float *values_at(const lister *l, uint32_t t, size_t rows, size_t row, size_t n)
{
    return (const float *)rt_buf_at(l->job->s, l->syn->buf) + (t * rows + row) * n;
}

static void list_window(lister *l, uint32_t t, size_t pixel)
{
    const op_conv *q = &l->syn->node->u.conv;
    size_t channels = cpu_band_channels(l->syn);
    int64_t oh = (int64_t)pixel / q->w.out, ow = (int64_t)pixel % q->w.out, h_lo, h_hi, w_lo, w_hi;
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
    for (int64_t i = h_lo; i < h_hi; i++) {
        int64_t row = (oh * q->h.stride - q->h.pad + i * q->h.dilation) * q->w.size;
        for (int64_t j = w_lo; j < w_hi; j++) {
            size_t at = (size_t)(row + ow * q->w.stride - q->w.pad + j * q->w.dilation);
            const float *pixel_at = values_at(l, t, (size_t)q->h.size * (size_t)q->w.size, at, q->channels);
            list_values(l, pixel_at + l->band * channels, channels, (size_t)(i * q->w.kernel + j) * channels);
        }
    }
}

/* The made input of one row at all steps. */
static void make_row(const lister *l, size_t row)
{
    const rt_expr *from = l->syn->from;
    for (size_t j = 0; j * MSTB_COLS < from->cols; j++) {
        size_t left = from->cols - j * MSTB_COLS, n = left < MSTB_COLS ? left : MSTB_COLS;
        cpu_apply_terms(l->job, from, (cpu_place){row, j}, 0, l->tile->x);
        for (uint32_t t = 0; t < l->job->steps; t++)
            memcpy(l->tile->row + t * from->cols + j * MSTB_COLS, l->tile->x + t * MSTB_COLS,
                   n * sizeof *l->tile->x);
    }
}

static void list_row(lister *l, size_t row)
{
    const rt_synapse *syn = l->syn;
    if (syn->from != NULL)
        make_row(l, row);
    for (uint32_t t = 0; t < l->job->steps; t++) {
        *l->start++ = (uint32_t)l->n;
        l->chunk = 0;
        if (syn->from != NULL)
            list_values(l, l->tile->row + t * cpu_of(syn)->k, cpu_of(syn)->k, 0);
        else if (syn->is_conv)
            list_window(l, t, row);
        else
            list_values(l, values_at(l, t, syn->node->u.linear.rows, row, cpu_of(syn)->k), cpu_of(syn)->k, 0);
        while (l->chunk + 1 < cpu_of(syn)->chunks)
            next_chunk(l);
    }
}

size_t cpu_list_tile(const cpu_job *job, const cpu_tile *tile, size_t band, size_t r0, size_t rows)
{
    const rt_synapse *syn = job->op->expr->syn;
    lister l = {.job = job, .syn = syn, .tile = tile, .band = band, .start = tile->start};
    for (size_t r = r0; r < r0 + rows; r++)
        syn->has_bits ? list_bits(&l, r) : list_row(&l, r);
    *l.start = (uint32_t)l.n;
    return l.n;
}
