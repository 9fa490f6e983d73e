/* MATMUL of two spike tensors over a block of steps: AND and popcount of packed
 * rows, one strip of outputs at a time. */
#include <string.h>

#include "runtime/block/block_tile.h"

/* ---- compiling ----------------------------------------------------------------- */

/* First rows of each batch of an operand; batch: shape and strides in elements. */
static mst_status first_rows(blk_compiler *bc, const exec_nd *nd, int operand, size_t cols, size_t n,
                             const uint32_t **out)
{
    uint32_t *row = mst_arena_array(&bc->p->arena, n, sizeof *row), last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0}, k = 0;
    ptrdiff_t at[EXEC_ND_OPERANDS] = {0};
    if (row == NULL)
        return blk_no_memory(bc);
    do {
        for (size_t i = 0; i < nd->dims[last]; i++)
            row[k++] = (uint32_t)((size_t)(at[operand] + (ptrdiff_t)i * nd->stride[operand][last]) / cols);
    } while (exec_nd_next(nd, pos, at));
    *out = row;
    return MST_OK;
}

static mst_status each_batch_alone(blk_compiler *bc, blk_product *q)
{
    uint32_t *group = mst_arena_array(&bc->p->arena, q->batches + 1, sizeof *group);
    if (group == NULL)
        return blk_no_memory(bc);
    for (size_t i = 0; i <= q->batches; i++)
        group[i] = (uint32_t)i;
    q->group = group;
    q->n_groups = (uint32_t)q->batches;
    return MST_OK;
}

mst_status blk_make_product(blk_compiler *bc, uint32_t node, blk_expr **expr)
{
    const mst_node *n = &bc->g->nodes[node];
    const exec_step *st = &bc->p->steps[node];
    const exec_matmul *m = &st->u.matmul;
    bool a_ok, b_ok = false;
    blk_bits a, b;
    *expr = NULL;
    if (m->rule != EXEC_COINCIDE || m->k > UINT16_MAX)
        return MST_OK;
    MST_TRY(blk_as_bits(bc, n->in[0], &a, &a_ok));
    if (a_ok)
        MST_TRY(blk_as_bits(bc, n->in[1], &b, &b_ok));
    if (!b_ok)
        return MST_OK;
    blk_product *q = mst_arena_alloc(&bc->p->arena, sizeof *q);
    blk_expr *e = mst_arena_alloc(&bc->p->arena, sizeof *e);
    if (q == NULL || e == NULL)
        return blk_no_memory(bc);
    *q = (blk_product){.step = st,
                       .a = a,
                       .b = b,
                       .batches = st->n / (m->m * m->n),
                       .m = m->m,
                       .n = m->n,
                       .k = m->k,
                       .trans_b = m->trans_b};
    MST_TRY(first_rows(bc, &m->batch, 0, a.cols, q->batches, &q->a_row));
    MST_TRY(first_rows(bc, &m->batch, 1, b.cols, q->batches, &q->b_row));
    MST_TRY(each_batch_alone(bc, q));
    e->prod = q;
    e->rows = q->batches * q->m;
    e->cols = (uint32_t)q->n;
    *expr = e;
    return MST_OK;
}

/* Rows of the output that batches share belong to one group, so that one thread writes them. */
static mst_status group_batches(blk_compiler *bc, blk_product *q, const uint32_t *to, uint32_t cols,
                                size_t out_rows)
{
    uint32_t *group = mst_arena_array(&bc->p->arena, q->batches + 1, sizeof *group);
    uint32_t *last =
        mst_arena_array(&bc->p->arena, out_rows, sizeof *last); /* batch that writes a row last */
    if (group == NULL || last == NULL)
        return blk_no_memory(bc);
    for (size_t r = 0; r < q->batches * q->m; r++)
        last[to[r] / cols] = (uint32_t)(r / q->m); /* batches ascend */
    uint32_t reach = 0;
    q->n_groups = 0;
    for (size_t i = 0; i < q->batches; i++) {
        if (i == 0 || i > reach)
            group[q->n_groups++] = (uint32_t)i;
        for (size_t r = i * q->m; r < (i + 1) * q->m; r++)
            reach = last[to[r] / cols] > reach ? last[to[r] / cols] : reach;
    }
    group[q->n_groups] = (uint32_t)q->batches;
    q->group = group;
    return MST_OK;
}

