/* Checks a graph: ids, order, arity, and every operator's shapes and parameters.
 * What passes here can be executed without further checks. */
#include <math.h>
#include <string.h>

#include "runtime/ir/graph_validate.h"

#define FAIL(...) mst_fail(err, MST_EINVAL, __VA_ARGS__)

static const mst_tensor *in_tensor(const mst_check *c, uint32_t k)
{
    return k < c->n->n_in && c->n->in[k] != MST_NONE ? &c->g->tensors[c->n->in[k]] : NULL;
}

static const mst_tensor *out_tensor(const mst_check *c)
{
    return &c->g->tensors[c->n->out];
}

static mst_status bad(const mst_check *c, const char *what)
{
    return mst_fail(c->err, MST_EINVAL, "node '%s' (%s): %s", c->n->name, mst_op_get(c->n->op)->name, what);
}

static bool is_float(const mst_tensor *t)
{
    return t->dtype == MST_F32 || t->dtype == MST_F64;
}

/* out.dims[d] for a broadcast of a and b, aligned at the last axis */
static bool broadcasts_to(const mst_tensor *a, const mst_tensor *out, uint32_t axes_from_end_ignored)
{
    if (a->rank > out->rank)
        return false;
    for (uint32_t d = axes_from_end_ignored; d < a->rank; d++) {
        uint32_t x = a->dims[a->rank - 1 - d], y = out->dims[out->rank - 1 - d];
        if (x != y && x != 1)
            return false;
    }
    return true;
}

