/* LINEAR and CONV over a block of steps: the lists of a tile of rows are made once
 * and serve every block of 64 outputs; a block's float weights are used in chunks of
 * inputs that stay in the first caches. Where nearly all inputs fire, no list is used. */
#include "runtime/block/block_tile.h"

/* ---- compiling ----------------------------------------------------------------- */

/* What the lists can hold: one image, one group, inputs numbered by 16 bits. */
static bool fits(const mst_graph *g, const mst_node *n, const exec_step *st, size_t *k)
{
    const mst_tensor *w = &g->tensors[n->in[1]];
    if (w->data == NULL || (n->n_in > 2 && n->in[2] != MST_NONE && g->tensors[n->in[2]].data == NULL))
        return false;
    *k = w->dims[0];
    if (n->op == MST_OP_CONV) {
        if (st->u.conv.groups != 1 || st->u.conv.batch != 1)
            return false;
        *k = (size_t)w->dims[0] * w->dims[1] * w->dims[2];
    }
    return *k <= UINT16_MAX;
}

/* Sums of spikes are made row by row, everything else is in a buffer. */
static mst_status analog_input(blk_compiler *bc, const mst_node *n, blk_synapse *syn)
{
    blk_expr *e = NULL;
    if (n->op == MST_OP_LINEAR && !bc->values[n->in[0]].has_buf)
        MST_TRY(blk_as_expr(bc, n->in[0], false, &e));
    if (e != NULL && e->syn == NULL && e->prod == NULL && e->terms[0].kind == BLK_TERM_BITS) {
        syn->from = e;
        return MST_OK;
    }
    return blk_as_float(bc, n->in[0], &syn->buf);
}

/* Int8 weights at spikes with one theta. Where those are not bits the step handler sums the integers: a
 * float panel would not give its bits. */
static bool sums_integers(const exec_step *st)
{
    return st->weights->c != NULL;
}

mst_status blk_make_synapse(blk_compiler *bc, uint32_t node, blk_expr **expr)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    size_t k;
    *expr = NULL;
    if (bc->values[n->in[0]].kind == BLK_STATIC || !fits(bc->g, n, st, &k))
        return MST_OK;
    blk_synapse *syn = mst_arena_alloc(&bc->p->arena, sizeof *syn);
    blk_expr *e = mst_arena_alloc(&bc->p->arena, sizeof *e);
    if (syn == NULL || e == NULL)
        return blk_no_memory(bc);
    const mst_tensor *y = &bc->g->tensors[n->out];
    *syn = (blk_synapse){.step = st, .is_conv = n->op == MST_OP_CONV, .k = k, .out = blk_last_dim(y)};
    size_t chunks = (k + BLK_CHUNK - 1) / BLK_CHUNK;
    syn->chunk = ((k + chunks - 1) / chunks + 63) / 64 * 64; /* of about equal size */
    syn->chunks = (k + syn->chunk - 1) / syn->chunk;
    MST_TRY(blk_as_bits(bc, n->in[0], &syn->bits, &syn->has_bits));
    if (sums_integers(st) && !syn->has_bits)
        return MST_OK;
    if (sums_integers(st)) { /* a row of a panel is short: all of it stays in the caches */
        syn->chunk = k;
        syn->chunks = 1;
    }
    if (!syn->has_bits)
        MST_TRY(analog_input(bc, n, syn));
    MST_TRY(blk_make_panels(bc, syn, n));
    e->syn = syn;
    e->cols = (uint32_t)syn->out;
    e->rows = mst_tensor_elements(y) / syn->out;
    *expr = e;
    return MST_OK;
}

/* ---- products ---------------------------------------------------------------------- */

/* Above this share of inputs that fire, all are gone through (docs/EXECUTION.md: why the sums stay the
 * same): lists of all inputs of 192 rows run at 28 G adds/s from the second cache, all of them in turn at 33. */
#define DENSE_SHARE 0.75

typedef struct tile_run {
    const blk_job *job;
    const blk_tile *tile;
    size_t r0, rows;
    bool dense;
} tile_run;

static const float *weights_of(const blk_synapse *syn, size_t block)
{
    return syn->panels + block * syn->k * MSTB_COLS;
}

static const float *biases_of(const blk_synapse *syn, size_t block)
{
    return syn->panels + (blk_blocks_of(syn->out) * syn->k + block) * MSTB_COLS;
}

static mstb_lists lists_at(const tile_run *run, size_t row, size_t chunk)
{
    size_t chunks = run->job->op->expr->syn->chunks;
    return (mstb_lists){run->tile->idx, run->job->op->expr->syn->has_bits ? NULL : run->tile->val,
                        run->tile->start + row * run->job->steps * chunks + chunk, chunks};
}

static void gather_chunk(const tile_run *run, size_t block, size_t chunk)
{
    const blk_synapse *syn = run->job->op->expr->syn;
    const mst_block_kernels *k = &run->job->s->p->block->k;
    mstb_lists in = lists_at(run, 0, chunk);
    size_t left = syn->out - block * MSTB_COLS;
    k->gather(&in, run->rows * run->job->steps, left < MSTB_COLS ? left : MSTB_COLS,
              weights_of(syn, block), chunk == 0 ? biases_of(syn, block) : NULL, run->tile->x);
}

/* All inputs of the rows, zero or not. */
static void add_dense(const tile_run *run, size_t block)
{
    const blk_job *job = run->job;
    const blk_synapse *syn = job->op->expr->syn;
    for (size_t r = 0; r < run->rows; r++) {
        mstb_source in = blk_source(job, run->tile, run->r0 + r);
        job->s->p->block->k.dense(&in, weights_of(syn, block), biases_of(syn, block),
                                       run->tile->x + r * job->steps * MSTB_COLS);
    }
}

