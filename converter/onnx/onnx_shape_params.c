/* Parameters of operators whose form changed between opsets (attribute, then
 * input): reductions, Slice, Split, Transpose, Pad, Softmax, Clip. Decodes and checks;
 * must not set outputs.
 */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

mst_status ox_reduce_params(const ox_ctx *c, bool reduced[MST_MAX_RANK], bool *keep)
{
    uint32_t axes[MST_MAX_RANK];
    size_t n;
    uint32_t rank = ox_in(c, 0)->rank;
    int since = strcmp(c->n->op, "ReduceSum") == 0 ? 13 : 18;
    *keep = ox_attr_int(c->n, "keepdims", 1) != 0;
    MST_TRY(ox_axes(c, 1, since, rank, axes, &n));
    bool all = n == 0 && ox_attr_int(c->n, "noop_with_empty_axes", 0) == 0;
    for (uint32_t d = 0; d < MST_MAX_RANK; d++)
        reduced[d] = all && d < rank;
    for (size_t i = 0; i < n; i++)
        reduced[axes[i]] = true;
    return MST_OK;
}

/* Starts, ends, axes, steps: attributes below opset 10, inputs from it on. */
static mst_status slice_raw(const ox_ctx *c, uint32_t rank, int64_t *starts, int64_t *ends, int64_t *axes,
                            int64_t *steps, size_t *n)
{
    size_t n_ends, n_axes = 0, n_steps = 0;
    if (c->g->opset < 10) {
        int s = ox_attr_ints(c->n, "starts", starts, MST_MAX_RANK);
        int e = ox_attr_ints(c->n, "ends", ends, MST_MAX_RANK);
        int a = ox_attr_ints(c->n, "axes", axes, MST_MAX_RANK);
        if (s < 0 || e < 0)
            return ox_fail(c, MST_EINVAL, "attributes starts and ends are missing or too long");
        *n = (size_t)s;
        n_ends = (size_t)e;
        n_axes = a > 0 ? (size_t)a : 0;
    } else {
        MST_TRY(ox_const_ints(c, 1, "the starts", starts, MST_MAX_RANK, n));
        MST_TRY(ox_const_ints(c, 2, "the ends", ends, MST_MAX_RANK, &n_ends));
        if (ox_in(c, 3) != NULL)
            MST_TRY(ox_const_ints(c, 3, "the axes", axes, MST_MAX_RANK, &n_axes));
        if (ox_in(c, 4) != NULL)
            MST_TRY(ox_const_ints(c, 4, "the steps", steps, MST_MAX_RANK, &n_steps));
    }
    for (size_t i = n_steps == 0 ? 0 : *n; i < *n; i++)
        steps[i] = 1;
    for (size_t i = n_axes == 0 ? 0 : *n; i < *n; i++)
        axes[i] = (int64_t)i;
    if (n_ends != *n || *n > rank || (n_axes != 0 && n_axes != *n) || (n_steps != 0 && n_steps != *n))
        return ox_fail(c, MST_EINVAL, "%zu starts, %zu ends, %zu axes, %zu steps for a tensor of rank %u", *n,
                       n_ends, n_axes, n_steps, rank);
    return MST_OK;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi
                                : x;
}

mst_status ox_slice_params(const ox_ctx *c, ox_slice *s)
{
    const ox_value *x = ox_in(c, 0);
    int64_t starts[MST_MAX_RANK], ends[MST_MAX_RANK], axes[MST_MAX_RANK], steps[MST_MAX_RANK];
    bool seen[MST_MAX_RANK] = {false};
    size_t n;
    MST_TRY(slice_raw(c, x->rank, starts, ends, axes, steps, &n));
    for (uint32_t d = 0; d < x->rank; d++) {
        s->start[d] = 0;
        s->step[d] = 1;
        s->count[d] = x->dims[d];
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t d;
        MST_TRY(ox_axis_of(c, axes[i], x->rank, &d));
        if (steps[i] == 0 || seen[d])
            return ox_fail(c, MST_EINVAL, seen[d] ? "axis %u is sliced twice" : "the step of axis %u is 0",
                           d);
        seen[d] = true;
        int64_t dim = x->dims[d], most = dim > 0 ? dim : 1;
        int64_t step = clamp(steps[i], -most, most); /* a longer step picks the same one element */
        int64_t start = starts[i] < 0 ? starts[i] + dim : starts[i];
        int64_t end = ends[i] < 0 ? ends[i] + dim : ends[i];
        start = step > 0 ? clamp(start, 0, dim) : clamp(start, dim > 0 ? 0 : -1, dim - 1);
        end = step > 0 ? clamp(end, 0, dim) : clamp(end, -1, dim - 1);
        int64_t span = step > 0 ? end - start : start - end, by = step > 0 ? step : -step;
        s->start[d] = start;
        s->step[d] = step;
        s->count[d] = span > 0 ? (span + by - 1) / by : 0;
        if (s->count[d] == 0)
            s->start[d] = 0;
    }
    return MST_OK;
}

