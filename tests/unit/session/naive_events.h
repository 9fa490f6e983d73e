/* Counting as docs/EXECUTION.md says it, for tests: how many spikes each element of a tensor is made of. */
#ifndef TEST_NAIVE_EVENTS_H
#define TEST_NAIVE_EVENTS_H

#include "tests/unit/session/naive_graph.h"

static inline uint32_t naive_data_inputs(const mst_node *n)
{
    return n->op == MST_OP_CONCAT ? n->n_in : n->op == MST_OP_BINARY ? 2
                                                                     : 1;
}

static inline bool naive_is_max(const mst_node *n)
{
    return n->op == MST_OP_RATE_POOL ||
           (n->op == MST_OP_POOL && n->ip[MST_POOL_FN] == MST_RED_MAX) ||
           (n->op == MST_OP_REDUCE && n->ip[MST_REDUCE_FN] == MST_RED_MAX);
}

static inline void naive_note_events(naive *m, const mst_node *n)
{
    bool passes = naive_is_max(n) || ((mst_op_get(n->op)->flags & MST_F_MOVE) != 0 &&
                                      (n->op != MST_OP_PAD || n->fp[MST_PAD_VALUE] == 0));
    m->reached[n->out] = n->op == MST_OP_NEURON || n->op == MST_OP_MASK;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && m->reached[n->in[k]])
            m->reached[n->out] = true;
    for (uint32_t k = 0; k < naive_data_inputs(n); k++)
        passes = passes && m->train[n->in[k]];
    m->train[n->out] = m->spike[n->out] || passes;
}

static inline bool naive_sums_events(const naive *m, const mst_node *n)
{
    bool a = m->reached[n->in[0]], b = n->n_in > 1 && n->in[1] != MST_NONE && m->reached[n->in[1]];
    switch (n->op) {
    case MST_OP_AFFINE: return true;
    case MST_OP_UNARY: return n->ip[MST_UNARY_FN] == MST_UN_NEG;
    case MST_OP_BINARY: {
        int fn = n->ip[MST_BINARY_FN];
        return fn == MST_BIN_ADD || fn == MST_BIN_SUB || (fn == MST_BIN_MUL && !(a && b)) || (fn == MST_BIN_DIV && !b);
    }
    case MST_OP_POOL:
    case MST_OP_REDUCE: return !naive_is_max(n);
    default: return (mst_op_get(n->op)->flags & MST_F_MOVE) != 0;
    }
}

/* Sum of spikes; of maxima, those of the first of the largest values. */
typedef struct naive_best {
    bool max, any;
    float value, spikes;
} naive_best;

static inline void naive_take(const element *q, size_t e, naive_best *b)
{
    float value = q->m->val[q->n->in[0]][e], spikes = q->m->spikes[q->n->in[0]][e];
    if (!b->max)
        b->spikes += spikes;
    else if (!b->any || value > b->value)
        *b = (naive_best){true, true, value, spikes};
}

static inline float naive_pool_events(const element *q)
{
    const int32_t *ip = q->n->ip;
    naive_best best = {.max = naive_is_max(q->n)};
    for (int64_t i = 0; i < ip[MST_POOL_KERNEL]; i++)
        for (int64_t j = 0; j < ip[MST_POOL_KERNEL + 1]; j++) {
            int64_t h = tap(q, 0, i, &ip[MST_POOL_STRIDE], &ip[MST_POOL_PAD], &ip[MST_POOL_DILATION]);
            int64_t w = tap(q, 1, j, &ip[MST_POOL_STRIDE], &ip[MST_POOL_PAD], &ip[MST_POOL_DILATION]);
            uint32_t at[4] = {q->pos[0], (uint32_t)h, (uint32_t)w, q->pos[3]};
            if (h >= 0 && w >= 0 && h < q->x->dims[1] && w < q->x->dims[2])
                naive_take(q, ravel(q->x, at), &best);
        }
    return best.spikes;
}

static inline float naive_reduce_events(const element *q)
{
    naive_best best = {.max = naive_is_max(q->n)};
    for (size_t e = 0; e < mst_tensor_elements(q->x); e++) {
        uint32_t pos[MST_MAX_RANK];
        size_t kept = 0;
        unravel(q->x, e, pos);
        for (uint32_t d = 0; d < q->x->rank; d++)
            if (((uint32_t)q->n->ip[MST_REDUCE_AXES] >> d & 1) == 0)
                kept = kept * q->x->dims[d] + pos[d];
        if (kept == q->e)
            naive_take(q, e, &best);
    }
    return best.spikes;
}

/* Of the output's element q: as it moves (but for what padding is filled with), adds and scales. */
static inline float naive_sum_events(const element *q)
{
    const mst_node *n = q->n;
    naive of = *q->m;
    mst_node plain = *n;
    element moved = *q;
    of.val = q->m->spikes;
    moved.m = &of;
    moved.n = &plain;
    moved.xv = of.val[n->in[0]];
    switch (n->op) {
    case MST_OP_AFFINE:
    case MST_OP_UNARY: return moved.xv[q->e];
    case MST_OP_POOL: return naive_pool_events(q);
    case MST_OP_REDUCE: return naive_reduce_events(q);
    case MST_OP_BINARY:
        return moved.xv[ravel_broadcast(q->x, q->pos, q->y->rank)] +
               of.val[n->in[1]][ravel_broadcast(&of.g->tensors[n->in[1]], q->pos, q->y->rank)];
    case MST_OP_PAD: plain.fp[MST_PAD_VALUE] = 0; return naive_move(&moved);
    default: return naive_move(&moved);
    }
}

static inline element naive_at(naive *m, uint32_t i)
{
    const mst_node *n = &m->g->nodes[i];
    return (element){
        .m = m, .node = i, .n = n, .x = &m->g->tensors[n->in[0]], .y = &m->g->tensors[n->out], .xv = m->val[n->in[0]]};
}

/* What the output of node i, whose values are known, is made of. */
static inline void naive_pass_on(naive *m, uint32_t i)
{
    element q = naive_at(m, i);
    uint32_t out = q.n->out;
    bool known = m->mode != MST_RUN_FLOAT && m->reached[out] && (m->train[out] || naive_sums_events(m, q.n));
    for (uint32_t k = 0; k < naive_data_inputs(q.n); k++)
        known = known && (m->train[out] || m->spikes[q.n->in[k]] != NULL);
    if (!known)
        return;
    if (m->spikes[out] == NULL)
        m->spikes[out] = calloc(count(m, out), sizeof(float));
    for (q.e = 0; q.e < count(m, out); q.e++) {
        unravel(q.y, q.e, q.pos);
        m->spikes[out][q.e] = m->train[out] ? m->val[out][q.e] != 0 : naive_sum_events(&q);
    }
}

static inline bool naive_made(const naive *m, uint32_t x) { return m->reached[x] && m->spikes[x] != NULL; }

/* What element e of x counts for in a term. */
static inline uint64_t naive_terms(const naive *m, uint32_t x, size_t e)
{
    return naive_made(m, x) ? (uint64_t)m->spikes[x][e] : m->val[x][e] != 0;
}

#endif
