/* Moves and masks bits. */
#include "runtime/backend/cpu/cpu.h"

static void move_rows(const rt_move *q, const uint64_t *const *in, const rt_value *out, size_t r0, size_t r1,
                      uint64_t *to)
{
    size_t words = out->words;
    for (size_t r = r0; r < r1; r++) {
        const uint64_t *from = in[q->source != NULL ? q->source[r] : 0] + q->from[r] * words;
        for (size_t w = 0; w < words; w++)
            to[r * words + w] = q->from[r] != UINT32_MAX ? from[w] : 0;
    }
}

/* The unit at position `at` of packed rows; units do not cross words. */
static inline uint64_t unit_at(const uint64_t *in, uint32_t at, uint32_t unit)
{
    if (at == UINT32_MAX)
        return 0;
    uint64_t bit = (uint64_t)at * unit;
    uint64_t x = in[bit / 64] >> bit % 64;
    return unit == 64 ? x : x & (((uint64_t)1 << unit) - 1);
}

static inline __attribute__((always_inline)) void move_units(const rt_move *q, const uint64_t *const *in,
                                                             const rt_value *out, size_t r0, size_t r1,
                                                             uint64_t *to, uint32_t unit)
{
    size_t per = out->cols / unit, i = r0 * per;
    for (size_t r = r0; r < r1; r++)
        for (size_t c = 0; c < out->words; c++) {
            uint64_t word = 0;
            size_t left = out->cols - c * 64, n = (left < 64 ? left : 64) / unit;
            for (size_t k = 0; k < n; k++, i++)
                word |= unit_at(in[q->source != NULL ? q->source[i] : 0], q->from[i], unit) << k * unit;
            to[r * out->words + c] = word;
        }
}

/* Bit j of a[i] becomes bit i of a[j], by halves: Hacker's Delight, 7-3. */
static void transpose64(uint64_t a[64])
{
    uint64_t m = 0xffffffffu;
    for (size_t j = 32; j != 0; j /= 2, m ^= m << j)
        for (size_t k = 0; k < 64; k = ((k | j) + 1) & ~j) {
            uint64_t t = (a[k] >> j ^ a[k | j]) & m;
            a[k] ^= t << j;
            a[k | j] ^= t;
        }
}

static void move_columns(const rt_move *q, const uint64_t *in, const rt_value *out, size_t w0, size_t w1,
                         uint64_t *to)
{
    const rt_value *b = &q->in[0];
    for (size_t w = w0; w < w1; w++)
        for (size_t c = 0; c < out->words; c++) {
            uint64_t a[64] = {0};
            size_t rows = b->rows - c * 64 < 64 ? b->rows - c * 64 : 64;
            size_t cols = b->cols - w * 64 < 64 ? b->cols - w * 64 : 64;
            for (size_t i = 0; i < rows; i++)
                a[i] = in[(c * 64 + i) * b->words + w];
            transpose64(a);
            for (size_t j = 0; j < cols; j++)
                to[q->from[w * 64 + j] * out->words + c] = a[j];
        }
}

void cpu_run_move(const cpu_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const rt_op *op = job->op;
    const rt_move *q = &op->move;
    size_t w0 = cpu_split(q->in[0].words, part, job->parts),
           w1 = cpu_split(q->in[0].words, part + 1, job->parts);
    size_t r0 = cpu_split(op->out.rows, part, job->parts), r1 = cpu_split(op->out.rows, part + 1, job->parts);
    const uint64_t *in[RT_MAX_SOURCES];
    for (uint32_t t = 0; t < job->steps; t++) {
        uint64_t *to = rt_words(job->s, &op->out) + t * op->out.step;
        for (uint32_t k = 0; k < q->n_in; k++)
            in[k] = rt_words(job->s, &q->in[k]) + t * q->in[k].step;
        switch (q->unit) {
        case RT_MOVE_COLUMNS: move_columns(q, in[0], &op->out, w0, w1, to); break;
        case 0: move_rows(q, in, &op->out, r0, r1, to); break;
        case 64: move_units(q, in, &op->out, r0, r1, to, 64); break;
        case 32: move_units(q, in, &op->out, r0, r1, to, 32); break;
        case 16: move_units(q, in, &op->out, r0, r1, to, 16); break;
        case 8: move_units(q, in, &op->out, r0, r1, to, 8); break;
        default: move_units(q, in, &op->out, r0, r1, to, 1);
        }
    }
}

void cpu_run_mask(const cpu_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const rt_op *op = job->op;
    const mst_session *s = job->s;
    const op_mask *q = &op->node->u.mask;
    size_t r0 = cpu_split(op->out.rows, part, job->parts), r1 = cpu_split(op->out.rows, part + 1, job->parts);
    for (uint32_t t = 0; t < job->steps; t++) {
        mstb_mask m = {s->seed, s->sample, s->time + t + 1, q->index, q->threshold};
        const uint64_t *in = rt_words(s, &op->in) + t * op->in.step;
        uint64_t *out = rt_words(s, &op->out) + t * op->out.step;
        for (size_t r = r0; r < r1; r++)
            job->k->mask(&m, (uint64_t)r * op->out.cols, op->out.cols, in + r * op->in.words,
                         out + r * op->out.words);
    }
}
