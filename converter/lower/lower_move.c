/* ONNX operators that move values: shapes, slices, joins, padding. */
#include <string.h>

#include "converter/lower/lower_ops.h"

/* The output is the input itself. */
mst_status lower_alias(lower_ctx *c)
{
    uint32_t x;
    MST_TRY(lower_tensor(c, 0, &x));
    lower_bind(c, 0, x);
    if (c->o.n->out[0] != OX_NONE) {
        c->pair_of[c->o.n->out[0]] = c->pair_of[c->o.n->in[0]];
        c->levels[c->o.n->out[0]] = c->levels[c->o.n->in[0]];
    }
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
    uint32_t x, y, from[MST_MAX_RANK];
    int32_t perm[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(ox_transpose_perm(&c->o, from));
    for (uint32_t d = 0; d < c->g->tensors[x].rank; d++)
        perm[d] = (int32_t)from[d];
    MST_TRY(lower_emit_transpose(c, x, perm, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

/* Output k of this node is a SLICE of x; start and step for each axis. */
static mst_status emit_slice(lower_ctx *c, uint32_t x, uint32_t k, const int64_t *start, const int64_t *step)
{
    uint32_t y, rank, dims[MST_MAX_RANK];
    mst_node *node;
    MST_TRY(lower_out_dims(c, k, &rank, dims));
    MST_TRY(lower_emit(c, MST_OP_SLICE, 1, &x, rank, dims, &y, &node));
    for (uint32_t d = 0; d < rank; d++) {
        node->ip[MST_SLICE_START + d] = (int32_t)start[d];
        node->ip[MST_SLICE_STEP + d] = (int32_t)step[d];
    }
    lower_bind(c, k, y);
    return MST_OK;
}

mst_status lower_slice(lower_ctx *c)
{
    uint32_t x;
    ox_slice s;
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(ox_slice_params(&c->o, &s));
    return emit_slice(c, x, 0, s.start, s.step);
}

mst_status lower_split(lower_ctx *c)
{
    uint32_t x, axis;
    int64_t count;
    MST_TRY(lower_tensor(c, 0, &x));
    for (uint32_t k = 0; k < c->o.n->n_out; k++) {
        int64_t start[MST_MAX_RANK] = {0}, step[MST_MAX_RANK];
        if (ox_out(&c->o, k) == NULL)
            return lower_refuse(c, "an unnamed output in the middle", "re-export the model");
        for (uint32_t d = 0; d < MST_MAX_RANK; d++)
            step[d] = 1;
        int64_t at;
        MST_TRY(ox_split_params(&c->o, &axis, k, &at, &count));
        start[axis] = at;
        MST_TRY(emit_slice(c, x, k, start, step));
    }
    return MST_OK;
}

mst_status lower_concat(lower_ctx *c)
{
    uint32_t in[64], y, axis, rank, dims[MST_MAX_RANK];
    if (c->o.n->n_in > 64)
        return lower_refuse(c, "joins more than 64 tensors", "join them in groups");
    for (uint32_t k = 0; k < c->o.n->n_in; k++)
        MST_TRY(lower_tensor(c, k, &in[k]));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    MST_TRY(ox_axis(&c->o, "axis", 0, rank, &axis));
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_CONCAT, c->o.n->n_in, in, rank, dims, &y, &node));
    node->ip[MST_CONCAT_AXIS] = (int32_t)axis;
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_gather(lower_ctx *c)
{
    uint32_t in[2], y, axis, rank, dims[MST_MAX_RANK], idims[MST_MAX_RANK];
    const ox_value *index = ox_in(&c->o, 1);
    if (index == NULL || index->data == NULL || lower_is_const(c, 0))
        return lower_refuse(c, "the index is computed at run time", "index with constants");
    MST_TRY(lower_tensor(c, 0, &in[0]));
    MST_TRY(ox_axis(&c->o, "axis", 0, c->g->tensors[in[0]].rank, &axis));
    for (uint32_t d = 0; d < index->rank; d++)
        idims[d] = (uint32_t)index->dims[d];
    size_t n = ox_elements(index);
    int32_t *data = mst_arena_array(&c->g->arena, n, sizeof *data);
    if (data == NULL)
        return mst_fail(c->o.err, MST_ENOMEM, "node '%s': out of memory", c->o.n->name);
    for (size_t i = 0; i < n; i++) {
        double v = ox_get_double(index, i), size = c->g->tensors[in[0]].dims[axis];
        v = v < 0 ? v + size : v;
        if (!(v >= 0 && v < size))
            return lower_refuse(c, "an index is outside of the axis", "re-export the model");
        data[i] = (int32_t)v;
    }
    MST_TRY(mst_graph_add_tensor(c->g, "", MST_I32, index->rank, idims, data, &in[1], c->o.err));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_GATHER, 2, in, rank, dims, &y, &node));
    node->ip[MST_GATHER_AXIS] = (int32_t)axis;
    lower_bind(c, 0, y);
    return MST_OK;
}

/* What negative padding leaves of x. */
static mst_status crop(lower_ctx *c, const int64_t *before, const int64_t *after, uint32_t *x)
{
    const mst_tensor t = c->g->tensors[*x];
    uint32_t dims[MST_MAX_RANK], y;
    bool cuts = false;
    for (uint32_t d = 0; d < t.rank; d++) {
        dims[d] = t.dims[d] - (uint32_t)(before[d] < 0 ? -before[d] : 0) - (uint32_t)(after[d] < 0 ? -after[d] : 0);
        cuts = cuts || dims[d] != t.dims[d];
        if (dims[d] == 0 || dims[d] > t.dims[d])
            return lower_refuse(c, "its padding removes a dimension before it adds to it", "use Slice to crop");
    }
    if (!cuts)
        return MST_OK;
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_SLICE, 1, x, t.rank, dims, &y, &node));
    for (uint32_t d = 0; d < t.rank; d++) {
        node->ip[MST_SLICE_START + d] = before[d] < 0 ? (int32_t)-before[d] : 0;
        node->ip[MST_SLICE_STEP + d] = 1;
    }
    *x = y;
    return MST_OK;
}

