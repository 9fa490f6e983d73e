/* LINEAR and CONV over a block of steps: the lists of a tile of rows are made once
 * and serve every block of 64 outputs; a block's weights are used in chunks of
 * inputs that stay in the first caches. */
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/block/block_tile.h"
#include "runtime/core/checked.h"

/* ---- compiling ----------------------------------------------------------------- */

static size_t blocks_of(size_t out) { return (out + MSTB_COLS - 1) / MSTB_COLS; }

/* Weights times the input's theta: a spike's product rounds once, here instead of there. */
static void pack_panels(blk_synapse *syn, const float *w, const float *b)
{
    float *to = syn->panels;
    for (size_t j = 0; j < blocks_of(syn->out); j++)
        for (size_t i = 0; i < syn->k; i++, to += MSTB_COLS)
            for (size_t c = j * MSTB_COLS; c < syn->out && c < (j + 1) * MSTB_COLS; c++)
                to[c % MSTB_COLS] =
                    syn->has_bits ? syn->bits.scale * w[i * syn->out + c] : w[i * syn->out + c];
    for (size_t c = 0; b != NULL && c < syn->out; c++)
        to[c] = b[c];
}

/* The panels are what runs: the file's pages with the same weights go back to the system, which
 * reads them again if anybody looks at them. */
static void drop_pages(const mst_graph *g, const mst_tensor *w)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = (uintptr_t)g->backing, at = (uintptr_t)w->data;
    uintptr_t from = (at + page - 1) / page * page,
              to = (at + mst_tensor_elements(w) * sizeof(float)) / page * page;
    if (g->backing != NULL && at >= base && to <= base + g->backing_size && from < to)
        (void)madvise((void *)from, to - from, MADV_DONTNEED); /* a hint: failing changes nothing */
}

static mst_status make_panels(blk_compiler *bc, blk_synapse *syn, const mst_node *n)
{
    size_t rows, floats;
    if (!mst_mul_size(blocks_of(syn->out), syn->k + 1, &rows) || !mst_mul_size(rows, MSTB_COLS, &floats) ||
        floats > SIZE_MAX / sizeof(float))
        return blk_no_memory(bc);
    syn->panels = mst_alloc_aligned(bc->p->alloc, floats * sizeof(float));
    if (syn->panels == NULL)
        return blk_no_memory(bc);
    syn->panel_floats = floats;
    syn->next = bc->b->synapses;
    bc->b->synapses = syn;
    const float *b = n->n_in > 2 && n->in[2] != MST_NONE ? bc->g->tensors[n->in[2]].data : NULL;
    pack_panels(syn, bc->g->tensors[n->in[1]].data, b);
    drop_pages(bc->g, &bc->g->tensors[n->in[1]]);
    return MST_OK;
}

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
    if (!syn->has_bits)
        MST_TRY(analog_input(bc, n, syn));
    MST_TRY(make_panels(bc, syn, n));
    e->syn = syn;
    e->cols = (uint32_t)syn->out;
    e->rows = mst_tensor_elements(y) / syn->out;
    *expr = e;
    return MST_OK;
}

/* ---- products ---------------------------------------------------------------------- */

/* Above this share of inputs that fire, all are gone through: see docs/EXECUTION.md for why the sums
 * stay the same. */
#define DENSE_SHARE 0.75

typedef struct tile_run {
    const blk_job *job;
    const blk_tile *tile;
    size_t r0, rows;
    bool dense;
} tile_run;

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
    const float *w = syn->panels + block * syn->k * MSTB_COLS;
    const float *b = syn->panels + (blocks_of(syn->out) * syn->k + block) * MSTB_COLS;
    mstb_lists in = lists_at(run, 0, chunk);
    size_t left = syn->out - block * MSTB_COLS;
    k->gather(&in, run->rows * run->job->steps, left < MSTB_COLS ? left : MSTB_COLS, w, chunk == 0 ? b : NULL,
              run->tile->x);
}

/* All inputs of the rows, zero or not. */
static void add_dense(const tile_run *run, size_t block)
{
    const blk_job *job = run->job;
    const blk_synapse *syn = job->op->expr->syn;
    const float *w = syn->panels + block * syn->k * MSTB_COLS;
    const float *b = syn->panels + (blocks_of(syn->out) * syn->k + block) * MSTB_COLS;
    for (size_t r = 0; r < run->rows; r++) {
        mstb_source in = blk_source(job, run->tile, run->r0 + r);
        job->s->p->block->k.dense(&in, w, b, run->tile->x + r * job->steps * MSTB_COLS);
    }
}

/* The last chunk of a block of outputs, and the neurons at once. */
static void gather_and_fire(const tile_run *run, size_t block)
{
    const blk_synapse *syn = run->job->op->expr->syn;
    const float *w = syn->panels + block * syn->k * MSTB_COLS;
    const float *b = syn->panels + (blocks_of(syn->out) * syn->k + block) * MSTB_COLS;
    for (size_t r = 0; r < run->rows; r++) {
        blk_firing f;
        blk_place at = {run->r0 + r, block};
        mstb_lists in = lists_at(run, r, syn->chunks - 1);
        blk_open_neurons(run->job, at, &f);
        run->job->s->p->block->k.gather_fire(&in, &f.strip, w, syn->chunks == 1 ? b : NULL,
                                             run->tile->x + r * run->job->steps * MSTB_COLS);
        blk_close_neurons(run->job, at, &f);
    }
}

static void run_block(const tile_run *run, size_t block)
{
    const blk_op *op = run->job->op;
    const blk_synapse *syn = op->expr->syn;
    bool at_once = op->step != NULL && op->expr->n_terms == 0 && syn->has_bits && !run->dense;
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

/* Blocks of outputs of the group's operation g: all, or this part. */
static void run_blocks(const blk_job *job, uint32_t g, tile_run *run, bool all, unsigned part)
{
    blk_job one = *job;
    size_t blocks = blocks_of(job->op[g].expr->syn->out);
    one.op = job->op + g;
    run->job = &one;
    for (size_t j = all ? 0 : blk_split(blocks, part, job->parts);
         j < (all ? blocks : blk_split(blocks, part + 1, job->parts)); j++)
        run_block(run, j);
}

/* Parts are rows; where there are few, blocks of outputs. */
void blk_run_synapse(const blk_job *job, unsigned part, unsigned thread)
{
    const blk_expr *e = job->op->expr;
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, e, job->s->mem + b->scratch + thread * b->scratch_bytes, &tile);
    bool by_rows = e->rows >= 8 * (size_t)job->parts || blocks_of(e->syn->out) < job->parts;
    size_t r0 = by_rows ? blk_split(e->rows, part, job->parts) : 0,
           r1 = by_rows ? blk_split(e->rows, part + 1, job->parts) : e->rows;
    for (size_t r = r0; r < r1; r += tile.rows) {
        size_t rows = r1 - r < tile.rows ? r1 - r : tile.rows, active = blk_list_tile(job, &tile, r, rows);
        bool dense = e->syn->has_bits && active > DENSE_SHARE * (double)(rows * job->steps * e->syn->k);
        tile_run run = {job, &tile, r, rows, dense};
        if (by_rows || part == 0)
            job->s->block->ops[thread] += active;
        for (uint32_t g = 0; g <= job->op->joined; g++)
            run_blocks(job, g, &run, by_rows, part);
    }
}
