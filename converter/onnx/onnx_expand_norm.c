/* Normalizations in terms of LayerNormalization, or of means and squares. */
#include "converter/onnx/onnx_expand.h"

/* [1,C,1,..] of a vector of C values, for a tensor of rank dimensions */
static uint32_t per_channel(ox_build *b, uint32_t v, uint32_t rank)
{
    int64_t dims[MST_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d == 1 ? ob_value(b, v).dims[0] : 1;
    return ob_reshape(b, v, rank, dims);
}

/* x normalized over everything but the first two axes of [N, groups, ...] */
static uint32_t over_groups(ox_build *b, uint32_t x, int64_t groups)
{
    const ox_value v = ob_value(b, x);
    int64_t dims[3] = {v.dims[0], groups, -1}, n = 1;
    for (uint32_t d = 1; d < v.rank; d++)
        n *= v.dims[d];
    dims[2] = n / groups;
    ox_attr attrs[2] = {ob_attr_int("axis", -1), ob_attr_float("epsilon", ox_attr_float(b->n, "epsilon", 1e-5f))};
    uint32_t in[2] = {ob_reshape(b, x, 3, dims), ob_number(b, x, 1)};
    return ob_reshape(b, ob_node(b, "LayerNormalization", 2, in, 2, attrs), v.rank, v.dims);
}

static bool has_channels(ox_build *b, int64_t n)
{
    for (uint32_t k = 1; k < 3; k++) {
        const ox_value v = ob_value(b, ob_in(b, k));
        if (v.rank == 1 && v.dims[0] == n)
            continue;
        ob_fail(b, MST_EINVAL, "scale or bias has not one value for each channel");
        return false;
    }
    return true;
}

/* y * scale + bias, one of each for a channel */
static void scale_and_shift(ox_build *b, uint32_t y, uint32_t scale, uint32_t bias)
{
    uint32_t rank = ob_value(b, y).rank;
    y = ob_2(b, "Mul", y, per_channel(b, scale, rank));
    ob_return(b, 0, ob_2(b, "Add", y, per_channel(b, bias, rank)));
}

void ox_expand_instance_norm(ox_build *b)
{
    const ox_value x = ob_value(b, ob_in(b, 0));
    if (x.rank < 3 || x.dims[1] == 0)
        ob_fail(b, MST_EINVAL, "its input has no axes to normalize over");
    else if (has_channels(b, x.dims[1]))
        scale_and_shift(b, over_groups(b, ob_in(b, 0), x.dims[1]), ob_in(b, 1), ob_in(b, 2));
}

/* The values of v, one for a group, for each of the channels. */
static uint32_t of_groups(ox_build *b, uint32_t v, int64_t groups, int64_t channels)
{
    int64_t column[2] = {groups, 1}, full[2] = {groups, channels / groups};
    return ob_reshape(b, ob_2(b, "Expand", ob_reshape(b, v, 2, column), ob_ints(b, 2, full)), 1, &channels);
}

/* Scale and bias are one value for a group in opset 18, for a channel from 21 on. */
void ox_expand_group_norm(ox_build *b)
{
    const ox_value x = ob_value(b, ob_in(b, 0));
    int64_t groups = ox_attr_int(b->n, "num_groups", 0);
    bool by_group = b->c->g->opset < 21;
    uint32_t scale = ob_in(b, 1), bias = ob_in(b, 2);
    if (x.rank < 3 || groups < 1 || x.dims[1] % groups != 0) {
        ob_fail(b, MST_EINVAL, "the channels do not divide into num_groups");
        return;
    }
    if (!has_channels(b, by_group ? groups : x.dims[1]))
        return;
    if (by_group) {
        scale = of_groups(b, scale, groups, x.dims[1]);
        bias = of_groups(b, bias, groups, x.dims[1]);
    }
    scale_and_shift(b, over_groups(b, ob_in(b, 0), groups), scale, bias);
}

uint32_t ox_rms_norm(ox_build *b, uint32_t x, uint32_t scale, int64_t axis, double epsilon)
{
    uint32_t first, axes = 0, rank = ob_value(b, x).rank;
    if (b->st == MST_OK)
        b->st = ox_axis_of(b->c, axis, rank, &first);
    if (b->st != MST_OK)
        return OX_NONE;
    for (uint32_t d = first; d < rank; d++)
        axes |= 1u << d;
    uint32_t mean = ob_reduce(b, "ReduceMean", ob_2(b, "Mul", x, x), axes, true);
    x = ob_2(b, "Div", x, ob_1(b, "Sqrt", ob_shift(b, mean, epsilon)));
    return ob_2(b, "Mul", x, scale);
}

void ox_expand_rms_norm(ox_build *b)
{
    double epsilon = (double)ox_attr_float(b->n, "epsilon", 1e-5f);
    if (b->n->n_out > 1)
        ob_fail(b, MST_EUNSUPPORTED, "its second output is not supported");
    ob_return(b, 0, ox_rms_norm(b, ob_in(b, 0), ob_in(b, 1), ox_attr_int(b->n, "axis", -1), epsilon));
}

/* x / |x|_p, and 0 where that is 0 */
void ox_expand_lp_norm(ox_build *b)
{
    uint32_t x = ob_in(b, 0), axis;
    int64_t p = ox_attr_int(b->n, "p", 2);
    b->st = ox_axis(b->c, "axis", -1, ob_value(b, x).rank, &axis);
    if (b->st == MST_OK && p != 1 && p != 2)
        ob_fail(b, MST_EINVAL, "p is neither 1 nor 2");
    if (b->st != MST_OK)
        return;
    uint32_t norm = ob_reduce(b, p == 1 ? "ReduceL1" : "ReduceL2", x, 1u << axis, true);
    uint32_t is_not = ob_cast(b, ob_cast(b, norm, OX_BOOL), (int)ob_value(b, norm).dtype);
    uint32_t is_zero = ob_shift(b, ob_1(b, "Neg", is_not), 1);
    ob_return(b, 0, ob_2(b, "Div", x, ob_2(b, "Add", norm, is_zero)));
}
