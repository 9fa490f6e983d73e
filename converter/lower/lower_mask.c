/* Random Spike Masking: a value times random numbers that are 0 or another one becomes a MASK, with the scale behind;
 * and Dropout that was left in training mode. */
#include "converter/lower/lower_ops.h"

#define MAX_REUSE 64 /* of one draw: how far a value is looked for above another is bounded */

/* Has x, through what only moves and scales it, been masked by this draw? */
static bool is_masked_by(const lower_ctx *c, uint32_t x, uint32_t draw)
{
    for (uint32_t i = c->g->n_nodes; i-- > 0;) {
        const mst_node *n = &c->g->nodes[i];
        if (n->out != x)
            continue;
        if (n->op == MST_OP_MASK && c->draw_of[n->ip[MST_MASK_INDEX]] == draw)
            return true;
        if (n->op != MST_OP_MASK && n->op != MST_OP_AFFINE && (mst_op_get(n->op)->flags & MST_F_MOVE) == 0)
            return false;
        x = n->in[0];
    }
    return false;
}

/* A MASK on input k_data; *y is what leaves it. */
static mst_status emit_mask(lower_ctx *c, uint32_t k_data, double survival, uint32_t draw, uint32_t *y)
{
    uint32_t x, rank, dims[MST_MAX_RANK];
    if (!(survival > 0 && survival <= 1))
        return lower_refuse(c, "a mask that keeps nothing", "use a ratio in [0,1)");
    MST_TRY(lower_tensor(c, k_data, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    const ox_value *out = ox_out(&c->o, 0);
    if (ox_elements(out) != mst_tensor_elements(&c->g->tensors[x]))
        return lower_refuse(c, "the mask is larger than its data", "draw the mask with rand_like");
    if (c->reused[draw] > MAX_REUSE || (c->reused[draw]++ != 0 && is_masked_by(c, x, draw)))
        return lower_refuse(c, "masks again with random numbers that the value was masked with",
                            "draw numbers of its own for each mask");
    if (c->g->tensors[x].rank != rank)
        MST_TRY(lower_emit_reshape(c, x, rank, dims, &x));
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_MASK, 1, &x, rank, dims, y, &node));
    node->ip[MST_MASK_STAGE] = node->ip[MST_MASK_BLOCK] = -1;
    node->ip[MST_MASK_INDEX] = (int32_t)c->n_masks;
    node->fp[MST_MASK_RATIO] = node->fp[MST_MASK_TRAINED] = (float)(1 - survival);
    c->draw_of[c->n_masks++] = draw;
    return MST_OK;
}

mst_status lower_mask(lower_ctx *c, const lower_random *r, uint32_t k_data, double lo, double hi)
{
    uint32_t y;
    const ox_value *data = ox_in(&c->o, k_data), *out = ox_out(&c->o, 0), *bits = NULL;
    for (uint32_t k = 0; k < c->o.n->n_in && bits == NULL; k++)
        if (c->o.n->in[k] != OX_NONE && c->random[c->o.n->in[k]].kind != LR_NOT_RANDOM)
            bits = ox_in(&c->o, k);
    if (out == NULL || data == NULL)
        return lower_refuse(c, "an input or output is missing", "re-export the model");
    if (r->spread || bits == NULL || ox_elements(bits) < ox_elements(out))
        return lower_refuse(c, "a mask that is not drawn for each element", "draw the mask with rand_like");
    if (lo != 0 && hi != 0)
        return lower_refuse(c, "multiplies by random numbers of which none is 0",
                            "write the mask as x * (rand > ratio)");
    MST_TRY(emit_mask(c, k_data, lo != 0 ? 1 - r->p : r->p, r->draw, &y));
    if (lo + hi != 1)
        MST_TRY(lower_emit_scale(c, y, lo + hi, 0, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

static bool scalar_or(const ox_value *v, double *value)
{
    if (v == NULL)
        return true;
    if (v->data == NULL || ox_elements(v) != 1)
        return false;
    *value = ox_get_double(v, 0);
    return true;
}

/* The identity, unless it is in training mode (opset 12 and later): then it drops at
 * inference too, a MASK with a rescale. */
mst_status lower_dropout(lower_ctx *c)
{
    double training = 0, ratio = 0.5;
    uint32_t masked, y;
    if (ox_out(&c->o, 1) != NULL)
        return lower_refuse(c, "its mask output is used", "use only the first output");
    if (!scalar_or(ox_in(&c->o, 2), &training) || !scalar_or(ox_in(&c->o, 1), &ratio))
        return lower_refuse(c, "its ratio or mode is not constant", "call model.eval() before the export");
    if (training == 0 || ratio == 0)
        return lower_alias(c);
    MST_TRY(emit_mask(c, 0, 1 - ratio, c->o.n->out[0], &masked));
    MST_TRY(lower_emit_scale(c, masked, 1 / (1 - ratio), 0, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}
