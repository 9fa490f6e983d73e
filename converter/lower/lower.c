/* Lowering: the walk over live nodes, and what every operator needs. Knows no
 * operator by name. */
#include "converter/lower/lower.h"

#include <math.h>
#include <string.h>

mst_status lower_refuse(lower_ctx *c, const char *why, const char *help)
{
    return mst_fail(c->err, MST_EUNSUPPORTED, "node '%s' (%s, opset %lld): %s; %s", c->n->name, c->n->op,
                    (long long)c->ox->opset, why, help);
}

static mst_status no_memory(lower_ctx *c)
{
    return mst_fail(c->err, MST_ENOMEM, "node '%s' (%s): out of memory", c->n != NULL ? c->n->name : "",
                    c->n != NULL ? c->n->op : "");
}

const ox_value *lower_in(const lower_ctx *c, uint32_t k)
{
    return k < c->n->n_in && c->n->in[k] != OX_NONE ? &c->ox->values[c->n->in[k]] : NULL;
}

const ox_value *lower_out(const lower_ctx *c, uint32_t k)
{
    return k < c->n->n_out && c->n->out[k] != OX_NONE ? &c->ox->values[c->n->out[k]] : NULL;
}

bool lower_is_const(const lower_ctx *c, uint32_t k)
{
    const ox_value *v = lower_in(c, k);
    return v != NULL && v->data != NULL;
}

size_t lower_elements(const ox_value *v)
{
    size_t n = 1;
    for (uint32_t d = 0; d < v->rank; d++)
        n *= (size_t)v->dims[d];
    return n;
}

static double half_to_double(uint16_t h)
{
    int exponent = (h >> 10) & 31;
    double mantissa = h & 1023;
    double sign = (h & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == 31)
        return mantissa != 0 ? NAN : sign * (double)INFINITY;
    return sign * (exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25));
}

double lower_const_at(const ox_value *v, size_t i)
{
    switch (v->dtype) {
    case OX_FLOAT: return (double)((const float *)v->data)[i];
    case OX_DOUBLE: return ((const double *)v->data)[i];
    case OX_INT64: return (double)((const int64_t *)v->data)[i];
    case OX_INT32: return (double)((const int32_t *)v->data)[i];
    case OX_UINT32: return (double)((const uint32_t *)v->data)[i];
    case OX_UINT64: return (double)((const uint64_t *)v->data)[i];
    case OX_INT16: return (double)((const int16_t *)v->data)[i];
    case OX_UINT16: return (double)((const uint16_t *)v->data)[i];
    case OX_INT8: return (double)((const int8_t *)v->data)[i];
    case OX_UINT8:
    case OX_BOOL: return (double)((const uint8_t *)v->data)[i];
    case OX_FLOAT16: return half_to_double(((const uint16_t *)v->data)[i]);
    case OX_BFLOAT16: {
        uint32_t bits = (uint32_t)((const uint16_t *)v->data)[i] << 16;
        float f;
        memcpy(&f, &bits, sizeof f);
        return (double)f;
    }
    default: return NAN;
    }
}

int32_t lower_axis(int64_t axis, uint32_t rank)
{
    if (axis < 0)
        axis += rank;
    return axis >= 0 && axis < (int64_t)rank ? (int32_t)axis : -1;
}

static mst_status concrete_dims(lower_ctx *c, const ox_value *v, uint32_t dims[MST_MAX_RANK])
{
    if (!v->has_shape || v->rank > MST_MAX_RANK)
        return mst_fail(c->err, MST_EUNSUPPORTED, "value '%s': its shape is not known", v->name);
    for (uint32_t d = 0; d < v->rank; d++) {
        if (v->dims[d] < 1 || v->dims[d] > MST_MAX_ELEMENTS)
            return mst_fail(c->err, MST_EUNSUPPORTED, "value '%s': dimension %u is %lld; live tensors have 1 to %u",
                            v->name, (unsigned)d, (long long)v->dims[d], (unsigned)MST_MAX_ELEMENTS);
        dims[d] = (uint32_t)v->dims[d];
    }
    return MST_OK;
}

mst_status lower_out_dims(lower_ctx *c, uint32_t k, uint32_t *rank, uint32_t dims[MST_MAX_RANK])
{
    const ox_value *v = lower_out(c, k);
    if (v == NULL)
        return lower_refuse(c, "an output is missing", "re-export the model");
    *rank = v->rank;
    return concrete_dims(c, v, dims);
}

mst_status lower_new_f64(lower_ctx *c, uint32_t rank, const uint32_t *dims, double **data, uint32_t *id)
{
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        n *= dims[d];
    *data = mst_arena_array(&c->g->arena, n, sizeof **data);
    if (*data == NULL)
        return no_memory(c);
    return mst_graph_add_tensor(c->g, "", MST_F64, rank, dims, *data, id, c->err);
}

mst_status lower_new_f32(lower_ctx *c, uint32_t rank, const uint32_t *dims, float **data, uint32_t *id)
{
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        n *= dims[d];
    *data = mst_arena_array(&c->g->arena, n, sizeof **data);
    if (*data == NULL)
        return no_memory(c);
    return mst_graph_add_tensor(c->g, "", MST_F32, rank, dims, *data, id, c->err);
}

