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

static size_t words32(size_t k) { return (k + 31) / 32; }

size_t blk_tile_layout(const blk_program *b, const blk_expr *e, char *base, blk_tile *t)
{
    size_t total = 0, steps = b->steps, pairs = steps, idx = 0, val = 0, start = 0, row = 0, runs = 0, planes_a = 0,
           planes_b = 0;
    t->rows = 1;
    if (e->syn != NULL) {
        t->rows = BLK_PAIRS / steps != 0 ? BLK_PAIRS / steps : 1;
        t->rows = t->rows > e->rows ? e->rows : t->rows;
        pairs = t->rows * steps;
        size_t entries = pairs * e->syn->k + MSTB_SLACK;
        idx = take(&total, entries * sizeof *t->idx);
        val = e->syn->has_bits ? 0 : take(&total, entries * sizeof *t->val);
        row = e->syn->from != NULL ? take(&total, steps * e->syn->k * sizeof *t->row) : 0;
        runs = e->syn->has_bits ? take(&total, blk_most_runs(e->syn) * sizeof *t->runs) : 0;
        start = take(&total, (pairs * e->syn->chunks + 1) * sizeof *t->start);
    }
    if (e->prod != NULL) {
        size_t blocks = (e->prod->n + MSTB_COLS - 1) / MSTB_COLS;
        planes_a = take(&total, steps * words32(e->prod->k) * sizeof *t->a);
        planes_b = take(&total, steps * blocks * words32(e->prod->k) * MSTB_COLS * sizeof *t->b);
    }
    size_t lines = e->syn != NULL && e->syn->panels8 != NULL ? 2 * steps : pairs;
    size_t x = take(&total, lines * MSTB_COLS * sizeof *t->x);
    if (base != NULL) {
        t->idx = (uint16_t *)(void *)(base + idx);
        t->val = (float *)(void *)(base + val);
        t->row = (float *)(void *)(base + row);
        t->runs = (mstb_run *)(void *)(base + runs);
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

size_t blk_layer_hot(const blk_expr *e)
{
    size_t strip = MSTB_COLS * sizeof(float), words = e->prod != NULL ? words32(e->prod->k) : 0;
    if (e->syn != NULL) /* and as much of weights */
        return (e->syn->panels8 != NULL ? 2 : 1) * 2 * strip;
    return strip + words * (strip + sizeof(uint32_t));
}

static size_t columns_at(const blk_expr *e, size_t block)
{
    size_t left = e->cols - block * MSTB_COLS;
    return left < MSTB_COLS ? left : MSTB_COLS;
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

static void add_rows(const blk_job *job, const blk_expr *e, blk_place at, const blk_term *t, int add,
                     float *x)
{
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
    job->s->p->block->k.add(from, 0, columns_at(e, at.block), job->steps, add, x);
}

static void apply_term(const blk_job *job, const blk_expr *e, blk_place at, const blk_term *t, int add,
                       float *x)
{
    const mst_block_kernels *k = &job->s->p->block->k;
    size_t col = at.block * MSTB_COLS;
    if (t->kind == BLK_TERM_ROWS)
        add_rows(job, e, at, t, add, x);
    if (t->kind == BLK_TERM_FLOAT) {
        const float *from = blk_buf_at(job->s, t->buf);
        k->add(from + at.row * e->cols + col, e->rows * e->cols, columns_at(e, at.block), job->steps, add, x);
    }
    if (t->kind == BLK_TERM_AFFINE)
        k->affine(t->g + (t->one ? 0 : col), t->h + (t->one ? 0 : col), job->steps, x);
}

void blk_apply_terms(const blk_job *job, const blk_expr *e, blk_place at, int add, float *x)
{
    for (uint32_t i = 0, run; i < e->n_terms; i += run, add = 1) {
        run = 0;
        while (i + run < e->n_terms && e->terms[i + run].kind == BLK_TERM_BITS)
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
static size_t element_at(const blk_expr *e, blk_place at)
{
    return (e->to != NULL ? e->to[at.row] : at.row * e->cols) + at.block * MSTB_COLS;
}

static size_t constants_at(const blk_op *op, blk_place at, size_t element)
{
    switch (op->each) {
    case BLK_EACH_COLUMN: return element % op->out.cols;
    case BLK_EACH_ROW: return at.row / op->per_channel % op->channels * MSTB_COLS;
    case BLK_EACH_SAME: break;
    }
    return 0;
}

/* Copy the strip's membranes from where they lie in pieces, or back. */
static void copy_pieces(const blk_job *job, size_t element, size_t n, float *own, bool back)
{
    const blk_op *op = job->op;
    float *v = (float *)(void *)(job->s->mem + op->step->u.neuron.v);
    for (size_t j = 0; j < n; j += op->piece) {
        float *at = v + op->piece_at[(element + j) / op->piece];
        for (size_t k = 0; k < op->piece; k += 8) /* a multiple of 8: no calls for small copies */
            memcpy(back ? at + k : own + j + k, back ? own + j + k : at + k, 8 * sizeof *own);
    }
}

void blk_open_neurons(const blk_job *job, blk_place at, blk_firing *f)
{
    const blk_op *op = job->op;
    bool first = job->s->time == 0;
    size_t element = element_at(op->expr, at), n = columns_at(op->expr, at.block),
           c = constants_at(op, at, element);
    f->strip = (mstb_strip){.theta = op->theta + c,
                            .gain = op->gain != NULL ? op->gain + c : NULL,
                            .bias = op->bias != NULL ? op->bias + c : NULL,
                            .v = (float *)(void *)(job->s->mem + op->step->u.neuron.v) + element,
                            .n = n,
                            .steps = job->steps,
                            .bits = f->bits};
    if (op->piece_at != NULL)
        f->strip.v = f->v;
    f->strip.from = first ? op->first + c : f->strip.v;
    if (op->piece_at != NULL && !first)
        copy_pieces(job, element, n, f->v, false);
    if (op->piece_at != NULL || at.row + 1 == op->expr->rows)
        return;
    /* the next row's membranes, which lie too far apart for the machine to guess */
    const float *next = f->strip.v - element + element_at(op->expr, (blk_place){at.row + 1, at.block});
    for (size_t i = 0; i < n; i += 16)
        __builtin_prefetch(next + i, 1);
}

/* Words that hold several rows were cleared before the operation began. */
void blk_close_neurons(const blk_job *job, blk_place at, const blk_firing *f)
{
    const blk_op *op = job->op;
    size_t element = element_at(op->expr, at), col = element % op->out.cols, shift = col % 64, n = f->strip.n;
    uint64_t *to = blk_words(job->s, &op->out) + element / op->out.cols * op->out.words + col / 64;
    if (op->piece_at != NULL)
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

void blk_finish_strip(const blk_job *job, blk_place at, float *x)
{
    const blk_op *op = job->op;
    const blk_expr *e = op->expr;
    blk_apply_terms(job, e, at, e->syn != NULL || e->prod != NULL, x);
    if (op->step != NULL) {
        blk_firing f;
        blk_open_neurons(job, at, &f);
        job->s->p->block->k.fire(&f.strip, x);
        blk_close_neurons(job, at, &f);
        return;
    }
    float *to = (float *)blk_buf_at(job->s, op->out_buf) + at.row * e->cols + at.block * MSTB_COLS;
    for (uint32_t t = 0; t < job->steps; t++, to += op->n, x += MSTB_COLS)
        memcpy(to, x, columns_at(e, at.block) * sizeof *to);
}

/* ---- a layer ----------------------------------------------------------------------- */

static void run_terms(const blk_job *job, unsigned part, unsigned thread)
{
    const blk_expr *e = job->op->expr;
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, e, job->s->mem + b->scratch + thread * b->scratch_bytes, &tile);
    size_t blocks = (e->cols + MSTB_COLS - 1) / MSTB_COLS;
    for (size_t r = blk_split(e->rows, part, job->parts); r < blk_split(e->rows, part + 1, job->parts); r++)
        for (size_t j = 0; j < blocks; j++)
            blk_finish_strip(job, (blk_place){r, j}, tile.x);
}

void blk_run_layer(const blk_job *job, unsigned part, unsigned thread)
{
    if (job->op->expr->syn != NULL)
        blk_run_synapse(job, part, thread);
    else if (job->op->expr->prod != NULL)
        blk_run_product(job, part, thread);
    else
        run_terms(job, part, thread);
}