/* One value of a constant, as float64. */
static double const_at(const mst_tensor *t, size_t i)
{
    return t->dtype == MST_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* An input that must be a float constant of 1 or channels elements. */
static mst_status check_channel_const(const mst_check *c, uint32_t k, uint32_t channels, const char *what)
{
    const mst_tensor *t = in_tensor(c, k);
    size_t n = t != NULL ? mst_tensor_elements(t) : 0;
    if (t == NULL || t->data == NULL || !is_float(t) || (n != 1 && n != channels))
        return bad(c, what);
    return MST_OK;
}

mst_status mst_check_RESHAPE(const mst_check *c)
{
    if (mst_tensor_elements(in_tensor(c, 0)) != mst_tensor_elements(out_tensor(c)))
        return bad(c, "element counts of input and output differ");
    return MST_OK;
}

mst_status mst_check_TRANSPOSE(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *y = out_tensor(c);
    const int32_t *perm = &c->n->ip[MST_TRANSPOSE_PERM];
    uint32_t seen = 0;
    if (x->rank != y->rank)
        return bad(c, "rank changes");
    for (uint32_t d = 0; d < x->rank; d++) {
        if (perm[d] < 0 || (uint32_t)perm[d] >= x->rank || (seen & (1u << perm[d])) != 0)
            return bad(c, "PERM is not a permutation");
        seen |= 1u << perm[d];
        if (y->dims[d] != x->dims[perm[d]])
            return bad(c, "output shape does not follow from PERM");
    }
    return MST_OK;
}

mst_status mst_check_SLICE(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *y = out_tensor(c);
    if (x->rank != y->rank)
        return bad(c, "rank changes");
    for (uint32_t d = 0; d < x->rank; d++) {
        int64_t first = c->n->ip[MST_SLICE_START + d];
        int64_t last = first + ((int64_t)y->dims[d] - 1) * c->n->ip[MST_SLICE_STEP + d];
        if (y->dims[d] != 0 && (first < 0 || first >= x->dims[d] || last < 0 || last >= x->dims[d]))
            return bad(c, "reaches outside its input");
    }
    return MST_OK;
}

static mst_status check_axis(const mst_check *c, int32_t axis, uint32_t rank)
{
    return axis < 0 || (uint32_t)axis >= rank ? bad(c, "AXIS outside the shape") : MST_OK;
}

mst_status mst_check_CONCAT(const mst_check *c)
{
    const mst_tensor *y = out_tensor(c);
    int32_t axis = c->n->ip[MST_CONCAT_AXIS];
    uint64_t sum = 0;
    MST_TRY(check_axis(c, axis, y->rank));
    for (uint32_t k = 0; k < c->n->n_in; k++) {
        const mst_tensor *x = in_tensor(c, k);
        if (x == NULL || x->rank != y->rank || x->dtype != MST_F32)
            return bad(c, "inputs of different rank or type");
        for (uint32_t d = 0; d < y->rank; d++)
            if (d != (uint32_t)axis && x->dims[d] != y->dims[d])
                return bad(c, "inputs of different shape");
        sum += x->dims[axis];
    }
    return sum != y->dims[axis] ? bad(c, "output is not as long as its inputs together") : MST_OK;
}

/* 1 + the largest of the indices; -1 if one is negative */
static int64_t largest_index(const mst_tensor *t)
{
    const int32_t *v = t->data;
    int64_t top = 0;
    for (size_t i = 0, n = mst_tensor_elements(t); i < n; i++) {
        if (v[i] < 0)
            return -1;
        top = v[i] > top ? v[i] : top;
    }
    return top + 1;
}

mst_status mst_check_GATHER(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *idx = in_tensor(c, 1), *y = out_tensor(c);
    int32_t axis = c->n->ip[MST_GATHER_AXIS];
    MST_TRY(check_axis(c, axis, x->rank));
    if (idx == NULL || idx->data == NULL || idx->dtype != MST_I32)
        return bad(c, "the index is not an int32 constant");
    if (y->rank != x->rank + idx->rank - 1)
        return bad(c, "output rank does not fit");
    for (uint32_t d = 0; d < y->rank; d++) {
        uint32_t a = (uint32_t)axis;
        uint32_t want = d < a ? x->dims[d] : d < a + idx->rank ? idx->dims[d - a]
                                                               : x->dims[d - idx->rank + 1];
        if (y->dims[d] != want)
            return bad(c, "output shape does not fit");
    }
    int64_t *top = &c->top[c->n->in[1]];
    if (*top == 0)
        *top = largest_index(idx);
    if (*top < 0 || *top > x->dims[axis])
        return bad(c, "index outside the axis");
    return MST_OK;
}

mst_status mst_check_PAD(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *y = out_tensor(c);
    if (x->rank != y->rank)
        return bad(c, "rank changes");
    for (uint32_t d = 0; d < x->rank; d++) {
        int64_t before = c->n->ip[MST_PAD_BEFORE + d];
        if (before < 0 || before + x->dims[d] > y->dims[d])
            return bad(c, "input does not fit into the output");
    }
    return isnan(c->n->fp[MST_PAD_VALUE]) ? bad(c, "VALUE is not a number") : MST_OK;
}

mst_status mst_check_EXPAND(const mst_check *c)
{
    return broadcasts_to(in_tensor(c, 0), out_tensor(c), 0) ? MST_OK : bad(c, "shape does not broadcast");
}

static mst_status check_bias(const mst_check *c, uint32_t k, uint32_t n)
{
    const mst_tensor *b = in_tensor(c, k);
    if (b != NULL && (b->data == NULL || !is_float(b) || mst_tensor_elements(b) != n))
        return bad(c, "the bias is not a float constant of one value per output");
    return MST_OK;
}

static bool is_weight(const mst_tensor *t, uint32_t rank)
{
    return t != NULL && t->data != NULL && (is_float(t) || t->dtype == MST_F16 || t->dtype == MST_I8) &&
           t->rank == rank;
}

static bool all_positive(const mst_tensor *t)
{
    for (size_t i = 0, n = mst_tensor_elements(t); i < n; i++) {
        double v = const_at(t, i);
        if (!isfinite(v) || v <= 0)
            return false;
    }
    return true;
}

static bool no_minus_128(const mst_tensor *t)
{
    const int8_t *v = t->data;
    bool found = false;
    for (size_t i = 0, n = mst_tensor_elements(t); i < n; i++)
        found |= v[i] == INT8_MIN;
    return !found;
}

/* A constant's property, looked up if another node has asked before. */
static bool holds(const mst_check *c, uint32_t k, bool (*property)(const mst_tensor *t))
{
    int64_t *top = &c->top[c->n->in[k]];
    if (*top == 0)
        *top = property(in_tensor(c, k)) ? 1 : -1;
    return *top > 0;
}

/* The scales of int8 weights w, [..][outputs]. */
static mst_status check_scales(const mst_check *c, const mst_tensor *w)
{
    const mst_tensor *s = in_tensor(c, 3);
    uint32_t outputs = w->dims[w->rank - 1];
    if ((s != NULL) != (w->dtype == MST_I8))
        return bad(c, "scales and int8 weights must come together");
    if (s == NULL)
        return MST_OK;
    if (s->data == NULL || s->dtype != MST_F32 || mst_tensor_elements(s) != outputs)
        return bad(c, "the scales are not a float32 constant of one value per output");
    if (!holds(c, 3, all_positive))
        return bad(c, "a scale is not a finite number > 0");
    if (!holds(c, 1, no_minus_128))
        return bad(c, "an int8 weight is -128, expected -127..127");
    if (mst_tensor_elements(w) / outputs > MST_MAX_I8_INPUTS)
        return bad(c, "more than 2^24 int8 weights for one output");
    return MST_OK;
}

mst_status mst_check_LINEAR(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *w = in_tensor(c, 1), *y = out_tensor(c);
    if (!is_weight(w, 2))
        return bad(c, "the weight is not a constant of shape [in,out]");
    if (x->rank < 1 || x->rank != y->rank || x->dims[x->rank - 1] != w->dims[0] ||
        y->dims[y->rank - 1] != w->dims[1] || memcmp(x->dims, y->dims, (x->rank - 1) * sizeof x->dims[0]) != 0)
        return bad(c, "input, weight and output shapes do not fit");
    MST_TRY(check_scales(c, w));
    return check_bias(c, 2, w->dims[1]);
}

/* Window geometry shared by CONV and POOL: x and y are [1,H,W,C]. */
static mst_status check_window(const mst_check *c, const uint32_t kernel[2], const int32_t *stride, const int32_t *pad,
                               const int32_t *dilation)
{
    const mst_tensor *x = in_tensor(c, 0), *y = out_tensor(c);
    if (x->rank != 4 || y->rank != 4 || x->dims[0] != y->dims[0])
        return bad(c, "input or output is not [N,H,W,C]");
    for (int i = 0; i < 2; i++) {
        int64_t size = x->dims[1 + i], out = y->dims[1 + i];
        if (kernel[i] < 1 || kernel[i] > 65535 || stride[i] < 1 || stride[i] > 65535 || dilation[i] < 1 ||
            dilation[i] > 65535 || pad[i] < 0 || pad[i] > 65535)
            return bad(c, "kernel, stride, dilation or padding out of range");
        int64_t reach = (int64_t)(kernel[i] - 1) * dilation[i];
        if (pad[i] > reach || out < 1 || (out - 1) * stride[i] - pad[i] > size - 1)
            return bad(c, "a window lies wholly in the padding");
    }
    return MST_OK;
}

mst_status mst_check_CONV(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *w = in_tensor(c, 1), *y = out_tensor(c);
    const int32_t *ip = c->n->ip;
    int32_t group = ip[MST_CONV_GROUP];
    if (!is_weight(w, 4))
        return bad(c, "the weight is not a constant of shape [kh,kw,in/group,out]");
    MST_TRY(check_window(c, w->dims, &ip[MST_CONV_STRIDE], &ip[MST_CONV_PAD], &ip[MST_CONV_DILATION]));
    if (group < 1 || (uint64_t)w->dims[2] * (uint32_t)group != x->dims[3] || w->dims[3] != y->dims[3] ||
        w->dims[3] % (uint32_t)group != 0)
        return bad(c, "channels and groups do not fit");
    MST_TRY(check_scales(c, w));
    return check_bias(c, 2, w->dims[3]);
}

mst_status mst_check_MATMUL(const mst_check *c)
{
    const mst_tensor *a = in_tensor(c, 0), *b = in_tensor(c, 1), *y = out_tensor(c);
    if (a->rank < 2 || b->rank < 2 || y->rank < 2 || !is_float(a) || !is_float(b))
        return bad(c, "needs two float matrices");
    bool trans = c->n->ip[MST_MATMUL_TRANS_B] != 0;
    uint32_t k = a->dims[a->rank - 1];
    uint32_t bk = b->dims[b->rank - (trans ? 1 : 2)], bn = b->dims[b->rank - (trans ? 2 : 1)];
    uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    if (k != bk || y->rank != rank || y->dims[rank - 1] != bn || y->dims[rank - 2] != a->dims[a->rank - 2])
        return bad(c, "matrix shapes do not fit");
    for (uint32_t d = 2; d < rank; d++) {
        uint32_t x = d < a->rank ? a->dims[a->rank - 1 - d] : 1, z = d < b->rank ? b->dims[b->rank - 1 - d] : 1;
        uint32_t want = x == 1 ? z : x;
        if ((z != 1 && z != want) || y->dims[rank - 1 - d] != want)
            return bad(c, "leading dimensions do not broadcast");
    }
    return isfinite(c->n->fp[MST_MATMUL_ALPHA]) ? MST_OK : bad(c, "ALPHA is not finite");
}

static uint32_t axis_channels(const mst_check *c, int32_t axis)
{
    return in_tensor(c, 0)->dims[axis];
}

mst_status mst_check_AFFINE(const mst_check *c)
{
    int32_t axis = c->n->ip[MST_AFFINE_AXIS];
    bool scalar = in_tensor(c, 0)->rank == 0;
    if (!scalar)
        MST_TRY(check_axis(c, axis, in_tensor(c, 0)->rank));
    uint32_t channels = scalar ? 1 : axis_channels(c, axis);
    MST_TRY(check_channel_const(c, 1, channels, "g is not a constant of 1 or channels values"));
    return check_channel_const(c, 2, channels, "h is not a constant of 1 or channels values");
}

mst_status mst_check_BINARY(const mst_check *c)
{
    const mst_tensor *a = in_tensor(c, 0), *b = in_tensor(c, 1), *y = out_tensor(c);
    if (mst_binary_name(c->n->ip[MST_BINARY_FN]) == NULL)
        return bad(c, "unknown FN");
    if (!is_float(a) || !is_float(b) || !broadcasts_to(a, y, 0) || !broadcasts_to(b, y, 0) ||
        y->rank != (a->rank > b->rank ? a->rank : b->rank))
        return bad(c, "shapes do not broadcast");
    for (uint32_t d = 0; d < y->rank; d++) {
        uint32_t x = d < a->rank ? a->dims[a->rank - 1 - d] : 1, z = d < b->rank ? b->dims[b->rank - 1 - d] : 1;
        if (y->dims[y->rank - 1 - d] != (x == 1 ? z : x))
            return bad(c, "output is not the broadcast shape");
    }
    return MST_OK;
}

/* window: KERNEL, STRIDE, PAD and DILATION, two of each. */
static mst_status check_pool(const mst_check *c, const int32_t *window)
{
    if (window[0] < 1 || window[1] < 1)
        return bad(c, "kernel out of range");
    uint32_t kernel[2] = {(uint32_t)window[0], (uint32_t)window[1]};
    MST_TRY(check_window(c, kernel, window + 2, window + 4, window + 6));
    return in_tensor(c, 0)->dims[3] == out_tensor(c)->dims[3] ? MST_OK : bad(c, "channels change");
}

mst_status mst_check_POOL(const mst_check *c)
{
    int32_t fn = c->n->ip[MST_POOL_FN];
    if (fn != MST_RED_MEAN && fn != MST_RED_MAX)
        return bad(c, "unknown FN");
    return check_pool(c, &c->n->ip[MST_POOL_KERNEL]);
}

mst_status mst_check_RATE_POOL(const mst_check *c) { return check_pool(c, &c->n->ip[MST_RATE_POOL_KERNEL]); }

mst_status mst_check_REDUCE(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0), *y = out_tensor(c);
    uint32_t axes = (uint32_t)c->n->ip[MST_REDUCE_AXES];
    if (mst_reduce_name(c->n->ip[MST_REDUCE_FN]) == NULL)
        return bad(c, "unknown FN");
    if (axes == 0 || axes >> x->rank != 0)
        return bad(c, "AXES outside the shape");
    size_t kept = 1, reduced = 1;
    for (uint32_t d = 0; d < x->rank; d++)
        *((axes >> d & 1) != 0 ? &reduced : &kept) *= x->dims[d];
    if (reduced == 0 || mst_tensor_elements(y) != kept)
        return bad(c, "output does not have one element per kept position");
    return MST_OK;
}

