/* LINEAR and CONV over a block of steps: the lists of a tile of rows are made once
 * and serve every block of 64 outputs; a block's float weights are used in chunks of
 * inputs that stay in the first caches. Where nearly all inputs fire, no list is used. */
#include "runtime/block/block_tile.h"

/* ---- compiling ----------------------------------------------------------------- */

/* One image, all weights constant. */
static bool fits(const mst_graph *g, const mst_node *n, const exec_step *st)
{
    bool constant = g->tensors[n->in[1]].data != NULL &&
                    (n->n_in < 3 || n->in[2] == MST_NONE || g->tensors[n->in[2]].data != NULL);
    return constant && (n->op != MST_OP_CONV || st->u.conv.batch == 1);
}

/* An input of joined groups adds a row of the whole band, mostly zeros, where a step handler makes a list for its
 * group alone. How many more outputs a band may have than its group before that is slower: measured at
 * groups of 1 to 128 outputs, of which 5 to 30 % of the inputs fire. */
#define MORE_FLOATS 128
#define MORE_BYTES 512

/* The fewest groups that fill whole words of bits and of outputs are a band. False where step handlers are
 * faster; where the lists cannot hold a band's inputs, which 16 bits number; and where a weight of -0 might
 * change a sum, as at values below 0. */
static bool make_bands(blk_synapse *syn)
{
    size_t most = syn->group_out + (syn->step->weights->c != NULL ? MORE_BYTES : MORE_FLOATS);
    size_t groups = syn->out / syn->group_out, words_of = syn->has_bits ? syn->group_in : 0, n = 1;
    while (n < groups && (n * words_of % MSTB_COLS != 0 || n * syn->group_out % MSTB_COLS != 0))
        n++;
    syn->band_groups = n;
    syn->bands = (groups + n - 1) / n;
    syn->band_blocks = (n * syn->group_out + MSTB_COLS - 1) / MSTB_COLS;
    syn->k *= n;
    return syn->k <= UINT16_MAX && (n == 1 || (syn->has_bits && syn->band_blocks * MSTB_COLS <= most));
}

static void make_chunks(blk_synapse *syn)
{
    size_t chunks = (syn->k + BLK_CHUNK - 1) / BLK_CHUNK;
    syn->chunk = ((syn->k + chunks - 1) / chunks + 63) / 64 * 64; /* of about equal size */
    syn->chunks = (syn->k + syn->chunk - 1) / syn->chunk;
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
    *expr = NULL;
    if (bc->values[n->in[0]].kind == BLK_STATIC || !fits(bc->g, n, st))
        return MST_OK;
    blk_synapse *syn = mst_arena_alloc(&bc->p->arena, sizeof *syn);
    blk_expr *e = mst_arena_alloc(&bc->p->arena, sizeof *e);
    if (syn == NULL || e == NULL)
        return blk_no_memory(bc);
    const mst_tensor *y = &bc->g->tensors[n->out];
    size_t out = blk_last_dim(y);
    bool conv = n->op == MST_OP_CONV;
    *syn = (blk_synapse){.step = st, .is_conv = conv, .out = out, .blocks = (out + MSTB_COLS - 1) / MSTB_COLS};
    syn->k = st->weights->k;
    syn->group_in = conv ? st->u.conv.channels / st->u.conv.groups : syn->k;
    syn->group_out = conv ? out / st->u.conv.groups : out;
    MST_TRY(blk_as_bits(bc, n->in[0], &syn->bits, &syn->has_bits));
    if (!make_bands(syn) || (sums_integers(st) && !syn->has_bits))
        return MST_OK;
    make_chunks(syn);
    if (sums_integers(st)) { /* a row of a panel is short: all of it stays in the caches */
        syn->chunk = syn->k;
        syn->chunks = 1;
    }
    if (!syn->has_bits)
        MST_TRY(analog_input(bc, n, syn));
    bool ok;
    MST_TRY(blk_make_panels(bc, syn, n, &ok));
    if (!ok)
        return MST_OK;
    e->syn = syn;
    e->cols = (uint32_t)syn->out;
    e->rows = mst_tensor_elements(y) / out;
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
    size_t band, r0, rows;
    bool dense;
} tile_run;

