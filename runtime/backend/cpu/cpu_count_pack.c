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

/* ---- convolutions ----------------------------------------------------------------------- */

static uint32_t *reach_along(lowering *lo, const win_axis *a)
{
    uint32_t *n = mst_arena_array(lo->tmp, (size_t)a->size, sizeof *n);
    for (int64_t i = 0; n != NULL && i < a->size; i++)
        n[i] = (uint32_t)win_reached(a, i);
    return n;
}

/* What the pixel in the middle reaches, and all pixels that reach more or less: with a stride of 1, the border. */
static mst_status note_reach(lowering *lo, const op_conv *q, cpu_count_synapse *how)
{
    const size_t height = (size_t)q->h.size, width = (size_t)q->w.size;
    const uint32_t *h = reach_along(lo, &q->h), *w = reach_along(lo, &q->w);
    uint32_t *at = mst_arena_array(lo->tmp, 2 * height * width, sizeof *at), *reach = at + height * width;
    if (h == NULL || w == NULL || at == NULL)
        return low_no_memory(lo);
    how->reach = h[height / 2] * w[width / 2];
    for (size_t i = 0; i < height * width; i++) {
        at[how->n_other] = (uint32_t)i;
        reach[how->n_other] = h[i / width] * w[i % width];
        how->n_other += reach[how->n_other] != how->reach;
    }
    if (how->n_other == 0)
        return MST_OK;
    how->other = mst_arena_copy(&lo->p->arena, at, how->n_other * sizeof *at);
    how->other_reach = mst_arena_copy(&lo->p->arena, reach, how->n_other * sizeof *reach);
    return how->other != NULL && how->other_reach != NULL ? MST_OK : low_no_memory(lo);
}

static mst_status plan_conv(lowering *lo, const rt_synapse *syn, cpu_count_synapse *how, bool *ok)
{
    const op_conv *q = &syn->node->u.conv;
    how->groups = q->groups;
    *ok = q->groups == 1 || syn->group_out >= LEAST_GROUP;
    if (*ok)
        MST_TRY(op_make_taps(&lo->p->arena, q, &how->at, ok, lo->err));
    return *ok ? note_reach(lo, q, how) : MST_OK;
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
    how->at = (op_taps){.n_taps = 1, .taps = only, .k = syn->node->weights->k};
    return MST_OK;
}

/* ---- panels ------------------------------------------------------------------------------ */

static void pack(const rt_synapse *syn, cpu_count_synapse *how, const int8_t *w)
{
    const size_t taps = how->at.n_taps, k = how->at.k;
    for (size_t g = 0; g < how->groups; g++)
        for (size_t i = 0; i < taps * k; i++)
            for (size_t o = 0; o < syn->group_out; o++)
                how->panels[g * how->group_bytes + mstc_weight_at(o, i / k, i % k, taps, k)] =
                    w[i * syn->out + g * syn->group_out + o];
}

static mst_status pack_synapse(lowering *lo, rt_synapse *syn, bool *ok)
{
    cpu_count_synapse *how = cpu_count_of(syn);
    const mst_node *n = &lo->g->nodes[syn->node->index];
    const float *b = n->n_in > 2 && n->in[2] != MST_NONE ? lo->g->tensors[n->in[2]].data : NULL;
    how->group_bytes = mstc_panels_size(syn->group_out, how->at.n_taps, how->at.k);
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
    if (how->at.bordered)
        how->border_bytes = (op_border_values(&syn->node->u.conv, &how->at) + RT_COUNT_SLACK + 63) / 64 * 64;
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
    .plan_neurons = cpu_count_find_quick,
    .joins = cpu_count_stores_for,
    .layer_scratch = cpu_count_scratch,
};
