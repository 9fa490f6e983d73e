/* Reads the chains around a floor: what each node does to the slope, the shift and the
 * bounds, per channel. Does not decide what is a QCFS. */
#include "converter/passes/qcfs_chain.h"

#include <math.h>

double qcfs_at(const qcfs_vec *v, uint32_t i) { return v->v[v->n == 1 ? 0 : i]; }

mst_status qcfs_vec_new(qcfs_match *m, uint32_t n, double fill, qcfs_vec *out)
{
    out->n = n;
    out->v = mst_arena_array(&m->arena, n, sizeof *out->v);
    if (out->v == NULL)
        return edit_no_memory(m->e);
    for (uint32_t i = 0; i < n; i++)
        out->v[i] = fill;
    return MST_OK;
}

/* A constant as a vector; *fits is false when it varies along another axis. */
static mst_status vec_const(qcfs_match *m, uint32_t tensor, int32_t axis, qcfs_vec *out, bool *fits)
{
    const mst_tensor *t = edit_tensor(m->e, tensor);
    uint32_t n = (uint32_t)mst_tensor_elements(t);
    *fits = true;
    if (n > 1) {
        if (m->axis >= 0 && (m->axis != axis || m->channels != n)) {
            *fits = false;
            return MST_OK;
        }
        m->axis = axis;
        m->channels = n;
    }
    MST_TRY(qcfs_vec_new(m, n, 0, out));
    for (uint32_t i = 0; i < n; i++)
        out->v[i] = mst_const_at(t, i);
    return MST_OK;
}

bool qcfs_bound_axis(const mst_tensor *k, const mst_tensor *y, int32_t *axis)
{
    *axis = (int32_t)y->rank - 1;
    for (uint32_t d = 0; d < k->rank; d++)
        if (k->dims[d] != 1) {
            if (mst_tensor_elements(k) != k->dims[d])
                return false;
            *axis = (int32_t)(y->rank - k->rank + d);
        }
    return true;
}

typedef struct link {
    enum { LINK_NONE,
           LINK_AFFINE,
           LINK_BOUND } kind;
    uint32_t data;   /* tensor that enters */
    qcfs_vec g, h;   /* AFFINE */
    qcfs_vec lo, hi; /* BOUND, in the units of the tensor */
} link;

/* What a node can contribute to a chain. */
static mst_status read_link(qcfs_match *m, uint32_t i, link *out)
{
    const mst_node *n = edit_node(m->e, i);
    bool fits = true, fits2 = true;
    out->kind = LINK_NONE;
    out->data = n->in[0];
    if (n->op == MST_OP_AFFINE) {
        MST_TRY(vec_const(m, n->in[1], n->ip[MST_AFFINE_AXIS], &out->g, &fits));
        MST_TRY(vec_const(m, n->in[2], n->ip[MST_AFFINE_AXIS], &out->h, &fits2));
        out->kind = fits && fits2 ? LINK_AFFINE : LINK_NONE;
    } else if (n->op == MST_OP_CLIP) {
        MST_TRY(qcfs_vec_new(m, 1, (double)n->fp[MST_CLIP_LO], &out->lo));
        MST_TRY(qcfs_vec_new(m, 1, (double)n->fp[MST_CLIP_HI], &out->hi));
        out->kind = LINK_BOUND;
    } else if (n->op == MST_OP_BINARY &&
               (n->ip[MST_BINARY_FN] == MST_BIN_MIN || n->ip[MST_BINARY_FN] == MST_BIN_MAX)) {
        uint32_t k = mst_is_const(m->e->g, n->in[0]) ? 0 : 1;
        int32_t axis;
        bool is_min = n->ip[MST_BINARY_FN] == MST_BIN_MIN;
        if (!mst_is_const(m->e->g, n->in[k]) || mst_is_const(m->e->g, n->in[1 - k]) ||
            mst_tensor_elements(edit_tensor(m->e, n->in[1 - k])) != mst_tensor_elements(edit_tensor(m->e, n->out)) ||
            !qcfs_bound_axis(edit_tensor(m->e, n->in[k]), edit_tensor(m->e, n->out), &axis))
            return MST_OK;
        out->data = n->in[1 - k];
        MST_TRY(vec_const(m, n->in[k], axis, is_min ? &out->hi : &out->lo, &fits));
        MST_TRY(qcfs_vec_new(m, 1, is_min ? -(double)INFINITY : (double)INFINITY, is_min ? &out->lo : &out->hi));
        out->kind = fits ? LINK_BOUND : LINK_NONE;
    }
    return MST_OK;
}

