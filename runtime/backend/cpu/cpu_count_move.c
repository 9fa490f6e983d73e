/* Moves, thins and unpacks counts. */
#include <string.h>

#include "runtime/backend/cpu/cpu_count.h"

static void move_rows(const cpu_job *job, size_t r0, size_t r1)
{
    const rt_op *op = job->op;
    const rt_move *q = &op->move;
    uint8_t *to = cpu_counts_at(job->s, &op->out);
    size_t cols = op->out.cols;
    for (size_t r = r0; r < r1; r++) {
        const uint8_t *from = cpu_counts_at(job->s, &q->in[q->source != NULL ? q->source[r] : 0]);
        if (q->from[r] == UINT32_MAX)
            memset(to + r * cols, 0, cols);
        else
            memcpy(to + r * cols, from + q->from[r] * cols, cols);
    }
}

static inline __attribute__((always_inline)) void move_units(const cpu_job *job, size_t u0, size_t u1, size_t unit)
{
    const rt_op *op = job->op;
    const rt_move *q = &op->move;
    const uint8_t *in[RT_MAX_SOURCES];
    uint8_t *to = cpu_counts_at(job->s, &op->out);
    for (uint32_t k = 0; k < q->n_in; k++)
        in[k] = cpu_counts_at(job->s, &q->in[k]);
    for (size_t u = u0; u < u1; u++) {
        if (q->from[u] == UINT32_MAX)
            memset(to + u * unit, 0, unit);
        else
            memcpy(to + u * unit, in[q->source != NULL ? q->source[u] : 0] + (size_t)q->from[u] * unit, unit);
    }
}

/* Byte j of word i becomes byte i of word j. */
static inline void transpose_bytes(uint64_t x[8])
{
    static const uint64_t low[] = {0x00ff00ff00ff00ffu, 0x0000ffff0000ffffu, 0x00000000ffffffffu};
    for (unsigned s = 0; s < 3; s++)
        for (unsigned i = 0; i < 8; i++)
            if ((i >> s & 1) == 0) { /* a word and the one 2^s behind it swap halves of pieces */
                uint64_t swap = ((x[i] >> (8u << s)) ^ x[i + (1u << s)]) & low[s];
                x[i + (1u << s)] ^= swap;
                x[i] ^= swap << (8u << s);
            }
}

/* Eight columns of eight rows, which become the rows row[0..7]. */
static inline void move_block(const uint32_t *row, const uint8_t *in, size_t ld_in, uint8_t *to, size_t ld)
{
    uint64_t x[8];
    for (size_t i = 0; i < 8; i++)
        memcpy(&x[i], in + i * ld_in, sizeof x[i]);
    transpose_bytes(x);
    for (size_t j = 0; j < 8; j++)
        memcpy(to + row[j] * ld, &x[j], sizeof x[j]);
}

/* Columns c0..c1-1 of the input become rows. */
static void move_columns(const cpu_job *job, size_t c0, size_t c1)
{
    const rt_op *op = job->op;
    const rt_move *q = &op->move;
    const uint8_t *in = cpu_counts_at(job->s, &q->in[0]);
    uint8_t *to = cpu_counts_at(job->s, &op->out);
    const size_t rows = q->in[0].rows, ld_in = q->in[0].cols, ld = op->out.cols;
    for (size_t c = c0, some; c < c1; c += some) {
        size_t r = 0;
        some = c1 - c < 8 ? c1 - c : 8;
        for (; some == 8 && r + 8 <= rows; r += 8)
            move_block(q->from + c, in + r * ld_in + c, ld_in, to + r, ld);
        for (; r < rows; r++)
            for (size_t j = 0; j < some; j++)
                to[q->from[c + j] * ld + r] = in[r * ld_in + c + j];
    }
}

void cpu_count_move(const cpu_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const rt_op *op = job->op;
    size_t r0 = cpu_split(op->out.rows, part, job->parts), r1 = cpu_split(op->out.rows, part + 1, job->parts),
           per = op->move.unit != 0 ? op->out.cols / op->move.unit : 1;
    switch (op->move.unit) {
    case 0: move_rows(job, r0, r1); break;
    case RT_MOVE_COLUMNS: move_columns(job, r0, r1); break; /* as many as rows of the output */
    case 64: move_units(job, r0 * per, r1 * per, 64); break;
    case 32: move_units(job, r0 * per, r1 * per, 32); break;
    case 16: move_units(job, r0 * per, r1 * per, 16); break;
    case 8: move_units(job, r0 * per, r1 * per, 8); break;
    default: move_units(job, r0 * per, r1 * per, 1);
    }
}

void cpu_count_mask(const cpu_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const rt_op *op = job->op;
    const mst_session *s = job->s;
    const op_mask *q = &op->node->u.mask;
    size_t n = op->out.step, from = cpu_split(n / 4, part, job->parts) * 4,
           to = part + 1 == job->parts ? n : cpu_split(n / 4, part + 1, job->parts) * 4;
    const uint8_t *in = cpu_counts_at(s, &op->in) + from;
    uint8_t *out = cpu_counts_at(s, &op->out) + from;
    mstc_thin m = {.seed = s->seed,
                   .sample = s->sample,
                   .index = q->index,
                   .levels = (unsigned)op->in.levels,
                   .table = q->table,
                   .keep = q->step};
    if (q->keep == 1.0f) /* nothing is drawn */
        memcpy(out, in, to - from);
    else
        cpu_count_kernels(s->p)->thin(&m, from, to - from, in, out);
}

/* From numbers, which an operator's function made, to bytes. */
void cpu_count_pack(const cpu_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const uint32_t *from = cpu_events_at(job->s, job->op->events);
    uint8_t *to = cpu_counts_at(job->s, &job->op->out);
    const size_t end = cpu_split(job->op->out.step, part + 1, job->parts);
    for (size_t i = cpu_split(job->op->out.step, part, job->parts); i < end; i++)
        to[i] = (uint8_t)from[i];
}

/* The other way round. */
void cpu_count_unpack(const cpu_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const uint8_t *from = cpu_counts_at(job->s, &job->op->in);
    uint32_t *to = cpu_events_at(job->s, job->op->events);
    const size_t end = cpu_split(job->op->out.step, part + 1, job->parts);
    for (size_t i = cpu_split(job->op->out.step, part, job->parts); i < end; i++)
        to[i] = from[i];
}