mst_status lower_pad(lower_ctx *c)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK] = {0};
    int64_t before[MST_MAX_RANK], after[MST_MAX_RANK];
    double value;
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    MST_TRY(ox_pad_params(&c->o, before, after));
    MST_TRY(ox_pad_value(&c->o, &value));
    MST_TRY(crop(c, before, after, &x));
    mst_node *node;
    const mst_tensor from = c->g->tensors[x];
    /* [N,C,L] as the image that a convolution takes it for, of one row, so that it may take the zeros, too */
    bool line = rank == 3 && from.dims[0] == dims[0] && from.dims[1] == dims[1];
    const uint32_t image[4] = {dims[0], dims[1], 1, dims[2]}, unpadded[4] = {dims[0], dims[1], 1, from.dims[2]};
    if (line)
        MST_TRY(lower_emit_reshape(c, x, 4, unpadded, &x));
    MST_TRY(lower_emit(c, MST_OP_PAD, 1, &x, line ? 4 : rank, line ? image : dims, &y, &node));
    node->fp[MST_PAD_VALUE] = (float)value;
    for (uint32_t d = 0; d < rank; d++)
        node->ip[MST_PAD_BEFORE + d + (line && d == 2)] = before[d] > 0 ? (int32_t)before[d] : 0;
    if (line)
        MST_TRY(lower_emit_reshape(c, y, rank, dims, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_expand(lower_ctx *c)
{
    uint32_t x, y, rank, dims[MST_MAX_RANK];
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_out_dims(c, 0, &rank, dims));
    MST_TRY(lower_emit(c, MST_OP_EXPAND, 1, &x, rank, dims, &y, NULL));
    lower_bind(c, 0, y);
    return MST_OK;
}