uint32_t qcfs_vec_len(const qcfs_vec *a, const qcfs_vec *b) { return a->n > b->n ? a->n : b->n; }

/* out = a*b + c, elementwise */
static mst_status vec_fma(qcfs_match *m, const qcfs_vec *a, const qcfs_vec *b, const qcfs_vec *c, qcfs_vec *out)
{
    uint32_t n = qcfs_vec_len(a, b) > c->n ? qcfs_vec_len(a, b) : c->n;
    qcfs_vec r; /* out may be one of the operands */
    MST_TRY(qcfs_vec_new(m, n, 0, &r));
    for (uint32_t i = 0; i < n; i++)
        r.v[i] = qcfs_at(a, i) * qcfs_at(b, i) + qcfs_at(c, i);
    *out = r;
    return MST_OK;
}

/* The tighter of old bounds and (lo, hi) mapped to levels by y -> (y*scale + offset);
 * a negative scale swaps them. */
static mst_status tighten(qcfs_match *m, qcfs_cut *k, const qcfs_vec *lo, const qcfs_vec *hi, const qcfs_vec *scale,
                          const qcfs_vec *offset)
{
    uint32_t n = qcfs_vec_len(lo, hi);
    n = n > qcfs_vec_len(scale, offset) ? n : qcfs_vec_len(scale, offset);
    n = n > qcfs_vec_len(&k->lo, &k->hi) ? n : qcfs_vec_len(&k->lo, &k->hi);
    qcfs_vec new_lo, new_hi;
    MST_TRY(qcfs_vec_new(m, n, 0, &new_lo));
    MST_TRY(qcfs_vec_new(m, n, 0, &new_hi));
    for (uint32_t i = 0; i < n; i++) {
        bool swap = qcfs_at(scale, i) < 0;
        new_lo.v[i] = fmax(qcfs_at(&k->lo, i), qcfs_at(swap ? hi : lo, i) * qcfs_at(scale, i) + qcfs_at(offset, i));
        new_hi.v[i] = fmin(qcfs_at(&k->hi, i), qcfs_at(swap ? lo : hi, i) * qcfs_at(scale, i) + qcfs_at(offset, i));
    }
    k->lo = new_lo;
    k->hi = new_hi;
    return MST_OK;
}

static bool scales(const link *l)
{
    for (uint32_t i = 0; l->kind == LINK_AFFINE && i < l->g.n; i++)
        if (l->g.v[i] != 1)
            return true;
    return false;
}

static mst_status start_cut(qcfs_match *m, uint32_t outer, qcfs_cut *k)
{
    k->outer = outer;
    k->scales = 0;
    MST_TRY(qcfs_vec_new(m, 1, 1, &k->slope));
    MST_TRY(qcfs_vec_new(m, 1, m->fn == MST_UN_ROUND ? 0.5 : m->fn == MST_UN_CEIL ? 1
                                                                                  : 0,
                         &k->shift));
    MST_TRY(qcfs_vec_new(m, 1, -(double)INFINITY, &k->lo));
    return qcfs_vec_new(m, 1, (double)INFINITY, &k->hi);
}

