/* Operations that run together: layers of the same input, such as q, k and v, tile by tile, on lists that are made
 * once; a sum and the neurons that read it. */
#include "runtime/lower/lowering.h"

/* ---- order ------------------------------------------------------------------------- */

/* Longest way from the input or a constant. */
static uint32_t level_of(const mst_node *n, const uint32_t *level)
{
    uint32_t most = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && level[n->in[k]] > most)
            most = level[n->in[k]];
    return most + 1;
}

/* By level; nodes of the same level stay in the graph's order. Branches then advance together, and what they
 * pass on is alive together: little, as it is bits. */
mst_status low_node_order(lowering *lo, const uint32_t **order, uint32_t *n)
{
    const mst_graph *g = lo->g;
    uint32_t *level = mst_arena_array(lo->tmp, g->n_tensors, sizeof *level);
    uint32_t *first = mst_arena_array(lo->tmp, (size_t)g->n_nodes + 2, sizeof *first);
    uint32_t *to = mst_arena_array(lo->tmp, g->n_nodes, sizeof *to);
    *order = to;
    *n = 0;
    if (level == NULL || first == NULL || to == NULL)
        return low_no_memory(lo);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (lo->p->nodes[i].is_static)
            continue;
        level[g->nodes[i].out] = level_of(&g->nodes[i], level);
        first[level[g->nodes[i].out] + 1]++;
        (*n)++;
    }
    for (uint32_t i = 1; i < g->n_nodes + 2; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!lo->p->nodes[i].is_static)
            to[first[level[g->nodes[i].out]]++] = i;
    return MST_OK;
}

/* ---- groups ------------------------------------------------------------------------ */

bool low_only_lists(const rt_op *op)
{
    const rt_expr *e = op->expr;
    if (op->kind != RT_OP_LAYER || op->node == NULL || e->syn == NULL || !e->syn->has_bits || e->syn->is_conv)
        return false;
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (e->terms[i].kind == RT_TERM_BITS || e->terms[i].kind == RT_TERM_FLOAT)
            return false;
    return true;
}

void low_join_group(lowering *lo)
{
    mst_program *p = lo->p;
    if (p->n_ops < 2)
        return;
    uint32_t last = (uint32_t)p->n_ops - 1;
    rt_op *op = &p->ops[last], *before = op - 1;
    if (!lo->target->joins(op, before))
        return;
    op->head = before->head;
    p->ops[op->head].joined++;
}

/* All are written before the first is done, and read until the last is. */
void low_keep_groups(lowering *lo)
{
    mst_program *p = lo->p;
    for (uint32_t head = 0, last; head < p->n_ops; head = last + 1) {
        last = head + p->ops[head].joined;
        for (uint32_t i = head; i <= last && last != head; i++) {
            low_keep_expr(lo, p->ops[i].expr, last);
            if (p->bufs[p->ops[i].out.buf].last < last)
                p->bufs[p->ops[i].out.buf].last = last;
        }
    }
}