mst_status mst_check_CLIP(const mst_check *c)
{
    float lo = c->n->fp[MST_CLIP_LO], hi = c->n->fp[MST_CLIP_HI];
    return isnan(lo) || isnan(hi) || lo > hi ? bad(c, "bounds are not ordered numbers") : MST_OK;
}

mst_status mst_check_UNARY(const mst_check *c)
{
    return mst_unary_name(c->n->ip[MST_UNARY_FN]) == NULL ? bad(c, "unknown FN") : MST_OK;
}

mst_status mst_check_SOFTMAX(const mst_check *c)
{
    return check_axis(c, c->n->ip[MST_SOFTMAX_AXIS], in_tensor(c, 0)->rank);
}

mst_status mst_check_LAYERNORM(const mst_check *c)
{
    const mst_tensor *x = in_tensor(c, 0);
    float eps = c->n->fp[MST_LAYERNORM_EPS];
    if (x->rank < 1 || x->dims[x->rank - 1] < 1)
        return bad(c, "needs a last axis");
    if (!isfinite(eps) || eps < 0)
        return bad(c, "EPS is not a finite number >= 0");
    MST_TRY(check_bias(c, 1, x->dims[x->rank - 1]));
    return check_bias(c, 2, x->dims[x->rank - 1]);
}