/* Upwards from the floor's argument: argument = slope*outer + shift. */
mst_status qcfs_read_pre(qcfs_match *m)
{
    mst_edit *e = m->e;
    uint32_t t = edit_node(e, m->floor)->in[0];
    MST_TRY(start_cut(m, t, &m->pre[0]));
    m->n_pre = 1;
    while (m->n_pre < QCFS_CHAIN_MAX) {
        uint32_t i = e->producer[t];
        link l;
        /* a shared intermediate may still be looked through: the nodes stay for its other users */
        if (i == MST_NONE)
            return MST_OK;
        MST_TRY(read_link(m, i, &l));
        if (l.kind == LINK_NONE)
            return MST_OK;
        qcfs_cut *cut = &m->pre[m->n_pre];
        *cut = m->pre[m->n_pre - 1];
        cut->scales += scales(&l);
        if (l.kind == LINK_AFFINE) {
            qcfs_vec zero;
            MST_TRY(qcfs_vec_new(m, 1, 0, &zero));
            MST_TRY(vec_fma(m, &cut->slope, &l.h, &cut->shift, &cut->shift));
            MST_TRY(vec_fma(m, &cut->slope, &l.g, &zero, &cut->slope));
        } else {
            MST_TRY(tighten(m, cut, &l.lo, &l.hi, &cut->slope, &cut->shift));
        }
        cut->outer = t = l.data;
        m->n_pre++;
    }
    return MST_OK;
}

/* Downwards from the floor's result: value = slope*q, no offset allowed. */
mst_status qcfs_read_post(qcfs_match *m)
{
    mst_edit *e = m->e;
    uint32_t t = edit_node(e, m->floor)->out;
    MST_TRY(start_cut(m, t, &m->post[0]));
    m->n_post = 1;
    while (m->n_post < QCFS_CHAIN_MAX) {
        uint32_t i = edit_only_user(e, t);
        link l;
        if (i == MST_NONE)
            return MST_OK;
        MST_TRY(read_link(m, i, &l));
        if (l.kind == LINK_NONE || l.data != t)
            return MST_OK;
        qcfs_cut *cut = &m->post[m->n_post];
        *cut = m->post[m->n_post - 1];
        cut->scales += scales(&l);
        qcfs_vec zero;
        MST_TRY(qcfs_vec_new(m, 1, 0, &zero));
        if (l.kind == LINK_AFFINE) {
            for (uint32_t c = 0; c < l.h.n; c++)
                if (l.h.v[c] != 0)
                    return MST_OK;
            for (uint32_t c = 0; c < l.g.n; c++)
                if (l.g.v[c] == 0 || !isfinite(l.g.v[c])) {
                    m->zero_level = true;
                    return MST_OK;
                }
            MST_TRY(vec_fma(m, &cut->slope, &l.g, &zero, &cut->slope));
        } else {
            qcfs_vec inverse;
            MST_TRY(qcfs_vec_new(m, cut->slope.n, 0, &inverse));
            for (uint32_t c = 0; c < inverse.n; c++)
                inverse.v[c] = 1 / cut->slope.v[c];
            MST_TRY(tighten(m, cut, &l.lo, &l.hi, &inverse, &zero));
        }
        cut->outer = t = edit_node(e, i)->out;
        m->n_post++;
    }
    return MST_OK;
}

/* A neuron at the end of the pre chain bounds it: its values are 0 to theta. */
mst_status qcfs_bound_by_neuron(qcfs_match *m)
{
    qcfs_cut *cut = &m->pre[m->n_pre - 1];
    uint32_t i = m->e->producer[cut->outer];
    qcfs_vec zero, theta;
    bool fits;
    if (i == MST_NONE || edit_node(m->e, i)->op != MST_OP_NEURON)
        return MST_OK;
    MST_TRY(vec_const(m, edit_node(m->e, i)->in[1], edit_node(m->e, i)->ip[MST_NEURON_AXIS], &theta, &fits));
    if (!fits)
        return MST_OK;
    MST_TRY(qcfs_vec_new(m, 1, 0, &zero));
    return tighten(m, cut, &zero, &theta, &cut->slope, &cut->shift);
}
