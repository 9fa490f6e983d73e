/* Where the rows of a product of spikes go in the tensor of its neurons. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* Rows of the output that batches share belong to one group, so that one thread writes them. */
static mst_status group_batches(lowering *lo, rt_product *q, const uint32_t *to, uint32_t cols,
                                size_t out_rows)
{
    uint32_t *group = mst_arena_array(&lo->p->arena, q->batches + 1, sizeof *group);
    uint32_t *last =
        mst_arena_array(&lo->p->arena, out_rows, sizeof *last); /* batch that writes a row last */
    if (group == NULL || last == NULL)
        return low_no_memory(lo);
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

mst_status low_product_to(lowering *lo, uint32_t tensor, const low_map *map, rt_expr *e, bool *ok)
{
    uint32_t cols = rt_last_dim(&lo->g->tensors[tensor]);
    size_t n = e->rows * e->cols;
    *ok = map->n == n && map->n_sources == 1;
    if (!*ok)
        return MST_OK;
    uint32_t *to = mst_arena_array(&lo->p->arena, e->rows, sizeof *to);
    rt_product *q = mst_arena_copy(&lo->p->arena, e->prod, sizeof *q);
    if (to == NULL || q == NULL)
        return low_no_memory(lo);
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
    return group_batches(lo, q, to, cols, n / cols);
}
