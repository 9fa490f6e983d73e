/* The chains of affines and bounds around a floor, for pass_qcfs.c. */
#ifndef MST_QCFS_CHAIN_H
#define MST_QCFS_CHAIN_H

#include "converter/passes/graph_edit.h"

#define QCFS_CHAIN_MAX 12

/* One value per channel, or one for all. */
typedef struct qcfs_vec {
    uint32_t n; /* 1 or channels */
    double *v;
} qcfs_vec;

/* State of a chain after some of its nodes; in the pre chain y = slope*x + shift is
 * the floor's argument, in the post chain slope is the value of one level. */
typedef struct qcfs_cut {
    uint32_t outer; /* pre: tensor that enters here; post: tensor that leaves here */
    qcfs_vec slope, shift;
    qcfs_vec lo, hi; /* bounds in levels; -inf, inf: none */
    uint32_t scales; /* how many of them scale */
} qcfs_cut;

typedef struct qcfs_match {
    mst_edit *e;
    mst_arena arena; /* of this match alone */
    uint32_t floor;  /* node */
    mst_unary_fn fn; /* FLOOR; ROUND: floor(x + 1/2); CEIL: floor(x + 1), but where x is whole */
    int32_t axis;    /* of per-channel values; -1 until one is seen */
    uint32_t channels;
    qcfs_cut pre[QCFS_CHAIN_MAX], post[QCFS_CHAIN_MAX];
    uint32_t n_pre, n_post;
    bool zero_level; /* a scale behind the floor is zero */
} qcfs_match;

double qcfs_at(const qcfs_vec *v, uint32_t channel);
uint32_t qcfs_vec_len(const qcfs_vec *a, const qcfs_vec *b); /* of a vector made of both */
mst_status qcfs_vec_new(qcfs_match *m, uint32_t n, double fill, qcfs_vec *out);

/* The axis of a constant operand k of a MIN or MAX with result y; false: it is neither a scalar nor per channel. */
bool qcfs_bound_axis(const mst_tensor *k, const mst_tensor *y, int32_t *axis);

/* Fill m->pre from the argument of m->floor upwards, m->post from its result downwards. */
mst_status qcfs_read_pre(qcfs_match *m);
mst_status qcfs_read_post(qcfs_match *m);
/* Of a Round that reads a neuron, scaled: do values arrive that are right between two levels and go up, or down? */
void qcfs_round_ties(const qcfs_match *m, const qcfs_cut *pre, int levels, bool *up, bool *down);
/* Of a pair's Round that reads a sum of two other pairs: the shift of its neuron becomes the one near 1/2 with which
 * most of all values that can arrive go where Round takes them, if more do so than with the even level at ties.
 * ENOMEM. */
mst_status qcfs_sum_shift(const qcfs_match *m, const qcfs_cut *pre, const qcfs_cut *post, int levels, mst_node *neuron);
/* The pre chain may end at a neuron, whose values lie in 0 to theta: add those bounds. */
mst_status qcfs_bound_by_neuron(qcfs_match *m);

#endif
