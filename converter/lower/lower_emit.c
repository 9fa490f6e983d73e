/* What lowering an operator needs: constants, shapes, new nodes of the SNN graph. Knows no operator by
 * name. */
#include "converter/lower/lower.h"

#include <math.h>
#include <string.h>

mst_status lower_refuse(lower_ctx *c, const char *why, const char *help)
{
    return mst_fail(c->o.err, MST_EUNSUPPORTED, "node '%s' (%s, opset %lld): %s; %s", c->o.n->name, c->o.n->op,
                    (long long)c->o.g->opset, why, help);
}

mst_status lower_no_memory(lower_ctx *c)
{
    return mst_fail(c->o.err, MST_ENOMEM, "node '%s' (%s): out of memory", c->o.n != NULL ? c->o.n->name : "",
                    c->o.n != NULL ? c->o.n->op : "");
}

bool lower_is_const(const lower_ctx *c, uint32_t k)
{
    const ox_value *v = ox_in(&c->o, k);
    return v != NULL && v->data != NULL;
}

mst_status lower_dims(lower_ctx *c, const ox_value *v, uint32_t dims[MST_MAX_RANK])
{
    if (!v->has_shape || v->rank > MST_MAX_RANK)
        return mst_fail(c->o.err, MST_EUNSUPPORTED, "value '%s': its shape is not known", v->name);
    for (uint32_t d = 0; d < v->rank; d++) {
        if (v->dims[d] < 1 || v->dims[d] > MST_MAX_ELEMENTS)
            return mst_fail(c->o.err, MST_EUNSUPPORTED, "value '%s': dimension %u is %lld; live tensors have 1 to %u",
                            v->name, (unsigned)d, (long long)v->dims[d], (unsigned)MST_MAX_ELEMENTS);
        dims[d] = (uint32_t)v->dims[d];
    }
    return MST_OK;
}

mst_status lower_out_dims(lower_ctx *c, uint32_t k, uint32_t *rank, uint32_t dims[MST_MAX_RANK])
{
    const ox_value *v = ox_out(&c->o, k);
    if (v == NULL)
        return lower_refuse(c, "an output is missing", "re-export the model");
    *rank = v->rank;
    return lower_dims(c, v, dims);
}

static mst_status new_const(lower_ctx *c, mst_dtype dtype, uint32_t rank, const uint32_t *dims, void **data,
                            uint32_t *id)
{
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        n *= dims[d];
    *data = mst_arena_array(&c->g->arena, n, mst_dtype_size(dtype));
    if (*data == NULL)
        return lower_no_memory(c);
    return mst_graph_add_tensor(c->g, "", dtype, rank, dims, *data, id, c->o.err);
}

mst_status lower_new_f64(lower_ctx *c, uint32_t rank, const uint32_t *dims, double **data, uint32_t *id)
{
    void *values;
    MST_TRY(new_const(c, MST_F64, rank, dims, &values, id));
    *data = values;
    return MST_OK;
}

mst_status lower_new_f32(lower_ctx *c, uint32_t rank, const uint32_t *dims, float **data, uint32_t *id)
{
    void *values;
    MST_TRY(new_const(c, MST_F32, rank, dims, &values, id));
    *data = values;
    return MST_OK;
}

mst_status lower_tensor(lower_ctx *c, uint32_t k, uint32_t *id)
{
    const ox_value *v = ox_in(&c->o, k);
    if (v == NULL)
        return lower_refuse(c, "an input is missing", "re-export the model");
    if (v->data == NULL) {
        *id = c->map[c->o.n->in[k]];
        return *id != MST_NONE ? MST_OK : lower_refuse(c, "an input was not computed", "re-export the model");
    }
    uint32_t dims[MST_MAX_RANK];
    float *data;
    MST_TRY(lower_dims(c, v, dims));
    MST_TRY(lower_new_f32(c, v->rank, dims, &data, id));
    for (size_t i = 0, n = ox_elements(v); i < n; i++)
        data[i] = (float)ox_get_double(v, i);
    return MST_OK;
}

