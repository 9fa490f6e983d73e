/* Random Spike Masking as exporters write it: uniform numbers compared with a
 * constant, cast, multiplied on. Follows the random values and turns the
 * product into a MASK. */
#include <string.h>

#include "converter/lower/lower_ops.h"

static lower_random *random_in(const lower_ctx *c, uint32_t k)
{
    static const lower_random none; /* all zero: not random */
    return k < c->o.n->n_in && c->o.n->in[k] != OX_NONE ? &c->random[c->o.n->in[k]] : (lower_random *)&none;
}

static void bind_random(lower_ctx *c, lower_random r)
{
    if (ox_out(&c->o, 0) != NULL)
        c->random[c->o.n->out[0]] = r;
}

mst_status lower_random_uniform(lower_ctx *c)
{
    lower_random r = {.kind = LR_UNIFORM};
    r.lo = (double)ox_attr_float(c->o.n, "low", 0);
    r.hi = (double)ox_attr_float(c->o.n, "high", 1);
    if (!(r.lo < r.hi))
        return lower_refuse(c, "low is not below high", "use a range such as 0..1");
    bind_random(c, r);
    return MST_OK;
}

static bool scalar_const(const ox_value *v, double *value)
{
    if (v == NULL || v->data == NULL)
        return false;
    *value = ox_get_double(v, 0);
    for (size_t i = 1, n = ox_elements(v); i < n; i++)
        if (ox_get_double(v, i) != *value)
            return false;
    return true;
}

mst_status lower_bernoulli(lower_ctx *c)
{
    lower_random r = {.kind = LR_SURVIVES};
    if (!scalar_const(ox_in(&c->o, 0), &r.survival))
        return lower_refuse(c, "its probability is not one constant", "use one ratio per site");
    bind_random(c, r);
    return MST_OK;
}

/* Less, LessOrEqual, Greater, GreaterOrEqual of a uniform number and a constant */
mst_status lower_compare(lower_ctx *c)
{
    uint32_t side = random_in(c, 0)->kind == LR_UNIFORM ? 0 : 1;
    lower_random u = *random_in(c, side), r = {.kind = LR_SURVIVES};
    double bound;
    if (u.kind != LR_UNIFORM)
        return lower_compare_live(c);
    if (!scalar_const(ox_in(&c->o, 1 - side), &bound))
        return lower_refuse(c, "compares random numbers with more than one number",
                            "only masks of the form rand > ratio are supported");
    double below = (bound - u.lo) / (u.hi - u.lo);
    below = below < 0 ? 0 : below > 1 ? 1
                                      : below;
    bool less = (strncmp(c->o.n->op, "Less", 4) == 0) == (side == 0);
    r.survival = less ? below : 1 - below;
    bind_random(c, r);
    return MST_OK;
}

mst_status lower_not(lower_ctx *c)
{
    lower_random r = *random_in(c, 0);
    if (r.kind != LR_SURVIVES)
        return lower_not_live(c);
    r.survival = 1 - r.survival;
    bind_random(c, r);
    return MST_OK;
}

/* Cast: to a float type the value itself; of a random mask, still the mask. */
mst_status lower_cast(lower_ctx *c)
{
    const ox_value *y = ox_out(&c->o, 0);
    bool floats = y != NULL && (y->dtype == OX_FLOAT || y->dtype == OX_DOUBLE || y->dtype == OX_FLOAT16 ||
                                y->dtype == OX_BFLOAT16);
    const lower_random *r = random_in(c, 0);
    if (r->kind == LR_SURVIVES || (r->kind == LR_UNIFORM && floats)) {
        bind_random(c, *r);
        return MST_OK;
    }
    return floats ? lower_alias(c) : lower_cast_live(c);
}

/* A MASK on input k_data; *y is what leaves it. */
static mst_status emit_mask(lower_ctx *c, uint32_t k_data, double survival, uint32_t *y)
{
    uint32_t x;
    if (!(survival > 0 && survival <= 1))
        return lower_refuse(c, "a mask that keeps nothing", "use a ratio in [0,1)");
    MST_TRY(lower_tensor(c, k_data, &x));
    const mst_tensor t = c->g->tensors[x];
    const ox_value *out = ox_out(&c->o, 0);
    if (out == NULL || out->rank != t.rank || ox_elements(out) != mst_tensor_elements(&t))
        return lower_refuse(c, "the mask is larger than its data", "draw the mask with rand_like");
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_MASK, 1, &x, t.rank, t.dims, y, &node));
    node->ip[MST_MASK_STAGE] = node->ip[MST_MASK_BLOCK] = -1;
    node->ip[MST_MASK_INDEX] = (int32_t)c->n_masks++;
    node->fp[MST_MASK_RATIO] = node->fp[MST_MASK_TRAINED] = (float)(1 - survival);
    return MST_OK;
}

/* The mask in input k_mask on the data in input k_data. */
static mst_status apply_mask(lower_ctx *c, uint32_t k_mask, uint32_t k_data, double survival)
{
    uint32_t y;
    const ox_value *mask = ox_in(&c->o, k_mask), *data = ox_in(&c->o, k_data);
    if (data == NULL || ox_elements(mask) != ox_elements(data))
        return lower_refuse(c, "a mask that is not drawn for each element", "draw the mask with rand_like");
    MST_TRY(emit_mask(c, k_data, survival, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_mask_product(lower_ctx *c, bool *done)
{
    uint32_t side = random_in(c, 0)->kind == LR_SURVIVES ? 0 : 1;
    *done = random_in(c, side)->kind == LR_SURVIVES && random_in(c, 1 - side)->kind == LR_NOT_RANDOM;
    return *done ? apply_mask(c, side, 1 - side, random_in(c, side)->survival) : MST_OK;
}

/* Where(mask, x, 0) or Where(mask, 0, x) */
mst_status lower_mask_where(lower_ctx *c, bool *done)
{
    double zero = 1;
    lower_random r = *random_in(c, 0);
    *done = r.kind == LR_SURVIVES;
    if (!*done)
        return MST_OK;
    uint32_t data = lower_is_const(c, 1) ? 2 : 1;
    if (!scalar_const(ox_in(&c->o, 3 - data), &zero) || zero != 0)
        return lower_refuse(c, "a random choice that is not a mask", "write the mask as x * (rand > ratio)");
    return apply_mask(c, 0, data, data == 1 ? r.survival : 1 - r.survival);
}

/* The identity, unless it is in training mode (opset 12 and later): then it drops at
 * inference too, a MASK with a rescale. */
mst_status lower_dropout(lower_ctx *c)
{
    double training = 0, ratio = 0.5;
    uint32_t masked, y;
    if (ox_out(&c->o, 1) != NULL)
        return lower_refuse(c, "its mask output is used", "use only the first output");
    if ((ox_in(&c->o, 2) != NULL && !scalar_const(ox_in(&c->o, 2), &training)) ||
        (ox_in(&c->o, 1) != NULL && !scalar_const(ox_in(&c->o, 1), &ratio)))
        return lower_refuse(c, "its ratio or mode is not constant", "call model.eval() before the export");
    if (training == 0 || ratio == 0)
        return lower_alias(c);
    MST_TRY(emit_mask(c, 0, 1 - ratio, &masked));
    MST_TRY(lower_emit_scale(c, masked, 1 / (1 - ratio), 0, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}