mst_status blk_product_to(blk_compiler *bc, uint32_t tensor, const blk_map *map, blk_expr *e, bool *ok)
{
    uint32_t cols = blk_last_dim(&bc->g->tensors[tensor]);
    size_t n = e->rows * e->cols;
    *ok = map->n == n && map->n_sources == 1;
    if (!*ok)
        return MST_OK;
    uint32_t *to = mst_arena_array(&bc->p->arena, e->rows, sizeof *to);
    blk_product *q = mst_arena_copy(&bc->p->arena, e->prod, sizeof *q);
    if (to == NULL || q == NULL)
        return blk_no_memory(bc);
    memset(to, 0xff, e->rows * sizeof *to);
    for (size_t i = 0; i < n && *ok; i++) { /* each row must come in one piece, within a row */
        uint32_t at = map->at[i], col = at != UINT32_MAX ? at % e->cols : 0;
        if (at == UINT32_MAX || (col == 0 && (to[at / e->cols] != UINT32_MAX || i % cols + e->cols > cols))) {
            *ok = false;
        } else if (col == 0) {
            to[at / e->cols] = (uint32_t)i;
        } else {
            *ok = i > 0 && map->at[i - 1] == at - 1;
        }
    }
    for (size_t r = 0; r < e->rows && *ok; r++)
        *ok = to[r] != UINT32_MAX;
    if (!*ok)
        return MST_OK;
    e->to = to;
    e->prod = q;
    return group_batches(bc, q, to, cols, n / cols);
}

/* ---- running -------------------------------------------------------------------- */

static uint32_t half(const uint64_t *row, size_t w) { return (uint32_t)(row[w / 2] >> (w % 2 * 32)); }

/* [words][64] of the columns of one block at one step. */
static void fill_b(const blk_job *job, const blk_product *q, const uint64_t *rows, size_t block, uint32_t *b)
{
    size_t words = (q->k + 31) / 32, left = q->n - block * MSTB_COLS, n = left < MSTB_COLS ? left : MSTB_COLS;
    if (!q->trans_b) {
        job->s->p->block->k.columns(rows + block, q->b.words, q->k, n, b);
        return;
    }
    memset(b, 0, words * MSTB_COLS * sizeof *b);
    rows += block * MSTB_COLS * q->b.words;
    for (size_t j = 0; j < n; j++)
        for (size_t w = 0; w < words; w++)
            b[w * MSTB_COLS + j] = half(rows + j * q->b.words, w);
}

static void run_batch(const blk_job *job, unsigned thread, const blk_tile *tile, size_t batch)
{
    const blk_product *q = job->op->expr->prod;
    size_t words = (q->k + 31) / 32, blocks = (q->n + MSTB_COLS - 1) / MSTB_COLS, plane = words * MSTB_COLS;
    for (uint32_t t = 0; t < job->steps; t++)
        for (size_t j = 0; j < blocks; j++)
            fill_b(job, q, blk_words(job->s, &q->b) + t * q->b.step + q->b_row[batch] * q->b.words, j,
                   tile->b + (t * blocks + j) * plane);
    for (size_t m = 0; m < q->m; m++) {
        const uint64_t *row = blk_words(job->s, &q->a) + (q->a_row[batch] + m) * q->a.words;
        for (uint32_t t = 0; t < job->steps; t++)
            for (size_t w = 0; w < words; w++)
                tile->a[t * words + w] = half(row + t * q->a.step, w);
        for (size_t j = 0; j < blocks; j++) {
            size_t left = q->n - j * MSTB_COLS;
            mstb_planes p = {tile->a, tile->b + j * plane, words, blocks * plane, MSTB_COLS,
                             words,   job->steps};
            job->s->block->ops[thread] += job->s->p->block->k.coincide(&p, left < MSTB_COLS ? left : MSTB_COLS,
                                                                     q->step->u.matmul.c, tile->x);
            blk_finish_strip(job, (blk_place){batch * q->m + m, j}, tile->x);
        }
    }
}

void blk_run_product(const blk_job *job, unsigned part, unsigned thread)
{
    const blk_expr *e = job->op->expr;
    const blk_program *b = job->s->p->block;
    blk_tile tile;
    blk_tile_layout(b, e, job->s->mem + b->scratch + thread * b->scratch_bytes, &tile);
    size_t g0 = blk_split(e->prod->n_groups, part, job->parts),
           g1 = blk_split(e->prod->n_groups, part + 1, job->parts);
    for (size_t i = e->prod->group[g0]; i < e->prod->group[g1]; i++)
        run_batch(job, thread, &tile, i);
}
