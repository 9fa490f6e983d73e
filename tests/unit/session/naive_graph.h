/* What naive_run.h knows of a graph and keeps of a run; and movement, of values and of what is counted. */
#ifndef TEST_NAIVE_GRAPH_H
#define TEST_NAIVE_GRAPH_H

#include "tests/unit/session/naive_first.h"
#include "tests/unit/session/session_graphs.h"

typedef struct naive {
    const mst_graph *g;
    mst_run_mode mode;
    uint64_t seed;
    uint32_t time, sample;
    float **val;                  /* per tensor */
    float **v;                    /* per node: membranes; of RATE_POOL the spikes so far of its input */
    float **spikes;               /* per tensor: how many each element is made of; NULL: analog */
    bool *fixed, *spike, *scaled; /* per tensor */
    bool *reached, *train;        /* per tensor: the input reaches it; one spike where it is not 0 */
    float *scale;
    uint64_t *ops, *fired; /* per node, since begin; fired: also of masks */
    uint64_t sops, macs;
    double *sum;
} naive;

static inline size_t count(const naive *m, uint32_t t)
{
    return mst_tensor_elements(&m->g->tensors[t]);
}

static inline float channel_value(const naive *m, uint32_t c, const uint32_t *pos, int axis)
{
    return m->val[c][count(m, c) == 1 ? 0 : pos[axis]];
}

/* ---- what is known of tensors ---------------------------------------------- */

static inline void naive_note(naive *m, const mst_node *n)
{
    bool moves = (mst_op_get(n->op)->flags & MST_F_MOVE) != 0;
    if (n->op == MST_OP_PAD && n->fp[MST_PAD_VALUE] != 0)
        moves = false;
    m->fixed[n->out] = n->op != MST_OP_NEURON && n->op != MST_OP_MASK && n->op != MST_OP_RATE_POOL;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && !m->fixed[n->in[k]])
            m->fixed[n->out] = false;
    if (m->mode == MST_RUN_FLOAT)
        return;
    if (n->op == MST_OP_NEURON) {
        m->spike[n->out] = true;
        m->scaled[n->out] = count(m, n->in[1]) == 1;
        m->scale[n->out] = ((const float *)m->g->tensors[n->in[1]].data)[0];
    } else if (moves || n->op == MST_OP_MASK || n->op == MST_OP_RATE_POOL) {
        uint32_t data = n->op == MST_OP_CONCAT ? n->n_in : 1;
        m->spike[n->out] = m->scaled[n->out] = true;
        m->scale[n->out] = m->scale[n->in[0]];
        for (uint32_t k = 0; k < data; k++) {
            m->spike[n->out] = m->spike[n->out] && m->spike[n->in[k]];
            m->scaled[n->out] = m->scaled[n->out] && m->scaled[n->in[k]] &&
                                m->scale[n->in[k]] == m->scale[n->out];
        }
    }
}

