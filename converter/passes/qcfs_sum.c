/* A pair that rounds the sum of two others' values: all that can arrive is known, a value for each two levels, and some
 * are right between two of its levels in float32, where Round takes the even one, or would be but for what float32
 * rounds off otherwise here. They are few, and v(0), moved by some units in the last place where that is better than
 * the even level, is chosen so that the fewest go elsewhere. */
#include <math.h>

#include "converter/pairs.h"
#include "converter/passes/qcfs_chain.h"

#define MOST_NEAR 1024 /* values near a tie that are looked at */
#define NEAR 1e-4      /* of a level */
#define MAX_MOVES 16

/* What a summand is: lo..hi times scale. */
typedef struct summand {
    float scale;
    int lo, hi;
} summand;

static uint32_t maker_of(const mst_edit *e, uint32_t tensor)
{
    for (int moves = 0; moves < MAX_MOVES; moves++) {
        uint32_t i = e->producer[tensor];
        if (!edit_is(e, i, MST_OP_TRANSPOSE) && !edit_is(e, i, MST_OP_RESHAPE) && !edit_is(e, i, MST_OP_SLICE))
            break;
        tensor = edit_node(e, i)->in[0];
    }
    return e->producer[tensor];
}

static bool read_summand(const mst_edit *e, uint32_t tensor, summand *s)
{
    uint32_t i = maker_of(e, tensor);
    if (!edit_is(e, i, MST_OP_BINARY) || qdq_mark(edit_node(e, i)) == 0)
        return false;
    s->scale = (float)mst_const_at(edit_tensor(e, edit_node(e, i)->in[1]), 0);
    i = maker_of(e, edit_node(e, i)->in[0]);
    if (edit_is(e, i, MST_OP_CLIP) && qdq_mark(edit_node(e, i)) != 0) {
        s->lo = (int)edit_node(e, i)->fp[MST_CLIP_LO];
        s->hi = (int)edit_node(e, i)->fp[MST_CLIP_HI];
        return true;
    }
    if (!edit_is(e, i, MST_OP_NEURON) || qdq_mark(edit_node(e, i)) == 0)
        return false;
    s->lo = 0;
    s->hi = edit_node(e, i)->ip[MST_NEURON_LEVELS];
    return true;
}

/* A value near a tie: the neuron's current in levels, and the level that Round takes. */
typedef struct near_tie {
    float z, level;
} near_tie;

/* (gain*x)*L/theta, as a neuron computes it. */
typedef struct current {
    float gain, theta; /* gain 0: none */
    int levels;
} current;

static size_t find_near(const summand *a, const summand *b, float scale, const current *c, near_tie *near)
{
    size_t n = 0;
    for (int i = a->lo; i <= a->hi; i++)
        for (int k = b->lo; k <= b->hi; k++) {
            float x = (float)i * a->scale + (float)k * b->scale, level = x / scale;
            if (fabsf(fabsf(level - rintf(level)) - 0.5f) > (float)NEAR || level < 0 || level > (float)c->levels ||
                n == MOST_NEAR)
                continue;
            float gained = c->gain != 0 ? c->gain * x : x;
            near[n].z = gained * (float)c->levels / c->theta;
            near[n++].level = rintf(level);
        }
    return n;
}

/* Those that a neuron puts elsewhere. even: it rounds half to even. */
static size_t count_wrong(const near_tie *near, size_t n, float shift, bool even)
{
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++)
        wrong += (even ? rintf(near[i].z) : floorf(near[i].z + shift)) != near[i].level;
    return wrong;
}

mst_status qcfs_sum_shift(const qcfs_match *m, const qcfs_cut *pre, const qcfs_cut *post, int levels, mst_node *neuron)
{
    static const int units[] = {0, -17, 17, -33, 33, -49, 49, -65, 65};
    const mst_edit *e = m->e;
    uint32_t i = e->producer[pre->outer];
    summand a, b;
    current c = {.theta = (float)((double)levels * fabs(post->slope.v[0])), .levels = levels};
    double slope = pre->slope.v[0];
    if (edit_is(e, i, MST_OP_AFFINE)) {
        slope = mst_const_at(edit_tensor(e, edit_node(e, i)->in[1]), 0);
        c.gain = (float)slope;
        i = e->producer[edit_node(e, i)->in[0]];
    } else if (!(fabs(slope * post->slope.v[0] - 1) < 1e-6)) {
        c.gain = (float)slope;
    }
    if (!edit_is(e, i, MST_OP_BINARY) || edit_node(e, i)->ip[MST_BINARY_FN] != MST_BIN_ADD || levels > 255 ||
        !read_summand(e, edit_node(e, i)->in[0], &a) || !read_summand(e, edit_node(e, i)->in[1], &b))
        return MST_OK;
    mst_arena arena = {.alloc = e->arena.alloc};
    near_tie *near = mst_arena_array(&arena, MOST_NEAR, sizeof *near);
    if (near == NULL)
        return edit_no_memory(m->e);
    size_t n = find_near(&a, &b, (float)(1 / slope), &c, near), least = count_wrong(near, n, 0.5f, true);
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++) {
        float other = 0.5f + ldexpf((float)units[k], -22);
        size_t wrong = count_wrong(near, n, other, false);
        if (wrong < least) {
            least = wrong;
            neuron->fp[MST_NEURON_SHIFT] = other;
            neuron->ip[MST_NEURON_EVEN] = 0;
        }
    }
    mst_arena_release(&arena);
    return MST_OK;
}