/* The lengths that the model states: attribute below opset 13, input from it on. *n = 0: none. */
static mst_status split_given(const ox_ctx *c, const int64_t **from_attr, size_t *n)
{
    *from_attr = NULL;
    *n = 0;
    if (c->g->opset >= 13) {
        const ox_value *v = ox_in(c, 1);
        if (v == NULL)
            return MST_OK;
        if (v->data == NULL)
            return ox_fail(c, MST_EUNSUPPORTED,
                           "the lengths are computed from the model's input; export with "
                           "a fixed input size");
        if (v->dtype != OX_INT64 || v->rank != 1)
            return ox_fail(c, MST_EINVAL, "the lengths (input 1) must be int64 in a row");
        *n = (size_t)v->dims[0];
        return MST_OK;
    }
    const ox_attr *a = ox_attr_find(c->n, "split");
    if (a != NULL && a->kind == OX_A_INTS) {
        *from_attr = a->ints;
        *n = a->n;
    }
    return MST_OK;
}

mst_status ox_split_params(const ox_ctx *c, uint32_t *axis, uint32_t k, int64_t *start, int64_t *count)
{
    const ox_value *x = ox_in(c, 0);
    const int64_t *attr;
    size_t n;
    MST_TRY(ox_axis(c, "axis", 0, x->rank, axis));
    MST_TRY(split_given(c, &attr, &n));
    int64_t dim = x->dims[*axis];
    if (n == 0) { /* equal parts, the last one smaller (opset 18) */
        int64_t parts = c->n->n_out, each = (dim + parts - 1) / parts;
        if (c->g->opset >= 18 && ox_attr_int(c->n, "num_outputs", parts) != parts)
            return ox_fail(c, MST_EINVAL, "num_outputs is not %u, the number of outputs", c->n->n_out);
        if ((c->g->opset < 18 && dim % parts != 0) || each * (parts - 1) > dim)
            return ox_fail(c, MST_EINVAL, "%lld elements do not split into %lld parts", (long long)dim,
                           (long long)parts);
        *start = each * k;
        *count = k + 1 < parts ? each : dim - *start;
        return MST_OK;
    }
    if (n != c->n->n_out)
        return ox_fail(c, MST_EINVAL, "%zu lengths for %u outputs", n, c->n->n_out);
    int64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t len = attr != NULL ? attr[i] : ox_get_int(ox_in(c, 1), i);
        if (len < 0 || len > dim - at)
            return ox_fail(c, MST_EINVAL, "the lengths do not add up to %lld", (long long)dim);
        if (i == k) {
            *start = at;
            *count = len;
        }
        at += len;
    }
    return at == dim ? MST_OK
                     : ox_fail(c, MST_EINVAL, "the lengths add up to %lld, expected %lld", (long long)at,
                               (long long)dim);
}

mst_status ox_transpose_perm(const ox_ctx *c, uint32_t perm[MST_MAX_RANK])
{
    uint32_t rank = ox_in(c, 0)->rank;
    int64_t raw[MST_MAX_RANK];
    bool seen[MST_MAX_RANK] = {false};
    int n = ox_attr_ints(c->n, "perm", raw, MST_MAX_RANK);
    if (n < 0 && ox_attr_find(c->n, "perm") == NULL) {
        for (uint32_t d = 0; d < rank; d++)
            perm[d] = rank - 1 - d;
        return MST_OK;
    }
    if (n < 0 || (uint32_t)n != rank)
        return ox_fail(c, MST_EINVAL, "perm has %d entries for a tensor of rank %u", n, rank);
    for (uint32_t d = 0; d < rank; d++) {
        MST_TRY(ox_axis_of(c, raw[d], rank, &perm[d]));
        if (seen[perm[d]])
            return ox_fail(c, MST_EINVAL, "perm names dimension %u twice", perm[d]);
        seen[perm[d]] = true;
    }
    return MST_OK;
}

