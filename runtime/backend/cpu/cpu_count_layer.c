/* Runs layers on counts: rows of them times panels of weights, or products of them, terms added, then neurons. */
#include <string.h>

#include "runtime/backend/cpu/cpu_count.h"

/* Rows whose sums are kept as floats where something is added to them. */
#define ROWS 16

/* ---- scratch memory ------------------------------------------------------------------------ */

typedef struct area {
    size_t x, sums, c, panels, bytes; /* offsets; all */
} area;

static size_t take(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 63) / 64 * 64;
    return at;
}

static area area_of(const rt_expr *e)
{
    area a = {0};
    size_t border = e->syn != NULL ? cpu_count_of(e->syn)->border_bytes : 0;
    a.bytes = border; /* the first thread's, for all */
    a.x = take(&a.bytes, ROWS * e->cols * sizeof(float));
    if (e->prod != NULL) {
        const rt_product *q = e->prod;
        a.c = take(&a.bytes, 2 * q->n * sizeof(float));
        a.sums = take(&a.bytes, 2 * q->k * sizeof(uint32_t));
        a.panels = take(&a.bytes, mstc_panels_size(q->n, 1, q->k));
    }
    return a;
}

size_t cpu_count_scratch(const mst_program *p, const rt_expr *e)
{
    (void)p;
    return area_of(e).bytes;
}

/* ---- terms and neurons, row by row --------------------------------------------------------------- */

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

/* Where a row of the sum starts in the neurons' tensor, and which of its columns that is. */
static size_t element_of(const rt_op *op, size_t row)
{
    return op->expr->to != NULL ? op->expr->to[row] : row * op->expr->cols;
}

static size_t column_of(const rt_op *op, size_t row) { return element_of(op, row) % op->out.cols; }

static mstc_neuron neuron_of(const rt_fire *f, size_t column)
{
    return (mstc_neuron){f->theta + column, f->gain != NULL ? f->gain + column : NULL,
                         f->gain != NULL ? f->bias + column : NULL, f->levels, f->shift};
}

static void fire_row(const cpu_job *job, size_t row, const float *x, uint8_t *y)
{
    const rt_op *op = job->op;
    const rt_fire *f = &op->fire;
    const mst_kernels *k = &job->s->p->k;
    size_t column = f->each == RT_EACH_COLUMN ? column_of(op, row)
                    : f->each == RT_EACH_ROW  ? row / f->per_channel % f->channels * RT_COLS
                                              : 0;
    mstk_neuron q = {f->theta + column, f->gain != NULL ? f->gain + column : NULL,
                     f->gain != NULL ? f->bias + column : NULL, f->levels, f->shift};
    (f->each == RT_EACH_COLUMN ? k->level_each_u8 : k->level_same_u8)(&q, x, y, op->expr->cols);
}

/* Rows row..row+rows-1, whose source is in x, or which have none. */
static void finish_rows(const cpu_job *job, size_t row, size_t rows, bool first, float *x)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    for (size_t r = 0; r < rows; r++, x += e->cols) {
        apply_terms(job, e, row + r, first, x);
        if (op->fire.rule == RT_STORE) {
            memcpy((float *)rt_buf_at(job->s, op->out.buf) + (row + r) * e->cols, x, e->cols * sizeof *x);
            continue;
        }
        fire_row(job, row + r, x, cpu_counts_at(job->s, &op->out) + element_of(op, row + r));
    }
}

static void run_terms(const cpu_job *job, size_t r0, size_t r1, unsigned thread)
{
    float *x = (float *)(void *)(rt_scratch(job->s, job->op, thread) + area_of(job->op->expr).x);
    for (size_t r = r0, n; r < r1; r += n) {
        n = r1 - r < ROWS ? r1 - r : ROWS;
        finish_rows(job, r, n, true, x);
    }
}

/* ---- synapses ------------------------------------------------------------------------------------- */

void cpu_count_border(const mst_session *s, const rt_op *op)
{
    const rt_synapse *syn = op->expr->syn;
    const cpu_count_synapse *how = cpu_count_of(syn);
    if (!how->at.bordered)
        return;
    op_make_border(&syn->node->u.conv, &how->at, cpu_counts_at(s, &syn->bits), rt_scratch(s, op, 0), sizeof(uint8_t));
}