static const float *weights_of(const blk_synapse *syn, size_t block)
{
    return syn->panels + block * syn->k * MSTB_COLS;
}

static const float *biases_of(const blk_synapse *syn, size_t block)
{
    return syn->panels + (syn->blocks * syn->k + block) * MSTB_COLS;
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
        mstb_source in = blk_source(job, run->tile, run->band, run->r0 + r);
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

/* One row of two neighbouring blocks of outputs with int8 weights, or of a band's last one alone. */
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
    size_t strips = blk_strips_at(syn, block), col = block * MSTB_COLS;
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

/* Calls of run_block or run_blocks8: of a band, and those of an operation that are this part's. */
static size_t band_turns(const blk_synapse *syn)
{
    return syn->panels8 != NULL ? (syn->band_blocks + 1) / 2 : syn->band_blocks;
}

typedef struct turns {
    size_t from, to;
} turns;

static turns turns_of(const blk_job *job, const blk_synapse *syn, unsigned part)
{
    size_t n = syn->bands * band_turns(syn);
    if (job->by_rows)
        return (turns){0, n};
    return (turns){blk_split(n, part, job->parts), blk_split(n, part + 1, job->parts)};
}

/* Of the band's outputs of the group's operation g: all, or this part. */
static void run_outputs(const blk_job *job, uint32_t g, tile_run *run, unsigned part)
{
    blk_job one = *job;
    one.op = job->op + g;
    run->job = &one;
    const blk_synapse *syn = one.op->expr->syn;
    turns mine = turns_of(job, syn, part);
    size_t n = band_turns(syn), each = syn->panels8 != NULL ? 2 : 1, turn = run->band * n;
    for (size_t i = 0; i < n; i++) {
        size_t block = run->band * syn->band_blocks + i * each;
        if (turn + i < mine.from || turn + i >= mine.to || block >= syn->blocks) /* the last band may have fewer */
            continue;
        syn->panels8 != NULL ? run_blocks8(run, block) : run_block(run, block);
    }
}

static void run_band(const blk_job *job, const blk_tile *tile, size_t band, unsigned part, unsigned thread)
{
    const blk_expr *e = job->op->expr;
    size_t r0 = job->by_rows ? blk_split(e->rows, part, job->parts) : 0,
           r1 = job->by_rows ? blk_split(e->rows, part + 1, job->parts) : e->rows;
    turns mine = turns_of(job, e->syn, part);
    size_t turn = band * band_turns(e->syn);
    if (e->syn->bands > 1 && (mine.to <= turn || mine.from >= turn + band_turns(e->syn)))
        return;
    bool counts = mine.from <= turn && turn < mine.to; /* one part's lists are counted */
    for (size_t r = r0; r < r1; r += tile->rows) {
        size_t rows = r1 - r < tile->rows ? r1 - r : tile->rows, active = blk_list_tile(job, tile, band, r, rows);
        bool dense = e->syn->has_bits && e->syn->panels8 == NULL &&
                     (double)active > DENSE_SHARE * (double)(rows * job->steps * e->syn->k);
        tile_run run = {job, tile, band, r, rows, dense};
        if (counts)
            job->s->block->ops[thread] += active;
        for (uint32_t g = 0; g <= job->op->joined; g++)
            run_outputs(job, g, &run, part);
    }
}

/* Parts are rows; where there are few, blocks of outputs. */
void blk_run_synapse(const blk_job *job, unsigned part, unsigned thread)
{
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, job->op->expr, job->s->mem + b->scratch + thread * b->scratch_bytes, &tile);
    size_t rows = tile.rows * b->steps / job->steps; /* of fewer steps there is room for more */
    tile.rows = rows < job->op->expr->rows ? rows : job->op->expr->rows;
    for (size_t band = 0; band < job->op->expr->syn->bands; band++)
        run_band(job, &tile, band, part, thread);
}