/* The last chunk of a block of outputs, and the neurons at once. */
static void gather_and_fire(const tile_run *run, size_t block)
{
    const blk_synapse *syn = run->job->op->expr->syn;
    for (size_t r = 0; r < run->rows; r++) {
        blk_firing f;
        blk_place at = {run->r0 + r, block};
        mstb_lists in = lists_at(run, r, syn->chunks - 1);
        blk_open_neurons(run->job, at, &f);
        run->job->s->p->block->k.gather_fire(&in, &f.strip, weights_of(syn, block),
                                             syn->chunks == 1 ? biases_of(syn, block) : NULL,
                                             run->tile->x + r * run->job->steps * MSTB_COLS);
        blk_close_neurons(run->job, at, &f);
    }
}

/* One row of two neighbouring blocks of outputs with int8 weights, or of the last one alone. */
typedef struct row8 {
    mstb_lists in;
    blk_place at;
    size_t strips;
    const uint8_t *w;
    const float *c, *b;
} row8;

static void finish_row8(const tile_run *run, const row8 *q)
{
    size_t apart = run->job->steps * MSTB_COLS;
    run->job->s->p->block->k.gather_bytes(&q->in, run->job->steps, q->strips, q->w, q->c, q->b, run->tile->x, apart);
    for (size_t s = 0; s < q->strips; s++)
        blk_finish_strip(run->job, (blk_place){q->at.row, q->at.block + s}, run->tile->x + s * apart);
}

static void fire_row8(const tile_run *run, const row8 *q)
{
    blk_firing f[2];
    mstb_strip strips[2];
    for (size_t s = 0; s < q->strips; s++) {
        blk_open_neurons(run->job, (blk_place){q->at.row, q->at.block + s}, &f[s]);
        strips[s] = f[s].strip;
    }
    run->job->s->p->block->k.gather_bytes_fire(&q->in, strips, q->strips, q->w, q->c, q->b);
    for (size_t s = 0; s < q->strips; s++)
        blk_close_neurons(run->job, (blk_place){q->at.row, q->at.block + s}, &f[s]);
}

/* The neurons need nothing but the synapse: they fire while the sums are in registers. */
static bool fires_at_once(const blk_op *op) { return op->step != NULL && op->expr->n_terms == 0; }

static void run_blocks8(const tile_run *run, size_t block)
{
    const blk_op *op = run->job->op;
    const blk_synapse *syn = op->expr->syn;
    size_t strips = blk_blocks_of(syn->out) - block > 1 ? 2 : 1, col = block * MSTB_COLS;
    for (size_t r = 0; r < run->rows; r++) {
        row8 q = {lists_at(run, r, 0), {run->r0 + r, block}, strips, syn->panels8 + syn->k * col,
                  syn->factors8 + col, syn->biases8 + col};
        fires_at_once(op) ? fire_row8(run, &q) : finish_row8(run, &q);
    }
}

static void run_block(const tile_run *run, size_t block)
{
    const blk_op *op = run->job->op;
    const blk_synapse *syn = op->expr->syn;
    bool at_once = fires_at_once(op) && syn->has_bits && !run->dense;
    if (run->dense)
        add_dense(run, block);
    for (size_t c = 0; c + (at_once ? 1 : 0) < syn->chunks && !run->dense; c++)
        gather_chunk(run, block, c);
    if (at_once) {
        gather_and_fire(run, block);
        return;
    }
    for (size_t r = 0; r < run->rows; r++)
        blk_finish_strip(run->job, (blk_place){run->r0 + r, block},
                         run->tile->x + r * run->job->steps * MSTB_COLS);
}

/* How many calls of run_block or run_blocks8 make the outputs. */
static size_t turns_of(const blk_synapse *syn)
{
    size_t blocks = blk_blocks_of(syn->out);
    return syn->panels8 != NULL ? (blocks + 1) / 2 : blocks;
}

/* Outputs of the group's operation g: all, or this part. */
static void run_outputs(const blk_job *job, uint32_t g, tile_run *run, unsigned part)
{
    blk_job one = *job;
    one.op = job->op + g;
    run->job = &one;
    const blk_synapse *syn = one.op->expr->syn;
    bool all = job->by_rows;
    size_t turns = turns_of(syn), j0 = all ? 0 : blk_split(turns, part, job->parts),
           j1 = all ? turns : blk_split(turns, part + 1, job->parts);
    for (size_t j = j0; j < j1; j++)
        syn->panels8 != NULL ? run_blocks8(run, 2 * j) : run_block(run, j);
}

/* Parts are rows; where there are few, blocks of outputs. */
void blk_run_synapse(const blk_job *job, unsigned part, unsigned thread)
{
    const blk_expr *e = job->op->expr;
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, e, job->s->mem + b->scratch + thread * b->scratch_bytes, &tile);
    size_t r0 = job->by_rows ? blk_split(e->rows, part, job->parts) : 0,
           r1 = job->by_rows ? blk_split(e->rows, part + 1, job->parts) : e->rows;
    for (size_t r = r0; r < r1; r += tile.rows) {
        size_t rows = r1 - r < tile.rows ? r1 - r : tile.rows, active = blk_list_tile(job, &tile, r, rows);
        bool dense = e->syn->has_bits && e->syn->panels8 == NULL &&
                     (double)active > DENSE_SHARE * (double)(rows * job->steps * e->syn->k);
        tile_run run = {job, &tile, r, rows, dense};
        if (job->by_rows || part == 0)
            job->s->block->ops[thread] += active;
        for (uint32_t g = 0; g <= job->op->joined; g++)
            run_outputs(job, g, &run, part);
    }
}
