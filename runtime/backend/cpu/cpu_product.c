/* MATMUL of two spike tensors over a block of steps: AND and popcount of packed
 * rows, one strip of outputs at a time. */
#include <string.h>

#include "runtime/backend/cpu/cpu_tile.h"

static uint32_t half(const uint64_t *row, size_t w) { return (uint32_t)(row[w / 2] >> (w % 2 * 32)); }

/* [words][64] of the columns of one block at one step. */
static void fill_b(const cpu_job *job, const rt_product *q, const uint64_t *rows, size_t block, uint32_t *b)
{
    size_t words = (q->k + 31) / 32, left = q->n - block * MSTB_COLS, n = left < MSTB_COLS ? left : MSTB_COLS;
    if (!q->trans_b) {
        job->k->columns(rows + block, q->b.words, q->k, n, b);
        return;
    }
    memset(b, 0, words * MSTB_COLS * sizeof *b);
    rows += block * MSTB_COLS * q->b.words;
    for (size_t j = 0; j < n; j++)
        for (size_t w = 0; w < words; w++)
            b[w * MSTB_COLS + j] = half(rows + j * q->b.words, w);
}

static void run_batch(const cpu_job *job, unsigned thread, const cpu_tile *tile, size_t batch)
{
    const rt_product *q = job->op->expr->prod;
    size_t words = (q->k + 31) / 32, blocks = (q->n + MSTB_COLS - 1) / MSTB_COLS, plane = words * MSTB_COLS;
    for (uint32_t t = 0; t < job->steps; t++)
        for (size_t j = 0; j < blocks; j++)
            fill_b(job, q, rt_words(job->s, &q->b) + t * q->b.step + q->b_row[batch] * q->b.words, j,
                   tile->b + (t * blocks + j) * plane);
    for (size_t m = 0; m < q->m; m++) {
        const uint64_t *row = rt_words(job->s, &q->a) + (q->a_row[batch] + m) * q->a.words;
        for (uint32_t t = 0; t < job->steps; t++)
            for (size_t w = 0; w < words; w++)
                tile->a[t * words + w] = half(row + t * q->a.step, w);
        for (size_t j = 0; j < blocks; j++) {
            size_t left = q->n - j * MSTB_COLS;
            mstb_planes p = {tile->a, tile->b + j * plane, words, blocks * plane, MSTB_COLS,
                             words, job->steps};
            job->ops[thread] += job->k->coincide(&p, left < MSTB_COLS ? left : MSTB_COLS,
                                                 q->node->u.matmul.c, tile->x);
            cpu_finish_strip(job, (cpu_place){batch * q->m + m, j}, tile->x);
        }
    }
}

void cpu_run_product(const cpu_job *job, unsigned part, unsigned thread)
{
    const rt_expr *e = job->op->expr;
    const mst_program *p = job->s->p;
    cpu_tile tile;
    cpu_tile_layout(p, e, rt_scratch(job->s, job->op, thread), &tile);
    size_t g0 = cpu_split(e->prod->n_groups, part, job->parts),
           g1 = cpu_split(e->prod->n_groups, part + 1, job->parts);
    for (size_t i = e->prod->group[g0]; i < e->prod->group[g1]; i++)
        run_batch(job, thread, &tile, i);
}
