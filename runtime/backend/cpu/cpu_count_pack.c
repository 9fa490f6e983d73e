/* Prepares synapses on counts: panels of int8 weights, where rows of a convolution lie. */
#include <string.h>

#include "runtime/backend/cpu/cpu_count.h"
#include "runtime/core/checked.h"

/* Outputs of a group below which an operator's function is no slower than panels of 32. */
#define LEAST_GROUP 8

static bool fuses(mst_form source, rt_rule rule)
{
    return source == MST_FORM_COUNT && (rule == RT_STORE || rule == RT_FIRE_COUNT);
}

static bool joins(const rt_expr *a, const rt_expr *b)
{
    (void)a;
    (void)b;
    return false; /* there are no lists to share */
}

/* ---- convolutions ----------------------------------------------------------------------- */

/* Pixels of the bordered image along an axis, from tap 0 of output 0 to the last tap of the last output. */
static size_t reach_of(const win_axis *a)
{
    return (size_t)((a->out - 1) * a->stride + (a->kernel - 1) * a->dilation + 1);
}

static mst_status place_rows(lowering *lo, const op_conv *q, cpu_count_synapse *how)
{
    uint32_t *index = mst_arena_array(&lo->p->arena, (size_t)q->h.out * (size_t)q->w.out, sizeof *index);
    size_t segments = q->w.dilation == 1 && how->groups == 1 ? 1 : (size_t)q->w.kernel;
    how->n_taps = (size_t)q->h.kernel * segments;
    size_t *taps = mst_arena_array(&lo->p->arena, how->n_taps, sizeof *taps);
    if (index == NULL || taps == NULL)
        return low_no_memory(lo);
    for (int64_t oh = 0; oh < q->h.out; oh++)
        for (int64_t ow = 0; ow < q->w.out; ow++)
            index[oh * q->w.out + ow] =
                (uint32_t)((size_t)(oh * q->h.stride) * how->width + (size_t)(ow * q->w.stride));
    for (size_t t = 0; t < how->n_taps; t++) {
        size_t i = t / segments, j = t % segments;
        taps[t] = (i * (size_t)q->h.dilation * how->width + j * (size_t)q->w.dilation) * q->channels;
    }
    how->k = q->channels / how->groups * ((size_t)q->w.kernel / segments);
    how->index = index;
    how->taps = taps;
    return MST_OK;
}

/* Outputs along an axis that position `at` reaches. */
static uint32_t reached(const win_axis *a, int64_t at)
{
    uint32_t n = 0;
    for (int64_t o = 0; o < a->out; o++) {
        int64_t from = at + a->pad - o * a->stride;
        n += from >= 0 && from % a->dilation == 0 && from / a->dilation < a->kernel;
    }
    return n;
}

static mst_status note_reach(lowering *lo, const op_conv *q, cpu_count_synapse *how)
{
    uint32_t *reach = mst_arena_array(&lo->p->arena, (size_t)q->h.size * (size_t)q->w.size, sizeof *reach);
    if (reach == NULL)
        return low_no_memory(lo);
    for (int64_t r = 0; r < q->h.size; r++)
        for (int64_t c = 0; c < q->w.size; c++)
            reach[r * q->w.size + c] = reached(&q->h, r) * reached(&q->w, c);
    how->reach = reach;
    return MST_OK;
}

static mst_status plan_conv(lowering *lo, const rt_synapse *syn, cpu_count_synapse *how, bool *ok)
{
    const op_conv *q = &syn->node->u.conv;
    how->groups = q->groups;
    *ok = q->groups == 1 || syn->group_out >= LEAST_GROUP;
    how->top = (size_t)q->h.pad;
    how->left = (size_t)q->w.pad;
    how->height = reach_of(&q->h);
    how->width = reach_of(&q->w);
    how->bordered =
        q->h.pad != 0 || q->w.pad != 0 || how->height > (size_t)q->h.size || how->width != (size_t)q->w.size;
    if (how->height * how->width > UINT32_MAX)
        *ok = false;
    if (!*ok)
        return MST_OK;
    MST_TRY(note_reach(lo, q, how));
    return place_rows(lo, q, how);
}

static mst_status plan_synapse(lowering *lo, rt_synapse *syn, bool *ok)
{
    static const size_t only[] = {0};
    *ok = syn->node->weights->unit_c != NULL;
    if (!*ok)
        return MST_OK;
    cpu_count_synapse *how = syn->how = mst_arena_alloc(&lo->p->arena, sizeof *how);
    if (how == NULL)
        return low_no_memory(lo);
    if (syn->is_conv)
        return plan_conv(lo, syn, how, ok);
    how->groups = 1;
    how->n_taps = 1;
    how->taps = only;
    how->k = syn->node->weights->k;
    return MST_OK;
}

/* ---- panels ------------------------------------------------------------------------------ */

static void pack(const rt_synapse *syn, cpu_count_synapse *how, const int8_t *w)
{
    for (size_t g = 0; g < how->groups; g++)
        for (size_t i = 0; i < how->n_taps * how->k; i++)
            for (size_t o = 0; o < syn->group_out; o++)
                how->panels[g * how->group_bytes + mstc_weight_at(o, i / how->k, i % how->k, how->n_taps, how->k)] =
                    w[i * syn->out + g * syn->group_out + o];
}

static mst_status pack_synapse(lowering *lo, rt_synapse *syn, bool *ok)
{
    cpu_count_synapse *how = cpu_count_of(syn);
    const mst_node *n = &lo->g->nodes[syn->node->index];
    const float *b = n->n_in > 2 && n->in[2] != MST_NONE ? lo->g->tensors[n->in[2]].data : NULL;
    how->group_bytes = mstc_panels_size(syn->group_out, how->n_taps, how->k);
    size_t *room = &((cpu_program *)lo->p->how)->panel_room;
    *ok = mst_mul_size(how->group_bytes, how->groups, &how->panel_bytes) && how->panel_bytes <= *room;
    if (!*ok)
        return MST_OK;
    *room -= how->panel_bytes;
    how->panels = mst_alloc_aligned(lo->p->alloc, how->panel_bytes);
    float *zeros = b == NULL ? mst_arena_array(&lo->p->arena, syn->out, sizeof *zeros) : NULL;
    if (how->panels == NULL || (b == NULL && zeros == NULL))
        return low_no_memory(lo);
    how->b = b != NULL ? b : zeros;
    pack(syn, how, lo->g->tensors[n->in[1]].data);
    how->w = (mstc_weights){.panels = how->panels, .n = syn->group_out, .most = 127};
    if (how->bordered)
        how->border_bytes = (how->height * how->width * syn->node->u.conv.channels + RT_COUNT_SLACK + 63) / 64 * 64;
    return MST_OK;
}

void cpu_count_free(const mst_allocator *alloc, rt_synapse *syn)
{
    cpu_count_synapse *how = cpu_count_of(syn);
    if (how != NULL)
        mst_free_aligned(alloc, how->panels, how->panel_bytes);
}

const low_target cpu_count_target = {
    .fuses = fuses,
    .plan_synapse = plan_synapse,
    .pack_synapse = pack_synapse,
    .joins = joins,
    .layer_scratch = cpu_count_scratch,
};
