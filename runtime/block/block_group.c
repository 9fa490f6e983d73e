/* Layers of the same input, such as q, k and v, run together, tile by tile, on lists
 * that are made once. */
#include "runtime/block/block.h"

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
mst_status blk_node_order(blk_compiler *bc, const uint32_t **order, uint32_t *n)
{
    const mst_graph *g = bc->g;
    uint32_t *level = mst_arena_array(&bc->c->tmp, g->n_tensors, sizeof *level);
    uint32_t *first = mst_arena_array(&bc->c->tmp, (size_t)g->n_nodes + 2, sizeof *first);
    uint32_t *to = mst_arena_array(&bc->c->tmp, g->n_nodes, sizeof *to);
    *order = to;
    *n = 0;
    if (level == NULL || first == NULL || to == NULL)
        return blk_no_memory(bc);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (bc->p->steps[i].is_static)
            continue;
        level[g->nodes[i].out] = level_of(&g->nodes[i], level);
        first[level[g->nodes[i].out] + 1]++;
        (*n)++;
    }
    for (uint32_t i = 1; i < g->n_nodes + 2; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!bc->p->steps[i].is_static)
            to[first[level[g->nodes[i].out]]++] = i;
    return MST_OK;
}

/* ---- groups ------------------------------------------------------------------------ */

static bool same_lists(const blk_expr *a, const blk_expr *b)
{
    return a->syn->bits.buf == b->syn->bits.buf && a->rows == b->rows && a->syn->k == b->syn->k &&
           a->syn->chunks == b->syn->chunks && (a->syn->panels8 != NULL) == (b->syn->panels8 != NULL);
}

/* Reads nothing that changes but its lists. */
static bool only_lists(const blk_op *op)
{
    const blk_expr *e = op->expr;
    if (op->kind != BLK_LAYER || op->step == NULL || e->syn == NULL || !e->syn->has_bits || e->syn->is_conv)
        return false;
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (e->terms[i].kind == BLK_TERM_BITS || e->terms[i].kind == BLK_TERM_FLOAT)
            return false;
    return true;
}

void blk_join_group(blk_compiler *bc)
{
    blk_program *b = bc->b;
    if (b->n_ops < 2)
        return;
    uint32_t last = (uint32_t)b->n_ops - 1;
    blk_op *op = &b->ops[last], *before = op - 1;
    if (!only_lists(op) || !only_lists(before) || !same_lists(op->expr, before->expr))
        return;
    op->head = before->head;
    b->ops[op->head].joined++;
}

/* All are written before the first is done. */
void blk_keep_groups(blk_compiler *bc)
{
    blk_program *b = bc->b;
    for (uint32_t head = 0, last; head < b->n_ops; head = last + 1) {
        last = head + b->ops[head].joined;
        for (uint32_t i = head; i <= last && last != head; i++)
            if (b->bufs[b->ops[i].out.buf].last < last)
                b->bufs[b->ops[i].out.buf].last = last;
    }
}