static mstc_input input_of(const cpu_job *job, const rt_synapse *syn, size_t group, size_t row)
{
    const cpu_count_synapse *how = cpu_count_of(syn);
    mstc_input in = {.x = cpu_counts_at(job->s, &syn->bits),
                     .ld = syn->bits.cols,
                     .taps = how->at.taps,
                     .n_taps = how->at.n_taps,
                     .k = how->at.k,
                     .most = (unsigned)syn->bits.levels};
    if (how->at.bordered)
        in.x = (const uint8_t *)rt_scratch(job->s, job->op, 0);
    in.x += group * syn->group_in;
    if (how->at.index != NULL)
        in.index = how->at.index + row;
    else
        in.x += row * in.ld;
    return in;
}

/* Nothing is added: neurons fire while the sums are in registers. */
static void fire_rows(const cpu_job *job, size_t group, size_t r0, size_t r1)
{
    const rt_op *op = job->op;
    const rt_synapse *syn = op->expr->syn;
    const cpu_count_synapse *how = cpu_count_of(syn);
    size_t o = group * syn->group_out, cols = op->expr->cols;
    mstc_input in = input_of(job, syn, group, r0);
    mstc_weights w = how->w;
    w.panels += group * how->group_bytes;
    mstc_affine a = {.c = syn->node->weights->unit_c + o, .b = how->b + o};
    mstc_neuron q = neuron_of(&op->fire, o);
    mstc_bytes y = {cpu_counts_at(job->s, &op->out) + r0 * cols + o, cols, NULL};
    cpu_count_kernels(job->s->p)->fire(&in, &w, r1 - r0, &a, &q, &y);
}

static void current_rows(const cpu_job *job, size_t group, size_t row, size_t rows, float *x)
{
    const rt_synapse *syn = job->op->expr->syn;
    const cpu_count_synapse *how = cpu_count_of(syn);
    size_t o = group * syn->group_out;
    mstc_input in = input_of(job, syn, group, row);
    mstc_weights w = how->w;
    w.panels += group * how->group_bytes;
    mstc_affine a = {.c = syn->node->weights->unit_c + o, .b = how->b + o};
    mstc_floats y = {x + o, job->op->expr->cols, NULL, 0};
    cpu_count_kernels(job->s->p)->current(&in, &w, rows, &a, &y);
}

static void run_synapse(const cpu_job *job, unsigned part, unsigned thread)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    const cpu_count_synapse *how = cpu_count_of(e->syn);
    size_t r0 = cpu_split(e->rows, part, job->parts), r1 = cpu_split(e->rows, part + 1, job->parts);
    float *x = (float *)(void *)(rt_scratch(job->s, job->op, thread) + area_of(e).x);
    if (op->fire.rule == RT_FIRE_COUNT && op->fire.each != RT_EACH_ROW && e->n_terms == 0) {
        for (size_t g = 0; g < how->groups; g++)
            fire_rows(job, g, r0, r1);
        return;
    }
    for (size_t r = r0, n; r < r1; r += n) {
        n = r1 - r < ROWS ? r1 - r : ROWS;
        for (size_t g = 0; g < how->groups; g++)
            current_rows(job, g, r, n, x);
        finish_rows(job, r, n, false, x);
    }
}

/* ---- products --------------------------------------------------------------------------------------- */

/* What is added to all rows of the batch, if that is one matrix or nothing, and no other term; its rows are
 * *apart floats apart. NULL: something else. none: -0, which changes nothing that it is added to. */
static const float *bias_of(const cpu_job *job, size_t batch, const float *none, size_t *apart)
{
    const rt_expr *e = job->op->expr;
    const rt_term *t = e->terms;
    *apart = 0;
    if (e->n_terms == 0)
        return none;
    if (e->n_terms != 1 || t->kind != RT_TERM_ROWS || t->one)
        return NULL;
    size_t row = batch * e->prod->m;
    *apart = t->row == NULL ? e->cols : e->prod->m > 1 ? t->row[row + 1] - t->row[row]
                                                       : 0;
    for (size_t i = 1; t->row != NULL && i < e->prod->m; i++)
        if (t->row[row + i] != t->row[row] + i * *apart)
            return NULL;
    return (const float *)rt_at(job->s, t->ref) + (t->row != NULL ? t->row[row] : row * e->cols);
}

/* The column that all rows of the batch start at; false where they differ. */
static bool one_column(const rt_op *op, size_t batch, size_t *column)
{
    size_t row = batch * op->expr->prod->m;
    *column = op->fire.each == RT_EACH_COLUMN ? column_of(op, row) : 0;
    for (size_t i = 1; op->fire.each == RT_EACH_COLUMN && i < op->expr->prod->m; i++)
        if (column_of(op, row + i) != *column)
            return false;
    return true;
}

