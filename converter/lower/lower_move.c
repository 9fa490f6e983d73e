/* ONNX operators that move values: shapes, slices, joins, padding. */
#include <string.h>

#include "converter/lower/lower_ops.h"

/* The output is the input itself. */
mst_status lower_alias(lower_ctx *c)
{
    uint32_t x;
    MST_TRY(lower_tensor(c, 0, &x));
    lower_bind(c, 0, x);
    return MST_OK;
}

mst_status lower_reshape(lower_ctx *c)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    MST_TRY(lower_emit_reshape(c, x, rank, dims, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_transpose(lower_ctx *c)
{
    uint32_t x, y;
    int64_t perm64[2 * MST_MAX_RANK];
    int32_t perm[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    uint32_t rank = c->g->tensors[x].rank;
    int n = ox_attr_ints(c->n, "perm", perm64, 2 * MST_MAX_RANK);
    if (n >= 0 && (uint32_t)n != rank)
        return lower_refuse(c, "perm does not have one entry per axis", "re-export the model");
    for (uint32_t d = 0; d < rank; d++) {
        perm[d] = n >= 0 ? lower_axis(perm64[d], rank) : (int32_t)(rank - 1 - d);
        if (perm[d] < 0)
            return lower_refuse(c, "perm names an axis outside the shape", "re-export the model");
    }
    MST_TRY(lower_emit_transpose(c, x, perm, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

mst_status lower_slice(lower_ctx *c)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK];
    int64_t starts[2 * MST_MAX_RANK], axes[2 * MST_MAX_RANK], steps[2 * MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    int n = lower_ints(c, "starts", 1, starts);
    int n_axes = lower_ints(c, "axes", 3, axes);
    int n_steps = lower_ints(c, NULL, 4, steps);
    if (n < 0 || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n) || (n_axes < 0 && (uint32_t)n > rank))
        return lower_refuse(c, "starts, axes or steps are not constant or do not fit", "slice with fixed bounds");
    const mst_tensor t = c->g->tensors[x];
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_SLICE, 1, &x, rank, dims, &y, &node));
    for (uint32_t d = 0; d < rank; d++)
        node->ip[MST_SLICE_STEP + d] = 1;
    for (int i = 0; i < n; i++) {
        int32_t d = lower_axis(n_axes >= 0 ? axes[i] : i, rank);
        int64_t step = n_steps >= 0 ? steps[i] : 1;
        if (d < 0 || step == 0 || step > INT32_MAX || step < -INT32_MAX)
            return lower_refuse(c, "an axis or step is out of range", "slice with fixed bounds");
        int64_t size = t.dims[d], start = clamp(starts[i], -size, size); /* also tames INT64_MIN */
        start = start < 0 ? start + size : start;
        start = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
        node->ip[MST_SLICE_START + d] = (int32_t)start;
        node->ip[MST_SLICE_STEP + d] = (int32_t)step;
    }
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_split(lower_ctx *c)
{
    uint32_t x, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    int32_t axis = lower_axis(ox_attr_int(c->n, "axis", 0), c->g->tensors[x].rank);
    if (axis < 0)
        return lower_refuse(c, "axis is outside the shape", "re-export the model");
    uint32_t at = 0;
    for (uint32_t k = 0; k < c->n->n_out; k++) {
        if (lower_out(c, k) == NULL)
            return lower_refuse(c, "an unnamed output in the middle", "re-export the model");
        uint32_t y;
        mst_node *node;
        MST_TRY(lower_out_dims(c, k, &rank, dims));
        MST_TRY(lower_emit(c, MST_OP_SLICE, 1, &x, rank, dims, &y, &node));
        for (uint32_t d = 0; d < rank; d++)
            node->ip[MST_SLICE_STEP + d] = 1;
        node->ip[MST_SLICE_START + axis] = (int32_t)at;
        at += dims[axis];
        lower_bind(c, k, y);
    }
    return MST_OK;
}

mst_status lower_concat(lower_ctx *c)
{
    uint32_t in[64], y, rank, dims[MST_MAX_RANK];
    if (c->n->n_in > 64)
        return lower_refuse(c, "joins more than 64 tensors", "join them in groups");
    for (uint32_t k = 0; k < c->n->n_in; k++)
        MST_TRY(lower_tensor(c, k, &in[k]));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_CONCAT, c->n->n_in, in, rank, dims, &y, &node));
    node->ip[MST_CONCAT_AXIS] = lower_axis(ox_attr_int(c->n, "axis", 0), rank);
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_gather(lower_ctx *c)
{
    uint32_t in[2], y, rank, dims[MST_MAX_RANK], idims[MST_MAX_RANK];
    const ox_value *index = lower_in(c, 1);
    if (index == NULL || index->data == NULL || lower_is_const(c, 0))
        return lower_refuse(c, "the index is computed at run time", "index with constants");
    MST_TRY(lower_tensor(c, 0, &in[0]));
    uint32_t xrank = c->g->tensors[in[0]].rank;
    int32_t axis = lower_axis(ox_attr_int(c->n, "axis", 0), xrank);
    if (axis < 0 || index->rank > MST_MAX_RANK)
        return lower_refuse(c, "axis is outside the shape", "re-export the model");
    for (uint32_t d = 0; d < index->rank; d++)
        idims[d] = (uint32_t)index->dims[d];
    size_t n = lower_elements(index);
    int32_t *data = mst_arena_array(&c->g->arena, n, sizeof *data);
    if (data == NULL)
        return mst_fail(c->err, MST_ENOMEM, "node '%s': out of memory", c->n->name);
    for (size_t i = 0; i < n; i++) {
        double v = lower_const_at(index, i), size = c->g->tensors[in[0]].dims[axis];
        v = v < 0 ? v + size : v;
        if (!(v >= 0 && v < size))
            return lower_refuse(c, "an index is outside of the axis", "re-export the model");
        data[i] = (int32_t)v;
    }
    MST_TRY(mst_graph_add_tensor(c->g, "", MST_I32, index->rank, idims, data, &in[1], c->err));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_GATHER, 2, in, rank, dims, &y, &node));
    node->ip[MST_GATHER_AXIS] = axis;
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_pad(lower_ctx *c)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK];
    int64_t pads[2 * MST_MAX_RANK], axes[2 * MST_MAX_RANK];
    if (strcmp(ox_attr_string(c->n, "mode", "constant"), "constant") != 0)
        return lower_refuse(c, "only constant padding is supported", "pad with zeros");
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    int n = lower_ints(c, "pads", 1, pads), n_axes = lower_ints(c, NULL, 3, axes);
    int n_pad = n_axes >= 0 ? n_axes : (int)rank;
    if (n != 2 * n_pad)
        return lower_refuse(c, "pads are not constant or do not fit the shape", "pad with fixed amounts");
    double value = (double)ox_attr_float(c->n, "value", 0);
    if (lower_is_const(c, 2))
        value = lower_const_at(lower_in(c, 2), 0);
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_PAD, 1, &x, rank, dims, &y, &node));
    node->fp[MST_PAD_VALUE] = (float)value;
    for (int i = 0; i < n_pad; i++) {
        int32_t d = lower_axis(n_axes >= 0 ? axes[i] : i, rank);
        if (d < 0 || pads[i] < 0 || pads[i + n_pad] < 0 || pads[i] > INT32_MAX)
            return lower_refuse(c, "negative padding", "use Slice to crop");
        node->ip[MST_PAD_BEFORE + d] = (int32_t)pads[i];
    }
    lower_bind(c, 0, y);
    return MST_OK;
}

/* Expand and Tile: only along axes of length 1. */
mst_status lower_expand(lower_ctx *c)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    const mst_tensor t = c->g->tensors[x];
    for (uint32_t d = 0; d < t.rank; d++)
        if (t.dims[t.rank - 1 - d] != 1 && t.dims[t.rank - 1 - d] != dims[rank - 1 - d])
            return lower_refuse(c, "repeats an axis that is longer than 1", "use Concat");
    MST_TRY(lower_emit(c, MST_OP_EXPAND, 1, &x, rank, dims, &y, NULL));
    lower_bind(c, 0, y);
    return MST_OK;
}
