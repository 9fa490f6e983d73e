/* LINEAR and CONV over a block of steps: the lists of a tile of rows are made once
 * and serve every block of 64 outputs; a block's weights are used in chunks of
 * inputs that stay in the first caches. */
#include <string.h>

#include "runtime/block/block_tile.h"
#include "runtime/exec/window.h"

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

/* Int8 weights at spikes with one theta: float sums would round elsewhere. */
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

/* ---- lists ----------------------------------------------------------------------- */

typedef struct lister {
    const mst_block_kernels *k;
    const blk_synapse *syn;
    const blk_tile *tile;
    size_t n, chunk; /* entries so far, chunk being filled */
    uint32_t *start;
} lister;

static void next_chunk(lister *l)
{
    l->chunk++;
    *l->start++ = (uint32_t)l->n;
}

/* Inputs left until the chunk ends that input `first` belongs to. */
static size_t until_chunk_end(lister *l, size_t first)
{
    while (l->chunk + 1 < l->syn->chunks && first >= (l->chunk + 1) * l->syn->chunk)
        next_chunk(l);
    return l->chunk + 1 < l->syn->chunks ? (l->chunk + 1) * l->syn->chunk - first : SIZE_MAX;
}

static void list_words(lister *l, const uint64_t *bits, size_t words, size_t first)
{
    while (words != 0) {
        size_t left = until_chunk_end(l, first), take = left == SIZE_MAX ? words : (left + 63) / 64;
        take = take < words ? take : words;
        l->n += l->k->list(bits, take, (uint32_t)first, l->tile->idx + l->n);
        bits += take;
        words -= take;
        first += take * 64;
    }
}

static void list_values(lister *l, const float *x, size_t n, size_t first)
{
    while (n != 0) {
        size_t take = until_chunk_end(l, first);
        take = take < n ? take : n;
        l->n += l->k->list_val(x, take, (uint32_t)first, l->tile->idx + l->n, l->tile->val + l->n);
        x += take;
        n -= take;
        first += take;
    }
}

/* The inputs of one row or pixel, which are numbered from `first` on. */
static void list_input(lister *l, const mst_session *s, uint32_t t, size_t row, size_t first)
{
    const blk_synapse *syn = l->syn;
    if (syn->has_bits) {
        list_words(l, blk_words(s, &syn->bits) + t * syn->bits.step + row * syn->bits.words, syn->bits.words,
                   first);
        return;
    }
    if (syn->from != NULL) {
        list_values(l, l->tile->row + t * syn->k, syn->k, first);
        return;
    }
    const exec_conv *q = &syn->step->u.conv;
    size_t n = syn->is_conv ? q->channels : syn->k;
    size_t rows = syn->is_conv ? (size_t)q->h.size * (size_t)q->w.size : syn->step->u.linear.rows;
    list_values(l, (const float *)blk_buf_at(s, syn->buf) + (t * rows + row) * n, n, first);
}

static void list_window(lister *l, const mst_session *s, uint32_t t, size_t pixel)
{
    const exec_conv *q = &l->syn->step->u.conv;
    int64_t oh = (int64_t)pixel / q->w.out, ow = (int64_t)pixel % q->w.out, h_lo, h_hi, w_lo, w_hi;
    exec_axis_taps(&q->h, oh, &h_lo, &h_hi);
    exec_axis_taps(&q->w, ow, &w_lo, &w_hi);
    for (int64_t i = h_lo; i < h_hi; i++) {
        int64_t row = (oh * q->h.stride - q->h.pad + i * q->h.dilation) * q->w.size;
        for (int64_t j = w_lo; j < w_hi; j++)
            list_input(l, s, t, (size_t)(row + ow * q->w.stride - q->w.pad + j * q->w.dilation),
                       (size_t)(i * q->w.kernel + j) * q->channels);
    }
}

/* The analog input of one row at all steps. */
static void make_row(const blk_job *job, const blk_tile *tile, size_t row)
{
    const blk_expr *from = job->op->expr->syn->from;
    for (size_t j = 0; j * MSTB_COLS < from->cols; j++) {
        size_t left = from->cols - j * MSTB_COLS, n = left < MSTB_COLS ? left : MSTB_COLS;
        blk_apply_terms(job, from, (blk_place){row, j}, 0, tile->x);
        for (uint32_t t = 0; t < job->steps; t++)
            memcpy(tile->row + t * from->cols + j * MSTB_COLS, tile->x + t * MSTB_COLS, n * sizeof *tile->x);
    }
}

