/* Finishes a strip: terms added to what its source made, then neurons over the block's steps, or the sums
 * stored as floats. */
#include <string.h>

#include "runtime/backend/cpu/cpu_tile.h"

static size_t columns_at(const rt_expr *e, size_t block)
{
    size_t left = e->cols - block * MSTB_COLS;
    return left < MSTB_COLS ? left : MSTB_COLS;
}

/* ---- terms --------------------------------------------------------------------- */

static void add_bits(const cpu_job *job, cpu_place at, const rt_term *terms, uint32_t n, int add, float *x)
{
    mstb_term list[RT_MAX_TERMS];
    for (uint32_t i = 0; i < n; i++) {
        const rt_value *b = &terms[i].bits;
        list[i] = (mstb_term){rt_words(job->s, b) + at.row * b->words + at.block, b->step, b->scale};
    }
    job->k->sum(list, n, job->steps, add, x);
}

static void add_rows(const cpu_job *job, const rt_expr *e, cpu_place at, const rt_term *t, int add,
                     float *x)
{
    const float *from = rt_at(job->s, t->ref);
    size_t start = t->row != NULL ? t->row[at.row] : at.row * e->cols;
    float same[MSTB_COLS];
    if (t->one) {
        for (size_t j = 0; j < MSTB_COLS; j++)
            same[j] = from[start];
        from = same;
    } else {
        from += start + at.block * MSTB_COLS;
    }
    job->k->add(from, 0, columns_at(e, at.block), job->steps, add, x);
}

static void apply_term(const cpu_job *job, const rt_expr *e, cpu_place at, const rt_term *t, int add,
                       float *x)
{
    const mst_block_kernels *k = job->k;
    size_t col = at.block * MSTB_COLS;
    if (t->kind == RT_TERM_ROWS)
        add_rows(job, e, at, t, add, x);
    if (t->kind == RT_TERM_FLOAT) {
        const float *from = rt_buf_at(job->s, t->buf);
        k->add(from + at.row * e->cols + col, e->rows * e->cols, columns_at(e, at.block), job->steps, add, x);
    }
    if (t->kind == RT_TERM_AFFINE)
        k->affine(t->g + (t->one ? 0 : col), t->h + (t->one ? 0 : col), job->steps, x);
}

void cpu_apply_terms(const cpu_job *job, const rt_expr *e, cpu_place at, int add, float *x)
{
    for (uint32_t i = 0, run; i < e->n_terms; i += run, add = 1) {
        run = 0;
        while (i + run < e->n_terms && e->terms[i + run].kind == RT_TERM_BITS)
            run++;
        if (run != 0) {
            add_bits(job, at, &e->terms[i], run, add, x);
            continue;
        }
        apply_term(job, e, at, &e->terms[i], add, x);
        run = 1;
    }
}

/* ---- neurons --------------------------------------------------------------------- */

/* Element of the output at which a strip starts. */
static size_t element_at(const rt_expr *e, cpu_place at)
{
    return (e->to != NULL ? e->to[at.row] : at.row * e->cols) + at.block * MSTB_COLS;
}

static size_t constants_at(const rt_op *op, cpu_place at, size_t element)
{
    switch (op->fire.each) {
    case RT_EACH_COLUMN: return element % op->out.cols;
    case RT_EACH_ROW: return at.row / op->fire.per_channel % op->fire.channels * MSTB_COLS;
    case RT_EACH_SAME: break;
    }
    return 0;
}

/* Copy the strip's membranes from where they lie in pieces, or back. */
static void copy_pieces(const cpu_job *job, size_t element, size_t n, float *own, bool back)
{
    const rt_op *op = job->op;
    float *v = (float *)(void *)(job->s->mem + op->node->state);
    for (size_t j = 0; j < n; j += op->fire.piece) {
        float *at = v + op->fire.piece_at[(element + j) / op->fire.piece];
        for (size_t k = 0; k < op->fire.piece; k += 8) /* a multiple of 8: no calls for small copies */
            memcpy(back ? at + k : own + j + k, back ? own + j + k : at + k, 8 * sizeof *own);
    }
}

void cpu_open_neurons(const cpu_job *job, cpu_place at, cpu_firing *f)
{
    const rt_op *op = job->op;
    bool first = job->s->time == 0 && op->fire.first != NULL;
    size_t element = element_at(op->expr, at), n = columns_at(op->expr, at.block),
           c = constants_at(op, at, element);
    f->strip = (mstb_strip){.theta = op->fire.theta + c,
                            .gain = op->fire.gain != NULL ? op->fire.gain + c : NULL,
                            .bias = op->fire.bias != NULL ? op->fire.bias + c : NULL,
                            .v = (float *)(void *)(job->s->mem + op->node->state) + element,
                            .n = n,
                            .steps = job->steps,
                            .bits = f->bits};
    if (op->fire.piece_at != NULL)
        f->strip.v = f->v;
    f->strip.from = first ? op->fire.first + c : f->strip.v;
    if (op->fire.piece_at != NULL && !first)
        copy_pieces(job, element, n, f->v, false);
    if (op->fire.piece_at != NULL || at.row + 1 == op->expr->rows)
        return;
    /* the next row's membranes, which lie too far apart for the machine to guess */
    const float *next = f->strip.v - element + element_at(op->expr, (cpu_place){at.row + 1, at.block});
    for (size_t i = 0; i < n; i += 16)
        __builtin_prefetch(next + i, 1);
}

/* Words that hold several rows were cleared before the operation began. */
void cpu_close_neurons(const cpu_job *job, cpu_place at, const cpu_firing *f)
{
    const rt_op *op = job->op;
    size_t element = element_at(op->expr, at), col = element % op->out.cols, shift = col % 64, n = f->strip.n;
    uint64_t *to = rt_words(job->s, &op->out) + element / op->out.cols * op->out.words + col / 64;
    if (op->fire.piece_at != NULL)
        copy_pieces(job, element, n, f->strip.v, true);
    for (uint32_t t = 0; t < job->steps; t++, to += op->out.step) {
        if (op->expr->to == NULL) {
            to[0] = f->bits[t];
            continue;
        }
        to[0] |= f->bits[t] << shift;
        if (shift + n > 64)
            to[1] |= f->bits[t] >> (64 - shift);
    }
}

void cpu_finish_strip(const cpu_job *job, cpu_place at, float *x)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    cpu_apply_terms(job, e, at, e->syn != NULL || e->prod != NULL, x);
    if (op->fire.rule == RT_FIRE_IF) {
        cpu_firing f;
        cpu_open_neurons(job, at, &f);
        job->k->fire(&f.strip, x);
        cpu_close_neurons(job, at, &f);
        return;
    }
    float *to = (float *)rt_buf_at(job->s, op->out.buf) + at.row * e->cols + at.block * MSTB_COLS;
    for (uint32_t t = 0; t < job->steps; t++, to += op->out.step, x += MSTB_COLS)
        memcpy(to, x, columns_at(e, at.block) * sizeof *to);
}