static inline naive *naive_new(const mst_graph *g, mst_run_mode mode, uint64_t seed)
{
    naive *m = calloc(1, sizeof *m);
    m->g = g;
    m->mode = mode;
    m->seed = seed;
    m->val = calloc(g->n_tensors, sizeof *m->val);
    m->v = calloc(g->n_nodes + 1, sizeof *m->v);
    m->spikes = calloc(g->n_tensors, sizeof *m->spikes);
    m->reached = calloc(g->n_tensors, sizeof(bool));
    m->train = calloc(g->n_tensors, sizeof(bool));
    m->fixed = calloc(g->n_tensors, sizeof(bool));
    m->spike = calloc(g->n_tensors, sizeof(bool));
    m->scaled = calloc(g->n_tensors, sizeof(bool));
    m->scale = calloc(g->n_tensors, sizeof(float));
    m->ops = calloc(g->n_nodes + 1, sizeof *m->ops);
    m->fired = calloc(g->n_nodes + 1, sizeof *m->fired);
    m->sum = calloc(count(m, g->output), sizeof *m->sum);
    for (uint32_t t = 0; t < g->n_tensors; t++) {
        m->val[t] = calloc(count(m, t), 4);
        m->fixed[t] = g->tensors[t].data != NULL || t == g->input;
        if (g->tensors[t].data != NULL)
            memcpy(m->val[t], g->tensors[t].data, count(m, t) * mst_dtype_size(g->tensors[t].dtype));
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        naive_note(m, &g->nodes[i]);
    return m;
}

static inline void naive_free(naive *m)
{
    for (uint32_t t = 0; t < m->g->n_tensors; t++)
        free(m->val[t]);
    for (uint32_t i = 0; i < m->g->n_nodes; i++)
        free(m->v[i]);
    free(m->val);
    free(m->v);
    for (uint32_t t = 0; t < m->g->n_tensors; t++)
        free(m->spikes[t]);
    free(m->spikes);
    free(m->reached);
    free(m->train);
    free(m->fixed);
    free(m->spike);
    free(m->scaled);
    free(m->scale);
    free(m->ops);
    free(m->fired);
    free(m->sum);
    free(m);
}

static inline void naive_begin(naive *m, const float *x, uint32_t sample)
{
    memcpy(m->val[m->g->input], x, count(m, m->g->input) * 4);
    m->time = 0;
    m->sample = sample;
    m->sops = m->macs = 0;
    memset(m->sum, 0, count(m, m->g->output) * sizeof *m->sum);
    for (uint32_t i = 0; i < m->g->n_nodes; i++) {
        const mst_node *n = &m->g->nodes[i];
        const mst_tensor *t = &m->g->tensors[n->out];
        m->ops[i] = m->fired[i] = 0;
        if (n->op != MST_OP_NEURON && n->op != MST_OP_RATE_POOL)
            continue;
        free(m->v[i]);
        m->v[i] = calloc(count(m, n->op == MST_OP_NEURON ? n->out : n->in[0]), 4);
        if (n->op != MST_OP_NEURON)
            continue;
        for (size_t e = 0; e < count(m, n->out); e++) {
            uint32_t pos[MST_MAX_RANK];
            unravel(t, e, pos);
            m->v[i][e] = naive_first(m->g, i, pos) * channel_value(m, n->in[1], pos, n->ip[MST_NEURON_AXIS]);
        }
    }
}

/* ---- movement, of one output element ------------------------------------------ */

typedef struct element {
    naive *m;
    uint32_t node;
    const mst_node *n;
    const mst_tensor *x, *y;
    const float *xv;
    size_t e;
    uint32_t pos[MST_MAX_RANK];
    uint64_t terms; /* out: counted multiply-adds */
} element;

static inline float naive_move(const element *q)
{
    const mst_node *n = q->n;
    const int32_t *ip = n->ip;
    uint32_t from[MST_MAX_RANK] = {0};
    switch (n->op) {
    case MST_OP_RESHAPE:
        return q->xv[q->e];
    case MST_OP_TRANSPOSE:
        for (uint32_t d = 0; d < q->y->rank; d++)
            from[ip[MST_TRANSPOSE_PERM + d]] = q->pos[d];
        return q->xv[ravel(q->x, from)];
    case MST_OP_SLICE:
        for (uint32_t d = 0; d < q->y->rank; d++)
            from[d] = (uint32_t)(ip[MST_SLICE_START + d] + (int32_t)q->pos[d] * ip[MST_SLICE_STEP + d]);
        return q->xv[ravel(q->x, from)];
    case MST_OP_PAD:
        for (uint32_t d = 0; d < q->y->rank; d++) {
            int64_t p = (int64_t)q->pos[d] - ip[MST_PAD_BEFORE + d];
            if (p < 0 || p >= q->x->dims[d])
                return n->fp[MST_PAD_VALUE];
            from[d] = (uint32_t)p;
        }
        return q->xv[ravel(q->x, from)];
    case MST_OP_EXPAND:
        return q->xv[ravel_broadcast(q->x, q->pos, q->y->rank)];
    case MST_OP_CONCAT: {
        uint32_t axis = (uint32_t)ip[MST_CONCAT_AXIS], k = 0;
        memcpy(from, q->pos, sizeof from);
        while (from[axis] >= q->m->g->tensors[n->in[k]].dims[axis])
            from[axis] -= q->m->g->tensors[n->in[k++]].dims[axis];
        return q->m->val[n->in[k]][ravel(&q->m->g->tensors[n->in[k]], from)];
    }
    default: { /* GATHER */
        const mst_tensor *idx = &q->m->g->tensors[n->in[1]];
        uint32_t axis = (uint32_t)ip[MST_GATHER_AXIS];
        for (uint32_t d = 0; d < q->x->rank; d++)
            if (d != axis)
                from[d] = q->pos[d < axis ? d : d + idx->rank - 1];
        from[axis] = (uint32_t)((const int32_t *)idx->data)[ravel(idx, q->pos + axis)];
        return q->xv[ravel(q->x, from)];
    }
    }
}

/* Where tap i of the output's window lies along one axis. */
static inline int64_t tap(const element *q, int axis, int64_t i, const int32_t *stride,
                          const int32_t *pad, const int32_t *dilation)
{
    return (int64_t)q->pos[1 + axis] * stride[axis] - pad[axis] + i * dilation[axis];
}

#endif
