/* Runs layers on counts: rows of them times panels of weights, or products of them, terms added, then neurons. */
#include <string.h>

#include "runtime/backend/cpu/cpu_count.h"

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
    a.x = take(&a.bytes, CPU_COUNT_ROWS * e->cols * sizeof(float));
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

/* Neurons fire, or sums are stored, while they are in registers. Nothing is added, or more. */
static void run_rows(const cpu_job *job, size_t group, size_t r0, size_t r1)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    const cpu_count_synapse *how = cpu_count_of(e->syn);
    const mst_count_kernels *k = cpu_count_kernels(job->s->p);
    size_t o = group * e->syn->group_out, at = r0 * e->cols + o;
    mstc_input in = input_of(job, e->syn, group, r0);
    mstc_weights w = how->w;
    mstc_more more;
    w.panels += group * how->group_bytes;
    mstc_affine a = {.c = e->syn->node->weights->unit_c + o, .b = how->b + o};
    if (e->n_terms == 1 && cpu_count_more(job, e->terms, r0, o, &more))
        a.more = &more;
    if (op->fire.rule == RT_STORE) {
        mstc_floats y = {(float *)rt_buf_at(job->s, op->out.buf) + at, e->cols};
        k->current(&in, &w, r1 - r0, &a, &y);
    } else {
        mstc_neuron q = cpu_count_neuron(&op->fire, o);
        cpu_count_use_quick(op, o, &a);
        mstc_bytes y = {cpu_counts_at(job->s, &op->out) + at, e->cols, NULL};
        k->fire(&in, &w, r1 - r0, &a, &q, &y);
    }
}

/* By run_rows? */
static bool in_one_go(const cpu_job *job)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    mstc_more more;
    return (op->fire.rule == RT_STORE || op->fire.each != RT_EACH_ROW) &&
           (e->n_terms == 0 || (e->n_terms == 1 && cpu_count_more(job, e->terms, 0, 0, &more)));
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
    mstc_floats y = {x + o, job->op->expr->cols};
    cpu_count_kernels(job->s->p)->current(&in, &w, rows, &a, &y);
}

static void run_synapse(const cpu_job *job, unsigned part, unsigned thread)
{
    const rt_op *op = job->op;
    const rt_expr *e = op->expr;
    const cpu_count_synapse *how = cpu_count_of(e->syn);
    size_t r0 = cpu_split(e->rows, part, job->parts), r1 = cpu_split(e->rows, part + 1, job->parts);
    float *x = (float *)(void *)(rt_scratch(job->s, job->op, thread) + area_of(e).x);
    if (in_one_go(job)) {
        for (size_t g = 0; g < how->groups; g++)
            run_rows(job, g, r0, r1);
        return;
    }
    for (size_t r = r0, n; r < r1; r += n) {
        n = r1 - r < CPU_COUNT_ROWS ? r1 - r : CPU_COUNT_ROWS;
        for (size_t g = 0; g < how->groups; g++)
            current_rows(job, g, r, n, x);
        cpu_count_finish(job, r, n, false, x);
    }
}

/* ---- products --------------------------------------------------------------------------------------- */

/* The first term of all rows of the batch, if it is one matrix, whose rows are *apart floats apart; NULL: something
 * else. */
static const float *bias_of(const cpu_job *job, size_t batch, size_t *apart)
{
    const rt_expr *e = job->op->expr;
    const rt_term *t = e->terms;
    if (e->n_terms == 0 || t->kind != RT_TERM_ROWS || t->one)
        return NULL;
    size_t row = batch * e->prod->m;
    *apart = t->row == NULL ? e->cols : e->prod->m > 1 ? t->row[row + 1] - t->row[row]
                                                       : 0;
    for (size_t i = 1; t->row != NULL && i < e->prod->m; i++)
        if (t->row[row + i] != t->row[row] + i * *apart)
            return NULL;
    return (const float *)rt_at(job->s, t->ref) + (t->row != NULL ? t->row[row] : row * e->cols);
}

/* The terms of all rows of the batch, in *a, whose b is -0 so far, which changes nothing that it is added to: a bias,
 * more, or one after the other. false: there are others. */
static bool add_terms(const cpu_job *job, size_t batch, mstc_affine *a, mstc_more *more)
{
    const rt_expr *e = job->op->expr;
    uint32_t n = 0;
    size_t apart = 0;
    const float *bias = bias_of(job, batch, &apart);
    if (bias != NULL) {
        a->b = bias;
        a->b_step = apart;
        n = 1;
    }
    if (n < e->n_terms && cpu_count_more(job, &e->terms[n], batch * e->prod->m, 0, more)) {
        a->more = more;
        n++;
    }
    return n == e->n_terms;
}

/* The column that all rows of the batch start at; false where they differ. */
static bool one_column(const rt_op *op, size_t batch, size_t *column)
{
    size_t row = batch * op->expr->prod->m;
    *column = op->fire.each == RT_EACH_COLUMN ? cpu_count_column(op, row) : 0;
    for (size_t i = 1; op->fire.each == RT_EACH_COLUMN && i < op->expr->prod->m; i++)
        if (cpu_count_column(op, row + i) != *column)
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
    size_t row = batch * q->m, column;
    mstc_affine affine = {.c = c, .b = none};
    mstc_more more;
    if (op->fire.rule == RT_FIRE_COUNT && op->fire.each != RT_EACH_ROW && add_terms(job, batch, &affine, &more) &&
        one_column(op, batch, &column)) {
        mstc_neuron neuron = cpu_count_neuron(&op->fire, column);
        cpu_count_use_quick(op, 0, &affine);
        mstc_bytes y = {cpu_counts_at(job->s, &op->out), e->to != NULL ? 1 : e->cols, NULL};
        if (e->to != NULL)
            y.index = e->to + row;
        else
            y.y += row * e->cols;
        k->fire(&a, &w, q->m, &affine, &neuron, &y);
        return;
    }
    for (size_t r = 0, n; r < q->m; r += n) {
        n = q->m - r < CPU_COUNT_ROWS ? q->m - r : CPU_COUNT_ROWS;
        mstc_input rows = a;
        rows.x += r * a.ld;
        mstc_affine alone = {.c = c, .b = none};
        mstc_floats y = {x, e->cols};
        k->current(&rows, &w, n, &alone, &y);
        cpu_count_finish(job, row + r, n, false, x);
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
        cpu_count_terms(job, cpu_split(e->rows, part, job->parts), cpu_split(e->rows, part + 1, job->parts),
                        (float *)(void *)(rt_scratch(job->s, job->op, thread) + area_of(e).x));
}
