/* Reductions in terms of sums and maxima, and running sums as matrices. */
#include "converter/onnx/onnx_expand.h"

/* The axes of this node as a bit mask; false: it failed. */
static bool read_axes(ox_build *b, uint32_t *axes, bool *keep)
{
    bool reduced[MST_MAX_RANK] = {false};
    b->st = ox_reduce_params(b->c, reduced, keep);
    *axes = 0;
    for (uint32_t d = 0; d < MST_MAX_RANK; d++)
        *axes |= (uint32_t)reduced[d] << d;
    return b->st == MST_OK;
}

/* after(op(before(x))); NULL: nothing */
static void around(ox_build *b, const char *before, const char *op, const char *after)
{
    uint32_t x = ob_in(b, 0), axes;
    bool keep;
    if (!read_axes(b, &axes, &keep))
        return;
    if (before != NULL)
        x = ob_1(b, before, x);
    x = ob_reduce(b, op, x, axes, keep);
    ob_return(b, 0, after != NULL ? ob_1(b, after, x) : x);
}

void ox_expand_reduce_l1(ox_build *b)
{
    around(b, "Abs", "ReduceSum", NULL);
}

void ox_expand_reduce_log_sum(ox_build *b)
{
    around(b, NULL, "ReduceSum", "Log");
}

void ox_expand_reduce_min(ox_build *b)
{
    if (!ob_is_const(b, ob_in(b, 0)))
        around(b, "Neg", "ReduceMax", "Neg");
}

static void squares(ox_build *b, const char *after)
{
    uint32_t x = ob_in(b, 0), axes;
    bool keep;
    if (!read_axes(b, &axes, &keep))
        return;
    x = ob_reduce(b, "ReduceSum", ob_2(b, "Mul", x, x), axes, keep);
    ob_return(b, 0, after != NULL ? ob_1(b, after, x) : x);
}

void ox_expand_reduce_l2(ox_build *b)
{
    squares(b, "Sqrt");
}

void ox_expand_reduce_sum_square(ox_build *b)
{
    squares(b, NULL);
}

/* max + log(sum(exp(x - max))) */
void ox_expand_reduce_log_sum_exp(ox_build *b)
{
    uint32_t x = ob_in(b, 0), axes;
    bool keep;
    if (!read_axes(b, &axes, &keep))
        return;
    uint32_t top = ob_reduce(b, "ReduceMax", x, axes, true);
    uint32_t sum = ob_reduce(b, "ReduceSum", ob_1(b, "Exp", ob_2(b, "Sub", x, top)), axes, keep);
    const ox_value v = ob_value(b, sum);
    ob_return(b, 0, ob_2(b, "Add", ob_1(b, "Log", sum), ob_reshape(b, top, v.rank, v.dims)));
}

/* A product over one axis by halves: 1 is put in where one is odd. */
static uint32_t product_along(ox_build *b, uint32_t x, uint32_t axis)
{
    for (int64_t n = ob_value(b, x).dims[axis]; n > 1 && b->st == MST_OK; n = (n + 1) / 2) {
        int64_t half = n / 2;
        uint32_t y = ob_2(b, "Mul", ob_slice(b, x, axis, 0, half), ob_slice(b, x, axis, half, half));
        ox_attr along = ob_attr_int("axis", axis);
        uint32_t in[2] = {y, n % 2 != 0 ? ob_slice(b, x, axis, n - 1, 1) : OX_NONE};
        x = n % 2 != 0 ? ob_node(b, "Concat", 2, in, 1, &along) : y;
    }
    return x;
}

void ox_expand_reduce_prod(ox_build *b)
{
    uint32_t x = ob_in(b, 0), axes, rank = 0;
    int64_t dims[MST_MAX_RANK];
    bool keep;
    const ox_value v = ob_value(b, x);
    if (ob_is_const(b, x) || !read_axes(b, &axes, &keep))
        return;
    for (uint32_t d = 0; d < v.rank; d++) {
        bool gone = (axes >> d & 1) != 0;
        if (gone)
            x = product_along(b, x, d);
        if (!gone || keep)
            dims[rank++] = gone ? 1 : v.dims[d];
    }
    ob_return(b, 0, ob_reshape(b, x, rank, dims));
}

/* out[j] is the sum of in[i] for i <= j (or <, or from behind): a triangle of ones. */
void ox_expand_cumsum(ox_build *b)
{
    uint32_t x = ob_in(b, 0), axis;
    int64_t raw;
    size_t n;
    if (ob_is_const(b, x) && ob_is_const(b, ob_in(b, 1)))
        return;
    b->st = ox_const_ints(b->c, 1, "the axis", &raw, 1, &n);
    if (b->st == MST_OK && n != 1)
        ob_fail(b, MST_EINVAL, "the axis is not one number");
    if (b->st == MST_OK)
        b->st = ox_axis_of(b->c, raw, ob_value(b, x).rank, &axis);
    if (b->st != MST_OK)
        return;
    bool exclusive = ox_attr_int(b->n, "exclusive", 0) != 0, reverse = ox_attr_int(b->n, "reverse", 0) != 0;
    int64_t size = ob_value(b, x).dims[axis], dims[2] = {size, size};
    int dtype = ob_value(b, x).dtype;
    uint8_t *data;
    uint32_t w = ob_zeros(b, x, 2, dims, &data);
    for (int64_t i = 0; i < size && b->st == MST_OK; i++)
        for (int64_t j = 0; j < size; j++) {
            int64_t behind = reverse ? i - j : j - i;
            ox_put_double(data, dtype, (size_t)(i * size + j), behind > 0 || (behind == 0 && !exclusive) ? 1 : 0);
        }
    ob_return(b, 0, ob_along(b, x, axis, w));
}