/* Pairs of spikes. */
static uint64_t count_pairs(const cpu_job *job, const mstc_input *a, const mstc_input *b, const rt_product *q,
                            uint32_t *sums)
{
    const mst_count_kernels *k = cpu_count_kernels(job->s->p);
    int bits = job->s->p->mode == MST_RUN_RADIX;
    uint32_t *of_a = sums, *of_b = sums + q->k;
    uint64_t n = 0;
    k->column_sums(a, q->m, bits, of_a);
    if (q->trans_b)
        k->column_sums(b, q->n, bits, of_b);
    else
        k->row_sums(b, q->k, bits, of_b);
    for (size_t i = 0; i < q->k; i++)
        n += (uint64_t)of_a[i] * of_b[i];
    return n;
}

static void run_batch(const cpu_job *job, unsigned thread, size_t batch)
{
    static const size_t only[] = {0};
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    const rt_product *q = e->prod;
    const mst_count_kernels *k = cpu_count_kernels(job->s->p);
    area at = area_of(e);
    char *scratch = rt_scratch(job->s, job->op, thread);
    float *c = (float *)(void *)(scratch + at.c), *none = c + q->n, *x = (float *)(void *)(scratch + at.x);
    int8_t *panels = (int8_t *)(scratch + at.panels);
    mstc_input a = {.x = cpu_counts_at(job->s, &q->a) + (size_t)q->a_row[batch] * q->a.cols,
                    .ld = q->a.cols,
                    .taps = only,
                    .n_taps = 1,
                    .k = q->k,
                    .most = (unsigned)q->a.levels};
    mstc_input b = {.x = cpu_counts_at(job->s, &q->b) + (size_t)q->b_row[batch] * q->b.cols,
                    .ld = q->b.cols,
                    .taps = only,
                    .n_taps = 1,
                    .k = q->trans_b ? q->k : q->n,
                    .most = (unsigned)q->b.levels};
    unsigned lift = q->b.levels > 127 ? 128 : 0;
    job->ops[thread] += count_pairs(job, &a, &b, q, (uint32_t *)(void *)(scratch + at.sums));
    for (size_t j = 0; j < q->n; j++) {
        c[j] = q->node->u.matmul.c;
        none[j] = -0.0f;
    }
    if (q->trans_b)
        k->pack_rows(&b, q->n, lift, panels);
    else
        k->pack_columns(&b, q->k, lift, panels);
    mstc_weights w = {.panels = panels, .n = q->n, .most = lift != 0 ? 128 : (unsigned)q->b.levels, .lift = lift};
    size_t apart, row = batch * q->m;
    const float *bias = bias_of(job, batch, none, &apart);
    size_t column;
    if (op->fire.rule == RT_FIRE_COUNT && op->fire.each != RT_EACH_ROW && bias != NULL &&
        one_column(op, batch, &column)) {
        mstc_affine affine = {.c = c, .b = bias, .b_step = apart};
        mstc_neuron neuron = neuron_of(&op->fire, column);
        mstc_bytes y = {cpu_counts_at(job->s, &op->out), e->to != NULL ? 1 : e->cols, NULL};
        if (e->to != NULL)
            y.index = e->to + row;
        else
            y.y += row * e->cols;
        k->fire(&a, &w, q->m, &affine, &neuron, &y);
        return;
    }
    for (size_t r = 0, n; r < q->m; r += n) {
        n = q->m - r < ROWS ? q->m - r : ROWS;
        mstc_input rows = a;
        rows.x += r * a.ld;
        mstc_affine affine = {.c = c, .b = none};
        mstc_floats y = {x, e->cols, NULL, 0};
        k->current(&rows, &w, n, &affine, &y);
        finish_rows(job, row + r, n, false, x);
    }
}

static void run_product(const cpu_job *job, unsigned part, unsigned thread)
{
    const rt_product *q = job->op->expr->prod;
    size_t g0 = cpu_split(q->n_groups, part, job->parts), g1 = cpu_split(q->n_groups, part + 1, job->parts);
    for (size_t i = q->group[g0]; i < q->group[g1]; i++)
        run_batch(job, thread, i);
}

void cpu_count_layer(const cpu_job *job, unsigned part, unsigned thread)
{
    const rt_expr *e = job->op->expr;
    if (e->syn != NULL)
        run_synapse(job, part, thread);
    else if (e->prod != NULL)
        run_product(job, part, thread);
    else
        run_terms(job, cpu_split(e->rows, part, job->parts), cpu_split(e->rows, part + 1, job->parts), thread);
}