static mst_status check_place(const mst_check *c, int32_t site, int32_t stage, int32_t block)
{
    return mst_site_name(site) == NULL || stage < -1 || block < -1 ? bad(c, "SITE, STAGE or BLOCK out of range")
                                                                   : MST_OK;
}

mst_status mst_check_NEURON(const mst_check *c)
{
    const int32_t *ip = c->n->ip;
    const mst_tensor *x = in_tensor(c, 0);
    if (x->rank == 0)
        return bad(c, "needs at least one axis");
    MST_TRY(check_axis(c, ip[MST_NEURON_AXIS], x->rank));
    uint32_t channels = axis_channels(c, ip[MST_NEURON_AXIS]);
    MST_TRY(check_channel_const(c, 1, channels, "theta is not a constant of 1 or channels values"));
    if (!holds(c, 1, all_positive))
        return bad(c, "theta is not a finite number > 0");
    if ((in_tensor(c, 2) == NULL) != (in_tensor(c, 3) == NULL))
        return bad(c, "has a gain without a bias, or a bias without a gain");
    if (in_tensor(c, 2) != NULL) {
        MST_TRY(check_channel_const(c, 2, channels, "the gain is not a constant of 1 or channels values"));
        MST_TRY(check_channel_const(c, 3, channels, "the bias is not a constant of 1 or channels values"));
    }
    if (ip[MST_NEURON_LEVELS] < 1 || ip[MST_NEURON_LEVELS] > 65535)
        return bad(c, "LEVELS is not in 1..65535");
    if (ip[MST_NEURON_TOP] < 0 || ip[MST_NEURON_TOP] > MST_MAX_RUN_LEVELS)
        return bad(c, "TOP is not in 0..255");
    if (c->g->meta.run != MST_RULE_STEP && mst_node_levels(c->n) > MST_MAX_RUN_LEVELS)
        return bad(c, "count and radix mode have at most 255 levels, and it has no fewer of its own (TOP)");
    if (ip[MST_NEURON_RESET] != 0)
        return bad(c, "unknown RESET");
    if (!isfinite(c->n->fp[MST_NEURON_SHIFT]))
        return bad(c, "SHIFT is not finite");
    if (ip[MST_NEURON_EVEN] < 0 || ip[MST_NEURON_EVEN] > 1 ||
        (ip[MST_NEURON_EVEN] == 1 && c->n->fp[MST_NEURON_SHIFT] != 0.5f))
        return bad(c, "EVEN is not 0, or 1 with a SHIFT of 1/2");
    return check_place(c, ip[MST_NEURON_SITE], ip[MST_NEURON_STAGE], ip[MST_NEURON_BLOCK]);
}

