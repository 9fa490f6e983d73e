/* QuantizeLinear and DequantizeLinear on live values: floats without a fraction stand for whole numbers. The two are
 * one activation: what lies between them is held without the zero point, so that its bounds are counted from 0. */
#include <math.h>

#include "converter/lower/lower_ops.h"
#include "runtime/core/grow.h"

/* Scales of the node, or their inverses, as a constant. */
static mst_status emit_scales(lower_ctx *c, const ox_quant *q, bool inverse, uint32_t *id)
{
    uint32_t n = (uint32_t)q->n;
    double *data;
    MST_TRY(lower_new_f64(c, 1, &n, &data, id));
    for (uint32_t i = 0; i < n; i++) {
        double scale = ox_get_double(q->scale, i);
        if (!(scale > 0) || !isfinite(1 / scale))
            return lower_refuse(c, "its scale is 0, below 0 or not finite", "quantize the model again");
        data[i] = inverse ? 1 / scale : scale;
    }
    return MST_OK;
}

/* Scale and zero point, known and of a kind that the graph can express. */
static mst_status read_params(lower_ctx *c, ox_quant *q, int64_t *zero)
{
    if (!lower_is_const(c, 1) || (ox_in(&c->o, 2) != NULL && !lower_is_const(c, 2)))
        return lower_refuse(c, "its scale or zero point is computed from the input (dynamic quantization)",
                            "quantize with fixed scales: onnxruntime.quantization.quantize_static");
    MST_TRY(ox_quant_params(&c->o, q));
    *zero = q->zero != NULL ? (int64_t)ox_get_double(q->zero, 0) : 0;
    for (size_t i = 1; q->zero != NULL && i < q->n; i++)
        if ((int64_t)ox_get_double(q->zero, i) != *zero)
            return lower_refuse(c, "its zero point differs from channel to channel",
                                "quantize activations with one for each tensor");
    return MST_OK;
}

static mst_status emit_scaled(lower_ctx *c, uint32_t x, const ox_quant *q, bool inverse, double offset, uint32_t *y)
{
    uint32_t g, h, one = 1, rank = c->g->tensors[x].rank;
    double *shift;
    MST_TRY(emit_scales(c, q, inverse, &g));
    MST_TRY(lower_new_f64(c, 1, &one, &shift, &h));
    *shift = offset;
    return lower_emit_affine(c, x, q->n != 1 ? (int32_t)q->axis : rank != 0 ? (int32_t)rank - 1
                                                                            : 0,
                             g, h, y);
}

static mst_status new_pair(lower_ctx *c, const ox_quant *q, int64_t zero, qdq_pair **out)
{
    qdq_pairs *l = c->pairs;
    if (l->n == l->cap) {
        uint32_t cap = 2 * l->cap + 16;
        qdq_pair *at = mst_arena_grow(&l->arena, l->at, l->n, cap, sizeof *at);
        if (at == NULL)
            return lower_no_memory(c);
        l->at = at;
        l->cap = cap;
    }
    *out = &l->at[l->n++];
    **out = (qdq_pair){.told = {.name = mst_arena_strdup(&l->arena, c->o.n->name),
                                .type = ox_dtype_name(q->dtype),
                                .scale = ox_get_double(q->scale, 0),
                                .zero = (int)zero,
                                .lo = (int)(q->lo - zero),
                                .hi = (int)(q->hi - zero),
                                .fate = MST_PAIR_SAME,
                                .reason = "nothing reads it"},
                       .one_scale = q->n == 1};
    return (*out)->told.name != NULL ? MST_OK : lower_no_memory(c);
}

/* The output is whole numbers of a pair: tensor y without its zero point, and with it for whoever else reads it. */
static mst_status bind_levels(lower_ctx *c, uint32_t pair, uint32_t y)
{
    double zero = c->pairs->at[pair].told.zero;
    c->pair_of[c->o.n->out[0]] = pair;
    c->levels[c->o.n->out[0]] = y;
    if (zero != 0)
        MST_TRY(lower_emit_scale(c, y, 1, zero, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}

mst_status lower_quantize(lower_ctx *c)
{
    ox_quant q;
    qdq_pair *p = NULL;
    uint32_t x, y;
    int64_t zero;
    MST_TRY(read_params(c, &q, &zero));
    if (ox_dtype_size(q.dtype) != 1)
        return lower_refuse(c, "it quantizes activations to more than 8 bits; a neuron has at most 255 levels",
                            "quantize activations to 8 bits: activation_type=QuantType.QUInt8");
    MST_TRY(lower_tensor(c, 0, &x));
    MST_TRY(new_pair(c, &q, zero, &p));
    p->scale_in = c->g->n_nodes;
    MST_TRY(emit_scaled(c, x, &q, true, 0, &y));
    p->round = c->g->n_nodes;
    MST_TRY(lower_emit_unary(c, MST_UN_ROUND, y, &x));
    p->bound = c->g->n_nodes;
    MST_TRY(lower_emit_clip(c, x, p->told.lo, p->told.hi, &y));
    c->g->nodes[p->round].ip[QDQ_MARK] = c->g->nodes[p->bound].ip[QDQ_MARK] = (int32_t)c->pairs->n;
    return bind_levels(c, c->pairs->n - 1, y);
}

mst_status lower_bounded_levels(lower_ctx *c, double lo, double hi)
{
    uint32_t y, pair = c->pair_of[c->o.n->in[0]];
    double zero = c->pairs->at[pair].told.zero;
    MST_TRY(lower_emit_clip(c, c->levels[c->o.n->in[0]], lo - zero, hi - zero, &y));
    return bind_levels(c, pair, y);
}

mst_status lower_dequantize(lower_ctx *c)
{
    ox_quant q;
    uint32_t x, y, pair = c->pair_of[c->o.n->in[0]];
    int64_t zero;
    MST_TRY(read_params(c, &q, &zero));
    MST_TRY(lower_tensor(c, 0, &x));
    if (pair != MST_NONE) {
        x = c->levels[c->o.n->in[0]];
        zero -= c->pairs->at[pair].told.zero;
    }
    if (zero != 0)
        MST_TRY(lower_emit_scale(c, x, 1, -(double)zero, &x));
    MST_TRY(emit_scaled(c, x, &q, false, 0, &y));
    lower_bind(c, 0, y);
    return MST_OK;
}