mst_status ox_pad_params(const ox_ctx *c, int64_t before[MST_MAX_RANK], int64_t after[MST_MAX_RANK])
{
    uint32_t rank = ox_in(c, 0)->rank;
    int64_t pads[2 * MST_MAX_RANK];
    uint32_t axes[MST_MAX_RANK];
    size_t n = 0, n_axes = 0;
    if (c->g->opset < 11) {
        int got = ox_attr_ints(c->n, "pads", pads, 2 * MST_MAX_RANK);
        n = got > 0 ? (size_t)got : 0;
    } else {
        MST_TRY(ox_const_ints(c, 1, "the pads", pads, 2 * MST_MAX_RANK, &n));
    }
    if (c->g->opset >= 18 && ox_in(c, 3) != NULL) {
        MST_TRY(ox_axes(c, 3, 18, rank, axes, &n_axes));
    } else {
        n_axes = rank;
        for (uint32_t d = 0; d < rank; d++)
            axes[d] = d;
    }
    if (n != 2 * n_axes)
        return ox_fail(c, MST_EINVAL, "%zu pads for %zu dimensions", n, n_axes);
    memset(before, 0, MST_MAX_RANK * sizeof *before);
    memset(after, 0, MST_MAX_RANK * sizeof *after);
    for (size_t i = 0; i < n_axes; i++) {
        int64_t lo = pads[i], hi = pads[n_axes + i], most = OX_MAX_ELEMENTS;
        if (lo < -most || lo > most || hi < -most || hi > most)
            return ox_fail(c, MST_ELIMIT, "padding of %lld and %lld", (long long)lo, (long long)hi);
        before[axes[i]] = lo;
        after[axes[i]] = hi;
    }
    return MST_OK;
}

mst_status ox_pad_value(const ox_ctx *c, double *value)
{
    *value = 0;
    if (c->g->opset < 11) {
        *value = (double)ox_attr_float(c->n, "value", 0.0f);
        return MST_OK;
    }
    const ox_value *v = ox_in(c, 2);
    if (v == NULL)
        return MST_OK;
    if (v->data == NULL || ox_elements(v) != 1)
        return ox_fail(c, MST_EUNSUPPORTED, "the padding value is not one constant");
    *value = ox_get_double(v, 0);
    return MST_OK;
}

mst_status ox_softmax_axes(const ox_ctx *c, uint32_t *first, uint32_t *last)
{
    const ox_value *x = ox_in(c, 0);
    bool coerced = c->g->opset < 13;
    if (x->rank == 0) {
        *first = *last = 0;
        return MST_OK;
    }
    MST_TRY(ox_axis(c, "axis", coerced && x->rank > 1 ? 1 : coerced ? 0
                                                                    : -1,
                    x->rank, first));
    *last = coerced ? x->rank : *first + 1;
    return MST_OK;
}

static mst_status clip_bound(const ox_ctx *c, uint32_t k, double *bound)
{
    const ox_value *v = ox_in(c, k);
    if (v == NULL)
        return MST_OK;
    if (v->data == NULL || ox_elements(v) != 1)
        return ox_fail(c, MST_EUNSUPPORTED, "bound '%.100s' is not one constant", v->name);
    *bound = ox_get_double(v, 0);
    return MST_OK;
}

mst_status ox_clip_bounds(const ox_ctx *c, double *lo, double *hi)
{
    *lo = -HUGE_VAL;
    *hi = HUGE_VAL;
    if (c->g->opset < 11) {
        *lo = ox_attr_find(c->n, "min") != NULL ? (double)ox_attr_float(c->n, "min", 0.0f) : *lo;
        *hi = ox_attr_find(c->n, "max") != NULL ? (double)ox_attr_float(c->n, "max", 0.0f) : *hi;
        return MST_OK;
    }
    MST_TRY(clip_bound(c, 1, lo));
    return clip_bound(c, 2, hi);
}