/* Lists of rows r0..r0+rows-1 at all steps; returns their entries. */
static size_t list_tile(const blk_job *job, const blk_tile *tile, size_t r0, size_t rows)
{
    const blk_synapse *syn = job->op->expr->syn;
    lister l = {.k = &job->s->p->block->k, .syn = syn, .tile = tile, .start = tile->start};
    for (size_t r = r0; r < r0 + rows; r++) {
        if (syn->from != NULL)
            make_row(job, tile, r);
        for (uint32_t t = 0; t < job->steps; t++) {
            *l.start++ = (uint32_t)l.n;
            l.chunk = 0;
            if (syn->is_conv)
                list_window(&l, job->s, t, r);
            else
                list_input(&l, job->s, t, r, 0);
            while (l.chunk + 1 < syn->chunks)
                next_chunk(&l);
        }
    }
    *l.start = (uint32_t)l.n;
    return l.n;
}

/* ---- products ---------------------------------------------------------------------- */

typedef struct tile_run {
    const blk_job *job;
    const blk_tile *tile;
    size_t r0, rows;
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
    const float *b = syn->panels + (blk_blocks_of(syn->out) * syn->k + block) * MSTB_COLS;
    mstb_lists in = lists_at(run, 0, chunk);
    size_t left = syn->out - block * MSTB_COLS;
    k->gather(&in, run->rows * run->job->steps, left < MSTB_COLS ? left : MSTB_COLS, w, chunk == 0 ? b : NULL,
              run->tile->x);
}

/* The last chunk of a block of outputs, and the neurons at once. */
static void gather_and_fire(const tile_run *run, size_t block)
{
    const blk_synapse *syn = run->job->op->expr->syn;
    const float *w = syn->panels + block * syn->k * MSTB_COLS;
    const float *b = syn->panels + (blk_blocks_of(syn->out) * syn->k + block) * MSTB_COLS;
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

/* Two neighbouring blocks of outputs with int8 weights, or the last one alone; row by row, so that
 * the neurons find their currents in the first cache. */
static void run_blocks8(const tile_run *run, size_t block)
{
    const blk_synapse *syn = run->job->op->expr->syn;
    const mst_block_kernels *k = &run->job->s->p->block->k;
    size_t strips = blk_blocks_of(syn->out) - block > 1 ? 2 : 1, col = block * MSTB_COLS,
           apart = run->job->steps * MSTB_COLS;
    for (size_t r = 0; r < run->rows; r++) {
        mstb_lists in = lists_at(run, r, 0);
        k->gather_bytes(&in, run->job->steps, strips, syn->panels8 + syn->k * col, syn->factors8 + col,
                     syn->biases8 + col, run->tile->x, apart);
        for (size_t s = 0; s < strips; s++)
            blk_finish_strip(run->job, (blk_place){run->r0 + r, block + s}, run->tile->x + s * apart);
    }
}

static void run_block(const tile_run *run, size_t block)
{
    const blk_op *op = run->job->op;
    const blk_synapse *syn = op->expr->syn;
    bool at_once = op->step != NULL && op->expr->n_terms == 0 && syn->has_bits;
    for (size_t c = 0; c + (at_once ? 1 : 0) < syn->chunks; c++)
        gather_chunk(run, block, c);
    if (at_once) {
        gather_and_fire(run, block);
        return;
    }
    for (size_t r = 0; r < run->rows; r++)
        blk_finish_strip(run->job, (blk_place){run->r0 + r, block},
                         run->tile->x + r * run->job->steps * MSTB_COLS);
}

/* Threads share rows; where there are few, blocks of outputs. */
void blk_run_synapse(const blk_job *job, unsigned part)
{
    const blk_expr *e = job->op->expr;
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, e, job->s->mem + b->scratch + part * b->scratch_bytes, &tile);
    bool by_two = e->syn->panels8 != NULL;
    size_t blocks = by_two ? (blk_blocks_of(e->syn->out) + 1) / 2 : blk_blocks_of(e->syn->out);
    size_t r0 = 0, r1 = e->rows, j0 = 0, j1 = blocks;
    bool by_rows = e->rows >= 8 * (size_t)job->parts || blocks < job->parts;
    if (by_rows) {
        r0 = blk_split(e->rows, part, job->parts);
        r1 = blk_split(e->rows, part + 1, job->parts);
    } else {
        j0 = blk_split(blocks, part, job->parts);
        j1 = blk_split(blocks, part + 1, job->parts);
    }
    for (size_t r = r0; r < r1; r += tile.rows) {
        size_t rows = r1 - r < tile.rows ? r1 - r : tile.rows, active = list_tile(job, &tile, r, rows);
        tile_run run = {job, &tile, r, rows};
        if (by_rows || part == 0)
            job->s->block->ops[part] += (uint64_t)active * e->syn->out;
        for (size_t j = j0; j < j1; j++)
            by_two ? run_blocks8(&run, 2 * j) : run_block(&run, j);
    }
}