mst_status mst_check_MASK(const mst_check *c)
{
    const int32_t *ip = c->n->ip;
    float ratio = c->n->fp[MST_MASK_RATIO], trained = c->n->fp[MST_MASK_TRAINED];
    if (!(ratio >= 0 && ratio < 1))
        return bad(c, "RATIO is not in [0,1)");
    if (!(trained == -1 || (trained >= 0 && trained < 1)))
        return bad(c, "TRAINED is neither -1 nor in [0,1)");
    if (ip[MST_MASK_INDEX] < 0 || (uint32_t)ip[MST_MASK_INDEX] >= c->g->n_nodes ||
        c->mask_index[ip[MST_MASK_INDEX]])
        return bad(c, "INDEX is out of range or used twice");
    c->mask_index[ip[MST_MASK_INDEX]] = true;
    return check_place(c, ip[MST_MASK_SITE], ip[MST_MASK_STAGE], ip[MST_MASK_BLOCK]);
}

typedef mst_status (*check_fn)(const mst_check *c);
static const check_fn checks[MST_OP_COUNT] = {
#define MST_OP_BEGIN(id, name, min, max, flags) [MST_OP_##id] = mst_check_##id,
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END
};

static mst_status check_tensor(const mst_graph *g, uint32_t id, mst_err *err)
{
    const mst_tensor *t = &g->tensors[id];
    size_t n = 1;
    if (t->rank > MST_MAX_RANK || (unsigned)t->dtype >= MST_DTYPE_COUNT || t->name == NULL)
        return FAIL("tensor %u: rank, type or name out of range", (unsigned)id);
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->dims[d] == 0 || t->dims[d] > MST_MAX_ELEMENTS / n)
            return mst_fail(err, t->dims[d] == 0 ? MST_EINVAL : MST_ELIMIT,
                            "tensor %u '%s': dimension %u is %u: empty, or more than %u elements", (unsigned)id,
                            t->name, (unsigned)d, (unsigned)t->dims[d], (unsigned)MST_MAX_ELEMENTS);
        n *= t->dims[d];
    }
    if (t->data == NULL && (t->dtype == MST_F16 || t->dtype == MST_I8))
        return FAIL("tensor %u '%s': of type %s, but not a constant", (unsigned)id, t->name, mst_dtype_name(t->dtype));
    return MST_OK;
}

