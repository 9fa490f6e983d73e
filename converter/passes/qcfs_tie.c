/* Round goes to the even side where its argument is right between two levels. After weights that hardly happens; where
 * one quantizer reads another, scaled, it is common: all values that can arrive are then known, one for each level of
 * the first. */
#include <math.h>

#include "converter/passes/qcfs_chain.h"

#define MAX_LINKS 32
#define TIE 1e-5 /* of a level */

/* What lies between the neuron and the quantizer, from behind. */
typedef struct route {
    uint32_t node[MAX_LINKS];
    uint32_t n, neuron;
    bool moves; /* elements do not stay where they are */
} route;

static bool moves_values(const mst_node *n)
{
    return n->op == MST_OP_RESHAPE || n->op == MST_OP_TRANSPOSE || n->op == MST_OP_SLICE || n->op == MST_OP_GATHER ||
           (n->op == MST_OP_POOL && n->ip[MST_POOL_FN] == MST_RED_MAX);
}

static bool find_route(const qcfs_match *m, uint32_t tensor, route *r)
{
    *r = (route){.n = 0};
    for (; r->n < MAX_LINKS; tensor = edit_node(m->e, r->node[r->n++])->in[0]) {
        uint32_t i = r->node[r->n] = m->e->producer[tensor];
        if (i == MST_NONE)
            return false;
        const mst_node *n = edit_node(m->e, i);
        if (n->op == MST_OP_NEURON) {
            r->neuron = i;
            return true;
        }
        r->moves = r->moves || moves_values(n);
        if (n->op != MST_OP_AFFINE && n->op != MST_OP_CLIP && n->op != MST_OP_MASK && !moves_values(n))
            return false;
    }
    return false;
}

static double at(const qcfs_match *m, uint32_t tensor, uint32_t channel)
{
    const mst_tensor *t = edit_tensor(m->e, tensor);
    size_t n = mst_tensor_elements(t);
    return mst_const_at(t, n == 1 ? 0 : channel % n);
}

/* Most values of a constant on the route: 1, or the channels. */
static uint32_t width_of(const qcfs_match *m, const route *r, const qcfs_cut *pre)
{
    size_t n = mst_tensor_elements(edit_tensor(m->e, edit_node(m->e, r->neuron)->in[1]));
    n = n > qcfs_vec_len(&pre->slope, &pre->shift) ? n : qcfs_vec_len(&pre->slope, &pre->shift);
    for (uint32_t i = 0; i < r->n; i++)
        for (uint32_t k = 1; k < 3 && edit_is(m->e, r->node[i], MST_OP_AFFINE); k++) {
            size_t more = mst_tensor_elements(edit_tensor(m->e, edit_node(m->e, r->node[i])->in[k]));
            n = more > n ? more : n;
        }
    return (uint32_t)n;
}

static double through(const qcfs_match *m, const route *r, double x, uint32_t channel)
{
    for (uint32_t i = r->n; i-- > 0;) {
        const mst_node *n = edit_node(m->e, r->node[i]);
        if (n->op == MST_OP_AFFINE)
            x = at(m, n->in[1], channel) * x + at(m, n->in[2], channel);
        else if (n->op == MST_OP_CLIP)
            x = fmin(fmax(x, (double)n->fp[MST_CLIP_LO]), (double)n->fp[MST_CLIP_HI]);
    }
    return x;
}

void qcfs_round_ties(const qcfs_match *m, const qcfs_cut *pre, int levels, bool *up, bool *down)
{
    route r;
    *up = *down = false;
    if (m->fn != MST_UN_ROUND || !find_route(m, pre->outer, &r))
        return;
    const mst_node *first = edit_node(m->e, r.neuron);
    uint32_t channels = width_of(m, &r, pre);
    if (r.moves && channels > 1)
        return; /* which channel goes where is not followed */
    int n = first->ip[MST_NEURON_LEVELS];
    for (uint32_t c = 0; c < channels; c++)
        for (int k = 0; k <= n; k++) {
            double x = through(m, &r, at(m, first->in[1], c) * k / n, c);
            double level = qcfs_at(&pre->slope, c) * x + qcfs_at(&pre->shift, c), near = round(level);
            if (fabs(level - near) > TIE || near < 1 || near > levels)
                continue;
            bool even = fmod(near, 2) == 0;
            *up = *up || even;
            *down = *down || !even;
        }
}