mst_status lower_emit(lower_ctx *c, mst_op op, uint32_t n_in, const uint32_t *in, uint32_t rank,
                      const uint32_t *dims, uint32_t *out, mst_node **node)
{
    MST_TRY(mst_graph_add_tensor(c->g, "", MST_F32, rank, dims, NULL, out, c->o.err));
    return mst_graph_add_node(c->g, op, c->o.n->name, n_in, in, *out, node, c->o.err);
}

mst_status lower_emit_reshape(lower_ctx *c, uint32_t x, uint32_t rank, const uint32_t *dims, uint32_t *out)
{
    return lower_emit(c, MST_OP_RESHAPE, 1, &x, rank, dims, out, NULL);
}

mst_status lower_emit_transpose(lower_ctx *c, uint32_t x, const int32_t *perm, uint32_t *out)
{
    const mst_tensor t = c->g->tensors[x];
    uint32_t dims[MST_MAX_RANK];
    for (uint32_t d = 0; d < t.rank; d++)
        dims[d] = t.dims[perm[d]];
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_TRANSPOSE, 1, &x, t.rank, dims, out, &node));
    memcpy(&node->ip[MST_TRANSPOSE_PERM], perm, t.rank * sizeof *perm);
    return MST_OK;
}

mst_status lower_emit_affine(lower_ctx *c, uint32_t x, int32_t axis, uint32_t g, uint32_t h, uint32_t *out)
{
    const mst_tensor t = c->g->tensors[x];
    uint32_t in[3] = {x, g, h};
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_AFFINE, 3, in, t.rank, t.dims, out, &node));
    node->ip[MST_AFFINE_AXIS] = axis;
    return MST_OK;
}

mst_status lower_emit_scale(lower_ctx *c, uint32_t x, double g, double h, uint32_t *out)
{
    uint32_t one = 1, gid, hid, rank = c->g->tensors[x].rank;
    double *gd, *hd;
    MST_TRY(lower_new_f64(c, 1, &one, &gd, &gid));
    MST_TRY(lower_new_f64(c, 1, &one, &hd, &hid));
    *gd = g;
    *hd = h;
    return lower_emit_affine(c, x, rank != 0 ? (int32_t)rank - 1 : 0, gid, hid, out);
}

mst_status lower_emit_unary(lower_ctx *c, mst_unary_fn fn, uint32_t x, uint32_t *out)
{
    const mst_tensor t = c->g->tensors[x];
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_UNARY, 1, &x, t.rank, t.dims, out, &node));
    node->ip[MST_UNARY_FN] = (int32_t)fn;
    return MST_OK;
}

mst_status lower_emit_clip(lower_ctx *c, uint32_t x, double lo, double hi, uint32_t *out)
{
    const mst_tensor t = c->g->tensors[x];
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_CLIP, 1, &x, t.rank, t.dims, out, &node));
    node->fp[MST_CLIP_LO] = (float)lo;
    node->fp[MST_CLIP_HI] = (float)hi;
    return MST_OK;
}

mst_status lower_emit_binary(lower_ctx *c, mst_binary_fn fn, uint32_t a, uint32_t b, uint32_t *out)
{
    const mst_tensor ta = c->g->tensors[a], tb = c->g->tensors[b];
    uint32_t rank = ta.rank > tb.rank ? ta.rank : tb.rank, dims[MST_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t x = d < ta.rank ? ta.dims[ta.rank - 1 - d] : 1, y = d < tb.rank ? tb.dims[tb.rank - 1 - d] : 1;
        dims[rank - 1 - d] = x == 1 ? y : x;
    }
    uint32_t in[2] = {a, b};
    mst_node *node;
    MST_TRY(lower_emit(c, MST_OP_BINARY, 2, in, rank, dims, out, &node));
    node->ip[MST_BINARY_FN] = (int32_t)fn;
    return MST_OK;
}

mst_status lower_scaled(lower_ctx *c, double g, double h)
{
    uint32_t x, y;
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(lower_emit_scale(c, x, g, h, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

void lower_bind(lower_ctx *c, uint32_t k, uint32_t id)
{
    if (k < c->o.n->n_out && c->o.n->out[k] != OX_NONE)
        c->map[c->o.n->out[k]] = id;
}