static mst_status check_node(mst_check *c, uint32_t i)
{
    mst_err *err = c->err;
    const mst_node *n = c->n = &c->g->nodes[i];
    const mst_op_info *info = mst_op_get(n->op);
    if (info == NULL || n->name == NULL)
        return FAIL("node %u: unknown operator %d", (unsigned)i, (int)n->op);
    if (n->mode != MST_MODE_STEP)
        return bad(c, "unknown mode");
    if (n->n_in < info->min_in || n->n_in > info->max_in)
        return bad(c, "wrong number of inputs");
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (n->in[k] == MST_NONE && k >= info->min_in)
            continue;
        if (n->in[k] >= c->g->n_tensors || !c->made[n->in[k]])
            return bad(c, "an input is not made by an earlier node");
    }
    if (n->out >= c->g->n_tensors || c->made[n->out])
        return bad(c, "its output is missing or made twice");
    if (!is_float(in_tensor(c, 0)) || out_tensor(c)->dtype != MST_F32)
        return bad(c, "data is not float");
    if ((info->flags & MST_F_UNIT) != 0 && !mst_same_shape(in_tensor(c, 0), out_tensor(c)))
        return bad(c, "output shape differs from input shape");
    MST_TRY(checks[n->op](c));
    c->made[n->out] = true;
    return MST_OK;
}

