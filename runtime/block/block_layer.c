/* Runs a layer: whatever makes the current of its neurons, strip by strip, then the
 * neurons over the block's steps; or stores the current as floats. */
#include <string.h>

#include "runtime/block/block_tile.h"

static size_t take(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 63) / 64 * 64;
    return at;
}

static size_t words32(size_t k)
{
    return (k + 31) / 32;
}

size_t blk_tile_layout(const blk_program *b, const blk_expr *e, char *base, blk_tile *t)
{
    size_t total = 0, steps = b->steps, pairs = steps, idx = 0, val = 0, start = 0, planes_a = 0, planes_b = 0;
    t->rows = 1;
    if (e->syn != NULL) {
        t->rows = BLK_PAIRS / steps != 0 ? BLK_PAIRS / steps : 1;
        t->rows = t->rows > e->rows ? e->rows : t->rows;
        pairs = t->rows * steps;
        size_t entries = pairs * e->syn->k + MSTB_SLACK;
        idx = take(&total, entries * sizeof *t->idx);
        val = e->syn->has_bits ? 0 : take(&total, entries * sizeof *t->val);
        start = take(&total, (pairs * e->syn->chunks + 1) * sizeof *t->start);
    }
    if (e->prod != NULL) {
        size_t blocks = (e->prod->n + MSTB_COLS - 1) / MSTB_COLS;
        planes_a = take(&total, steps * words32(e->prod->k) * sizeof *t->a);
        planes_b = take(&total, steps * blocks * words32(e->prod->k) * MSTB_COLS * sizeof *t->b);
    }
    size_t x = take(&total, pairs * MSTB_COLS * sizeof *t->x);
    if (base != NULL) {
        t->idx = (uint16_t *)(void *)(base + idx);
        t->val = (float *)(void *)(base + val);
        t->start = (uint32_t *)(void *)(base + start);
        t->a = (uint32_t *)(void *)(base + planes_a);
        t->b = (uint32_t *)(void *)(base + planes_b);
        t->x = (float *)(void *)(base + x);
    }
    return total;
}

size_t blk_layer_scratch(const blk_program *b, const blk_expr *e)
{
    blk_tile t;
    return blk_tile_layout(b, e, NULL, &t);
}

/* ---- terms --------------------------------------------------------------------- */

static void add_bits(const blk_job *job, blk_place at, const blk_term *terms, uint32_t n, int add, float *x)
{
    mstb_term list[BLK_MAX_TERMS];
    for (uint32_t i = 0; i < n; i++) {
        const blk_bits *b = &terms[i].bits;
        list[i] = (mstb_term){blk_words(job->s, b) + at.row * b->words + at.block, b->step, b->scale};
    }
    job->s->p->block->k.sum(list, n, job->steps, add, x);
}

static void add_rows(const blk_job *job, blk_place at, const blk_term *t, size_t n, int add, float *x)
{
    const blk_expr *e = job->op->expr;
    const float *from = exec_at(job->s, t->ref);
    size_t start = t->row != NULL ? t->row[at.row] : at.row * e->cols;
    float same[MSTB_COLS];
    if (t->one) {
        for (size_t j = 0; j < MSTB_COLS; j++)
            same[j] = from[start];
        from = same;
    } else {
        from += start + at.block * MSTB_COLS;
    }
    job->s->p->block->k.add(from, 0, n, job->steps, add, x);
}

static void apply_term(const blk_job *job, blk_place at, const blk_term *t, size_t n, int add, float *x)
{
    const blk_expr *e = job->op->expr;
    const mst_block_kernels *k = &job->s->p->block->k;
    size_t col = at.block * MSTB_COLS;
    if (t->kind == BLK_TERM_ROWS)
        add_rows(job, at, t, n, add, x);
    if (t->kind == BLK_TERM_FLOAT) {
        const float *from = blk_buf_at(job->s, t->buf);
        k->add(from + at.row * e->cols + col, e->rows * e->cols, n, job->steps, add, x);
    }
    if (t->kind == BLK_TERM_AFFINE)
        k->affine(t->g + (t->one ? 0 : col), t->h + (t->one ? 0 : col), job->steps, x);
}

static size_t columns_at(const blk_expr *e, size_t block)
{
    size_t left = e->cols - block * MSTB_COLS;
    return left < MSTB_COLS ? left : MSTB_COLS;
}

