/* Conditions and whole numbers on live values, as arithmetic on floats: a condition is 0 or 1, an integer a float
 * without a fraction. */
#include <math.h>
#include <string.h>

#include "converter/lower/lower_ops.h"

/* a > b is the sign of a - b, bounded to 0..1; a >= b the sign plus 1; for less the sign is turned. */
mst_status lower_compare(lower_ctx *c)
{
    bool less = strncmp(c->o.n->op, "Less", 4) == 0, equal = strstr(c->o.n->op, "OrEqual") != NULL;
    uint32_t sign, y;
    MST_TRY(lower_sub(c)); /* a - b, bound to the output */
    MST_TRY(lower_emit_unary(c, MST_UN_SIGN, c->map[c->o.n->out[0]], &sign));
    if (less || equal)
        MST_TRY(lower_emit_scale(c, sign, less ? -1 : 1, equal ? 1 : 0, &sign));
    MST_TRY(lower_emit_clip(c, sign, 0, 1, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

/* |a - b|, or 1 where they differ */
static mst_status emit_difference(lower_ctx *c, bool of_sign, uint32_t *y)
{
    MST_TRY(lower_sub(c));
    *y = c->map[c->o.n->out[0]];
    if (of_sign)
        MST_TRY(lower_emit_unary(c, MST_UN_SIGN, *y, y));
    return lower_emit_unary(c, MST_UN_ABS, *y, y);
}

mst_status lower_equal(lower_ctx *c)
{
    uint32_t y;
    MST_TRY(emit_difference(c, true, &y));
    MST_TRY(lower_emit_scale(c, y, -1, 1, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_xor(lower_ctx *c)
{
    uint32_t y;
    MST_TRY(emit_difference(c, false, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_and(lower_ctx *c) { return lower_mul(c); }
mst_status lower_or(lower_ctx *c) { return lower_max(c); }
mst_status lower_not(lower_ctx *c) { return lower_scaled(c, -1, 1); }

#define LOOKS_BACK 256 /* nodes: what rounds is near */

static bool is_whole_number(float x)
{
    return floorf(x) == x;
} /* or infinite */

static bool all_whole(const mst_tensor *t)
{
    for (size_t i = 0, n = mst_tensor_elements(t); i < n; i++)
        if (floor(mst_const_at(t, i)) != mst_const_at(t, i))
            return false;
    return true;
}

/* Is a value a whole number already: what Floor, Ceil or Round give, moved, shifted or bounded by whole numbers? */
static bool is_whole(const lower_ctx *c, uint32_t tensor)
{
    const mst_graph *g = c->g;
    for (uint32_t k = 0; k < LOOKS_BACK && k < g->n_nodes; k++) {
        const mst_node *n = &g->nodes[g->n_nodes - 1 - k];
        if (n->out != tensor)
            continue;
        if (n->op == MST_OP_UNARY)
            return n->ip[MST_UNARY_FN] == MST_UN_FLOOR || n->ip[MST_UNARY_FN] == MST_UN_CEIL ||
                   n->ip[MST_UNARY_FN] == MST_UN_ROUND || n->ip[MST_UNARY_FN] == MST_UN_SIGN;
        bool whole = n->op == MST_OP_RESHAPE || n->op == MST_OP_TRANSPOSE;
        if (n->op == MST_OP_CLIP)
            whole = is_whole_number(n->fp[MST_CLIP_LO]) && is_whole_number(n->fp[MST_CLIP_HI]);
        else if (n->op == MST_OP_AFFINE)
            whole = all_whole(&g->tensors[n->in[1]]) && all_whole(&g->tensors[n->in[2]]);
        if (!whole)
            return false;
        tensor = n->in[0];
    }
    return false;
}

/* To a float type the value itself; to an integer: towards 0; to a boolean: is it another number than 0? */
mst_status lower_cast(lower_ctx *c)
{
    const ox_value *x = ox_in(&c->o, 0), *y = ox_out(&c->o, 0);
    uint32_t in, sign, size, floor, out;
    bool whole = x != NULL && !ox_is_float(x->dtype);
    if (y == NULL || ox_is_float(y->dtype) || (whole && (y->dtype != OX_BOOL || x->dtype == OX_BOOL)))
        return lower_alias(c);
    MST_TRY(lower_tensor(c, 0, &in));
    if (y->dtype != OX_BOOL && is_whole(c, in))
        return lower_alias(c);
    MST_TRY(lower_emit_unary(c, MST_UN_SIGN, in, &sign));
    if (y->dtype == OX_BOOL) {
        MST_TRY(lower_emit_unary(c, MST_UN_ABS, sign, &out));
    } else {
        MST_TRY(lower_emit_unary(c, MST_UN_ABS, in, &size));
        MST_TRY(lower_emit_unary(c, MST_UN_FLOOR, size, &floor));
        MST_TRY(lower_emit_binary(c, MST_BIN_MUL, sign, floor, &out));
    }
    lower_bind(c, 0, out);
    return MST_OK;
}

/* condition * a; nothing (*out is MST_NONE) where a is 0 */
static mst_status emit_chosen(lower_ctx *c, uint32_t condition, uint32_t k, uint32_t *out)
{
    uint32_t a;
    const ox_value *v = ox_in(&c->o, k);
    bool uniform = v != NULL && v->data != NULL && ox_elements(v) != 0;
    double first = uniform ? ox_get_double(v, 0) : 0;
    *out = MST_NONE;
    for (size_t i = 0, n = uniform ? ox_elements(v) : 0; i < n; i++) {
        if (!isfinite(ox_get_double(v, i)))
            return lower_refuse(c, "chooses an infinite value", "use a large finite value such as -100");
        uniform = uniform && ox_get_double(v, i) == first;
    }
    if (uniform && first == 0)
        return MST_OK;
    if (uniform)
        return lower_emit_scale(c, condition, first, 0, out);
    MST_TRY(lower_tensor(c, k, &a));
    return lower_emit_binary(c, MST_BIN_MUL, condition, a, out);
}

/* Where of a live condition: c*a + (1 - c)*b */
mst_status lower_where_live(lower_ctx *c)
{
    uint32_t condition, other, a, b, y, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &condition));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    MST_TRY(lower_emit_scale(c, condition, -1, 1, &other));
    MST_TRY(emit_chosen(c, condition, 1, &a));
    MST_TRY(emit_chosen(c, other, 2, &b));
    if (a == MST_NONE || b == MST_NONE)
        y = a != MST_NONE ? a : b;
    else
        MST_TRY(lower_emit_binary(c, MST_BIN_ADD, a, b, &y));
    if (y == MST_NONE)
        return lower_refuse(c, "chooses between zeros", "remove it");
    const mst_tensor *t = &c->g->tensors[y];
    if (t->rank != rank || memcmp(t->dims, dims, rank * sizeof *dims) != 0)
        return lower_refuse(c, "chooses 0 of a larger shape", "expand the other value first");
    lower_bind(c, 0, y);
    return MST_OK;
}