static mst_status check_meta(const mst_meta *m, mst_err *err)
{
    if (m->n_norm > MST_MAX_CHANNELS || m->timesteps < 1 || m->timesteps > MST_MAX_TIMESTEPS)
        return FAIL("mean/std count or timesteps out of range");
    for (uint32_t i = 0; i < m->n_norm; i++)
        if (!isfinite(m->mean[i]) || !isfinite(m->std[i]) || !(m->std[i] > 0))
            return FAIL("mean or std of channel %u is not a finite number (std > 0)", (unsigned)i);
        else if (!isfinite((1 + fabsf(m->mean[i])) / m->std[i]))
            return FAIL("std of channel %u is %g: what is divided by it is not finite", (unsigned)i, (double)m->std[i]);
    const mst_prepare *p = &m->prepare;
    if (MST_RESIZE_WIDTH(p->resize) != 0 && MST_RESIZE_HEIGHT(p->resize) == 0)
        return FAIL("resize to a width of %u without a height", (unsigned)MST_RESIZE_WIDTH(p->resize));
    if (p->crop_height > MST_MAX_SIDE || p->crop_width > MST_MAX_SIDE ||
        (p->crop_height == 0) != (p->crop_width == 0))
        return FAIL("crop %ux%u out of range", (unsigned)p->crop_height,
                    (unsigned)p->crop_width);
    if (p->frames > MST_MAX_FRAMES || mst_interpolation_name((int)p->interpolation) == NULL ||
        mst_split_name((int)p->split) == NULL || mst_present_name((int)p->present) == NULL)
        return FAIL("number of frames or a way of making them out of range");
    if (mst_run_rule_name((int)m->run) == NULL || mst_thinning_name((int)m->thinning) == NULL)
        return FAIL("unknown mode %d or thinning %d", (int)m->run, (int)m->thinning);
    if (mst_trained_on_name((int)m->trained_on) == NULL)
        return FAIL("unknown kind %d of masks of the training", (int)m->trained_on);
    if (m->run == MST_RULE_RADIX && p->present == MST_PRESENT_STEPS && p->frames > 1)
        return FAIL("radix mode has no form for frames that are shown one after another");
    return MST_OK;
}

static mst_status check_all(mst_check *c)
{
    const mst_graph *g = c->g;
    mst_err *err = c->err;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        MST_TRY(check_tensor(g, i, err));
        c->made[i] = g->tensors[i].data != NULL;
    }
    c->made[g->input] = true;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        MST_TRY(check_node(c, i));
    if (!c->made[g->output])
        return FAIL("the graph's output is not made by any node");
    return mst_check_tuning(g, err);
}

mst_status mst_graph_validate(const mst_graph *g, mst_err *err)
{
    if (g->input >= g->n_tensors || g->output >= g->n_tensors)
        return FAIL("the graph has no input or no output");
    if (g->tensors[g->input].data != NULL || g->tensors[g->input].dtype != MST_F32)
        return FAIL("the graph's input is a constant or not float32");
    MST_TRY(check_meta(&g->meta, err));
    mst_check c = {.g = g, .err = err};
    c.made = mst_alloc_array(g->arena.alloc, g->n_tensors, sizeof *c.made);
    c.mask_index = mst_alloc_array(g->arena.alloc, g->n_nodes, sizeof *c.mask_index);
    c.top = mst_alloc_array(g->arena.alloc, g->n_tensors, sizeof *c.top);
    mst_status st = c.made != NULL && c.mask_index != NULL && c.top != NULL
                        ? check_all(&c)
                        : mst_fail(err, MST_ENOMEM, "out of memory: validating the graph");
    mst_free_array(g->arena.alloc, c.made, g->n_tensors, sizeof *c.made);
    mst_free_array(g->arena.alloc, c.mask_index, g->n_nodes, sizeof *c.mask_index);
    mst_free_array(g->arena.alloc, c.top, g->n_tensors, sizeof *c.top);
    return st;
}
