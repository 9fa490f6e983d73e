/* Adds terms to sums of counts, and lets neurons read them: together with what makes the sums or with one another where
 * kernels can, otherwise row by row, each term on its own. */
#include <float.h>
#include <string.h>

#include "runtime/backend/cpu/cpu_count.h"

/* ---- terms as kernels take them ----------------------------------------------------------------- */

/* Of counts: where levels are a power of two, n/levels is exact, so theta may be divided instead, unless that is too
 * small to be. */
static mstc_more worth_of(const rt_value *v)
{
    if ((v->levels & (v->levels - 1)) == 0 && v->scale / (float)v->levels >= FLT_MIN)
        return (mstc_more){.theta = v->scale / (float)v->levels, .levels = 1};
    return (mstc_more){.theta = v->scale, .levels = (float)v->levels};
}

bool cpu_count_more(const cpu_job *job, const rt_term *t, size_t row, size_t column, mstc_more *m)
{
    const mst_session *s = job->s;
    const size_t cols = job->op->expr->cols;
    switch (t->kind) {
    case RT_TERM_BITS:
        *m = worth_of(&t->bits);
        m->counts = cpu_counts_at(s, &t->bits) + row * cols + column;
        m->ld = cols;
        return true;
    case RT_TERM_FLOAT:
        *m = (mstc_more){.floats = (const float *)rt_buf_at(s, t->buf) + row * cols + column, .ld = cols};
        return true;
    case RT_TERM_ROWS:
        *m = (mstc_more){.floats = (const float *)rt_at(s, t->ref) + column, .ld = 1};
        m->index = t->row != NULL ? t->row + row : NULL;
        if (t->row == NULL) {
            m->floats += row * cols;
            m->ld = cols;
        }
        return !t->one;
    default: return false;
    }
}

/* ---- row by row ---------------------------------------------------------------------------------- */

static void add_row(const mst_kernels *k, bool first, const float *from, float *x, size_t n)
{
    if (first)
        memcpy(x, from, n * sizeof *x);
    else
        k->add_to_f32(from, x, n);
}

static void add_same(bool first, float value, float *x, size_t n)
{
    for (size_t j = 0; j < n; j++)
        x[j] = first ? value : x[j] + value;
}

static void apply_terms(const cpu_job *job, const rt_expr *e, size_t row, bool first, float *x)
{
    const mst_session *s = job->s;
    const mst_kernels *k = &s->p->k;
    for (uint32_t i = 0; i < e->n_terms; i++, first = false) {
        const rt_term *t = &e->terms[i];
        const float *from;
        switch (t->kind) {
        case RT_TERM_BITS:
            (first ? k->worth_u8 : k->add_worth_u8)(t->bits.scale, (float)t->bits.levels,
                                                    cpu_counts_at(s, &t->bits) + row * e->cols, x, e->cols);
            break;
        case RT_TERM_ROWS:
            from = (const float *)rt_at(s, t->ref) + (t->row != NULL ? t->row[row] : row * e->cols);
            if (t->one)
                add_same(first, *from, x, e->cols);
            else
                add_row(k, first, from, x, e->cols);
            break;
        case RT_TERM_FLOAT:
            add_row(k, first, (const float *)rt_buf_at(s, t->buf) + row * e->cols, x, e->cols);
            break;
        case RT_TERM_AFFINE: k->affine_each_f32(t->g, t->h, x, x, e->cols); break;
        }
    }
}

static void fire_row(const cpu_job *job, size_t row, const float *x, uint8_t *y)
{
    const rt_op *op = job->op;
    const rt_fire *f = &op->fire;
    const mst_kernels *k = &job->s->p->k;
    size_t column = f->each == RT_EACH_COLUMN ? cpu_count_column(op, row)
                    : f->each == RT_EACH_ROW  ? row / f->per_channel % f->channels * RT_COLS
                                              : 0;
    mstk_neuron q = {f->theta + column, f->gain != NULL ? f->gain + column : NULL,
                     f->gain != NULL ? f->bias + column : NULL, f->levels, f->shift, f->back};
    (f->each == RT_EACH_COLUMN ? k->level_each_u8 : k->level_same_u8)(&q, x, y, op->expr->cols);
}

void cpu_count_finish(const cpu_job *job, size_t row, size_t rows, bool first, float *x)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    for (size_t r = 0; r < rows; r++, x += e->cols) {
        apply_terms(job, e, row + r, first, x);
        if (op->fire.rule == RT_STORE) {
            memcpy((float *)rt_buf_at(job->s, op->out.buf) + (row + r) * e->cols, x, e->cols * sizeof *x);
            continue;
        }
        fire_row(job, row + r, x, cpu_counts_at(job->s, &op->out) + cpu_count_element(op, row + r));
    }
}

/* ---- sums that are no layer's --------------------------------------------------------------------- */

bool cpu_count_stores_for(const rt_op *op, const rt_op *before)
{
    const rt_expr *e = op->expr, *from = before->expr;
    if (op->kind != RT_OP_LAYER || before->kind != RT_OP_LAYER || before->head + 1 != op->head)
        return false;
    bool alone = from->syn == NULL && from->prod == NULL && e->syn == NULL && e->prod == NULL && e->n_terms == 1;
    return alone && before->fire.rule == RT_STORE && op->fire.rule == RT_FIRE_COUNT && op->fire.each != RT_EACH_ROW &&
           e->terms[0].kind == RT_TERM_FLOAT && e->terms[0].buf == before->out.buf && e->cols == from->cols &&
           op->out.cols == e->cols;
}

/* Rows of at most two terms, in one go; with the neurons that read them, where those are joined. */
static bool run_sum(const cpu_job *job, size_t r0, size_t r1)
{
    const rt_op *op = job->op, *fires = op->joined != 0 ? op + 1 : op->fire.rule == RT_FIRE_COUNT ? op
                                                                                                  : NULL;
    const rt_expr *e = op->expr;
    mstc_more a, b;
    if (e->n_terms > 2 || !cpu_count_more(job, &e->terms[0], r0, 0, &a) ||
        (e->n_terms == 2 && !cpu_count_more(job, &e->terms[1], r0, 0, &b)) ||
        (fires != NULL && (fires->fire.each == RT_EACH_ROW || fires->out.cols != e->cols)))
        return false;
    mstc_neuron q;
    mstc_bytes y;
    mstc_floats keep;
    if (fires != NULL) {
        q = cpu_count_neuron(&fires->fire, 0);
        y = (mstc_bytes){cpu_counts_at(job->s, &fires->out) + r0 * e->cols, e->cols, NULL};
    }
    if (op->fire.rule == RT_STORE)
        keep = (mstc_floats){(float *)rt_buf_at(job->s, op->out.buf) + r0 * e->cols, e->cols};
    cpu_count_kernels(job->s->p)->sum(&a, e->n_terms == 2 ? &b : NULL, r1 - r0, e->cols, fires != NULL ? &q : NULL, &y,
                                      op->fire.rule == RT_STORE ? &keep : NULL);
    return true;
}

void cpu_count_terms(const cpu_job *job, size_t r0, size_t r1, float *x)
{
    if (run_sum(job, r0, r1))
        return;
    for (size_t i = 0; i <= job->op->joined; i++) {
        cpu_job one = *job;
        one.op = job->op + i;
        for (size_t r = r0, n; r < r1; r += n) {
            n = r1 - r < CPU_COUNT_ROWS ? r1 - r : CPU_COUNT_ROWS;
            cpu_count_finish(&one, r, n, true, x);
        }
    }
}