mst_status lower_tensor(lower_ctx *c, uint32_t k, uint32_t *id)
{
    const ox_value *v = lower_in(c, k);
    if (v == NULL)
        return lower_refuse(c, "an input is missing", "re-export the model");
    if (c->random[c->n->in[k]].kind != LR_NOT_RANDOM)
        return lower_refuse(c, "uses random numbers in a way that is not a spike mask",
                            "write the mask as x * (rand > ratio)");
    if (v->data == NULL) {
        *id = c->map[c->n->in[k]];
        return *id != MST_NONE ? MST_OK : lower_refuse(c, "an input was not computed", "re-export the model");
    }
    uint32_t dims[MST_MAX_RANK];
    float *data;
    MST_TRY(concrete_dims(c, v, dims));
    MST_TRY(lower_new_f32(c, v->rank, dims, &data, id));
    for (size_t i = 0, n = lower_elements(v); i < n; i++)
        data[i] = (float)lower_const_at(v, i);
    return MST_OK;
}

mst_status lower_emit(lower_ctx *c, mst_op op, uint32_t n_in, const uint32_t *in, uint32_t rank,
                      const uint32_t *dims, uint32_t *out, mst_node **node)
{
    MST_TRY(mst_graph_add_tensor(c->g, "", MST_F32, rank, dims, NULL, out, c->err));
    return mst_graph_add_node(c->g, op, c->n->name, n_in, in, *out, node, c->err);
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

void lower_bind(lower_ctx *c, uint32_t k, uint32_t id)
{
    if (k < c->n->n_out && c->n->out[k] != OX_NONE)
        c->map[c->n->out[k]] = id;
}

int lower_ints(lower_ctx *c, const char *attr, uint32_t k, int64_t out[2 * MST_MAX_RANK])
{
    int n = attr != NULL ? ox_attr_ints(c->n, attr, out, 2 * MST_MAX_RANK) : -1;
    const ox_value *v = lower_in(c, k);
    if (n >= 0 || v == NULL || v->data == NULL || lower_elements(v) > 2 * MST_MAX_RANK ||
        (v->dtype != OX_INT64 && v->dtype != OX_INT32))
        return n;
    n = (int)lower_elements(v);
    for (int i = 0; i < n; i++)
        out[i] = v->dtype == OX_INT64 ? ((const int64_t *)v->data)[i] : ((const int32_t *)v->data)[i];
    return n;
}

static mst_status lower_node(lower_ctx *c)
{
    if (c->n->domain[0] != '\0' && strcmp(c->n->domain, "ai.onnx") != 0)
        return lower_refuse(c, "its domain is not ai.onnx", "export with standard ONNX operators only");
    for (const lower_entry *e = lower_table; e->op != NULL; e++)
        if (strcmp(e->op, c->n->op) == 0)
            return e->fn(c);
    return lower_refuse(c, "this operator cannot run on live data",
                        "replace it in the model by operators of docs/ONNX.md and export again");
}

static mst_status lower_input(lower_ctx *c)
{
    if (c->ox->n_inputs != 1)
        return mst_fail(c->err, MST_EUNSUPPORTED, "the model has %u inputs; exactly one (the image) is supported",
                        (unsigned)c->ox->n_inputs);
    const ox_value *v = &c->ox->values[c->ox->inputs[0]];
    uint32_t dims[MST_MAX_RANK];
    if (v->dtype != OX_FLOAT && v->dtype != OX_DOUBLE && v->dtype != OX_FLOAT16)
        return mst_fail(c->err, MST_EUNSUPPORTED, "input '%s' is %s; a float input is needed", v->name,
                        ox_dtype_name(v->dtype));
    MST_TRY(concrete_dims(c, v, dims));
    MST_TRY(mst_graph_add_tensor(c->g, v->name, MST_F32, v->rank, dims, NULL, &c->g->input, c->err));
    c->map[c->ox->inputs[0]] = c->g->input;
    return MST_OK;
}

static mst_status lower_all(lower_ctx *c)
{
    MST_TRY(lower_input(c));
    for (uint32_t i = 0; i < c->ox->n_nodes; i++) {
        c->n = &c->ox->nodes[i];
        if (!c->n->dead)
            MST_TRY(lower_node(c));
    }
    if (c->ox->n_outputs != 1)
        return mst_fail(c->err, MST_EUNSUPPORTED, "the model has %u outputs; exactly one (the logits) is supported: "
                        "export the model with that output alone", (unsigned)c->ox->n_outputs);
    uint32_t out = c->ox->outputs[0];
    c->g->output = c->map[out];
    if (c->g->output == MST_NONE)
        return mst_fail(c->err, MST_EUNSUPPORTED, "output '%s' does not depend on the input",
                        c->ox->values[out].name);
    return MST_OK;
}

mst_status mst_lower(const ox_graph *ox, mst_graph *g, mst_err *err)
{
    lower_ctx c = {.ox = ox, .g = g, .err = err};
    const mst_allocator *alloc = g->arena.alloc;
    c.map = mst_alloc_array(alloc, ox->n_values, sizeof *c.map);
    c.random = mst_alloc_array(alloc, ox->n_values, sizeof *c.random);
    mst_status st = MST_OK;
    if (c.map == NULL || c.random == NULL)
        st = no_memory(&c);
    for (uint32_t i = 0; i < ox->n_values && st == MST_OK; i++)
        c.map[i] = MST_NONE;
    if (st == MST_OK)
        st = lower_all(&c);
    mst_free_array(alloc, c.map, ox->n_values, sizeof *c.map);
    mst_free_array(alloc, c.random, ox->n_values, sizeof *c.random);
    return st;
}