static void apply_terms(const blk_job *job, blk_place at, float *x)
{
    const blk_expr *e = job->op->expr;
    size_t n = columns_at(e, at.block);
    int add = e->syn != NULL || e->prod != NULL;
    for (uint32_t i = 0, run; i < e->n_terms; i += run, add = 1) {
        run = 0;
        while (i + run < e->n_terms && e->terms[i + run].kind == BLK_TERM_BITS)
            run++;
        if (run != 0) {
            add_bits(job, at, &e->terms[i], run, add, x);
            continue;
        }
        apply_term(job, at, &e->terms[i], n, add, x);
        run = 1;
    }
}

/* ---- neurons --------------------------------------------------------------------- */

/* Element of the neuron's tensor at which a row of the expression starts. */
static size_t element_at(const blk_expr *e, size_t row)
{
    return e->to != NULL ? e->to[row] : row * e->cols;
}

mstb_strip blk_neurons(const blk_job *job, blk_place at, uint64_t *bits)
{
    const blk_op *op = job->op;
    size_t element = element_at(op->expr, at.row) + at.block * MSTB_COLS;
    size_t col = op->each ? element % op->out.cols : 0;
    float *v = (float *)(void *)(job->s->mem + op->step->u.neuron.v);
    return (mstb_strip){.theta = op->theta + col,
                        .gain = op->gain != NULL ? op->gain + col : NULL,
                        .bias = op->bias != NULL ? op->bias + col : NULL,
                        .v = v + element,
                        .n = columns_at(op->expr, at.block),
                        .steps = job->steps,
                        .bits = bits};
}

/* Words that hold several rows were cleared before; see blk_run_layer's caller. */
void blk_put_spikes(const blk_job *job, unsigned part, blk_place at, const uint64_t *bits)
{
    const blk_op *op = job->op;
    size_t element = element_at(op->expr, at.row) + at.block * MSTB_COLS, col = element % op->out.cols;
    uint64_t *to = blk_words(job->s, &op->out) + element / op->out.cols * op->out.words + col / 64;
    uint64_t *fired = job->s->block->counts[part].fired;
    size_t shift = col % 64, n = columns_at(op->expr, at.block);
    for (uint32_t t = 0; t < job->steps; t++, to += op->out.step) {
        fired[t] += (uint64_t)__builtin_popcountll(bits[t]);
        if (op->expr->to == NULL) {
            to[0] = bits[t];
            continue;
        }
        to[0] |= bits[t] << shift;
        if (shift + n > 64)
            to[1] |= bits[t] >> (64 - shift);
    }
}

void blk_finish_strip(const blk_job *job, unsigned part, blk_place at, float *x)
{
    const blk_op *op = job->op;
    const blk_expr *e = op->expr;
    uint64_t bits[BLK_MAX_STEPS];
    apply_terms(job, at, x);
    if (op->step != NULL) {
        mstb_strip s = blk_neurons(job, at, bits);
        job->s->p->block->k.fire(&s, x);
        blk_put_spikes(job, part, at, bits);
        return;
    }
    float *to = (float *)blk_buf_at(job->s, op->out_buf) + at.row * e->cols + at.block * MSTB_COLS;
    for (uint32_t t = 0; t < job->steps; t++, to += op->n, x += MSTB_COLS)
        memcpy(to, x, columns_at(e, at.block) * sizeof *to);
}

/* ---- a layer ----------------------------------------------------------------------- */

static void run_terms(const blk_job *job, unsigned part)
{
    const blk_expr *e = job->op->expr;
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, e, job->s->mem + b->scratch + part * b->scratch_bytes, &tile);
    size_t blocks = (e->cols + MSTB_COLS - 1) / MSTB_COLS;
    for (size_t r = blk_split(e->rows, part, job->parts); r < blk_split(e->rows, part + 1, job->parts); r++)
        for (size_t j = 0; j < blocks; j++)
            blk_finish_strip(job, part, (blk_place){r, j}, tile.x);
}

void blk_run_layer(const blk_job *job, unsigned part)
{
    if (job->op->expr->syn != NULL)
        blk_run_synapse(job, part);
    else if (job->op->expr->prod != NULL)
        blk_run_product(job, part);
    else
        run_terms(job, part);
}
