/* Operators that only move values, in terms of Reshape, Transpose, Slice, Pad and
 * Gather: what moves spikes leaves them spikes. */
#include <string.h>

#include "converter/onnx/onnx_expand.h"

/* ---- blocks of pixels ---- */

/* [N,C,H,W] seen as six dimensions, moved, seen as four again. */
static void by_blocks(ox_build *b, const int64_t seen[6], const uint32_t perm[6], const int64_t out[4])
{
    uint32_t x = ob_transpose(b, ob_reshape(b, ob_in(b, 0), 6, seen), perm);
    ob_return(b, 0, ob_reshape(b, x, 4, out));
}

/* "DCR" or "CRD"; *size: the block's. false: it failed. */
static bool block_params(ox_build *b, int64_t *size, bool *column_first)
{
    const char *mode = ox_attr_string(b->n, "mode", "DCR");
    *size = ox_attr_int(b->n, "blocksize", 0);
    *column_first = strcmp(mode, "CRD") == 0;
    if (ob_value(b, ob_in(b, 0)).rank != 4)
        ob_fail(b, MST_EINVAL, "its input has not four dimensions");
    else if (*size < 1 || *size > 65535)
        ob_fail(b, MST_EINVAL, "blocksize is missing or out of range");
    else if (!*column_first && strcmp(mode, "DCR") != 0)
        ob_fail(b, MST_EINVAL, "its mode is neither DCR nor CRD");
    return b->st == MST_OK;
}

void ox_expand_depth_to_space(ox_build *b)
{
    static const uint32_t depth_first[6] = {0, 3, 4, 1, 5, 2}, column[6] = {0, 1, 4, 2, 5, 3};
    const ox_value x = ob_value(b, ob_in(b, 0));
    int64_t s;
    bool crd;
    if (!block_params(b, &s, &crd))
        return;
    if (x.dims[1] % (s * s) != 0) {
        ob_fail(b, MST_EINVAL, "the channels do not divide into blocks");
        return;
    }
    int64_t c = x.dims[1] / (s * s);
    int64_t seen[6] = {x.dims[0], crd ? c : s, s, crd ? s : c, x.dims[2], x.dims[3]};
    int64_t out[4] = {x.dims[0], c, x.dims[2] * s, x.dims[3] * s};
    by_blocks(b, seen, crd ? column : depth_first, out);
}

void ox_expand_space_to_depth(ox_build *b)
{
    static const uint32_t depth_first[6] = {0, 3, 5, 1, 2, 4}, column[6] = {0, 1, 3, 5, 2, 4};
    const ox_value x = ob_value(b, ob_in(b, 0));
    int64_t s;
    bool crd;
    if (!block_params(b, &s, &crd))
        return;
    if (x.dims[2] % s != 0 || x.dims[3] % s != 0) {
        ob_fail(b, MST_EINVAL, "height or width do not divide into blocks");
        return;
    }
    int64_t seen[6] = {x.dims[0], x.dims[1], x.dims[2] / s, s, x.dims[3] / s, s};
    int64_t out[4] = {x.dims[0], x.dims[1] * s * s, x.dims[2] / s, x.dims[3] / s};
    by_blocks(b, seen, crd ? column : depth_first, out);
}

/* ---- one axis by a table ---- */

void ox_expand_tile(ox_build *b)
{
    uint32_t x = ob_in(b, 0);
    const ox_value v = ob_value(b, x);
    int64_t repeats[MST_MAX_RANK];
    size_t n;
    if (ob_is_const(b, x) && ob_is_const(b, ob_in(b, 1)))
        return;
    b->st = ox_const_ints(b->c, 1, "the repeats", repeats, MST_MAX_RANK, &n);
    if (b->st == MST_OK && n != v.rank)
        ob_fail(b, MST_EINVAL, "the repeats are not one for each dimension");
    for (uint32_t d = 0; d < v.rank && b->st == MST_OK; d++) {
        if (repeats[d] < 1 || repeats[d] > (int64_t)OX_MAX_ELEMENTS) {
            ob_fail(b, MST_EINVAL, "a repeat is out of range");
            return;
        }
        int64_t size = v.dims[d] * repeats[d], *table = ob_table(b, size);
        for (int64_t i = 0; i < size && table != NULL; i++)
            table[i] = i % v.dims[d];
        if (table != NULL)
            x = ob_gather(b, x, d, (size_t)size, table);
    }
    ob_return(b, 0, x);
}

/* The element at i of an axis of n that goes on behind its ends by mode. */
static int64_t beyond(const char *mode, int64_t i, int64_t n)
{
    if (strcmp(mode, "edge") == 0)
        return i < 0 ? 0 : i >= n ? n - 1
                                  : i;
    if (strcmp(mode, "wrap") == 0)
        return (i % n + n) % n;
    int64_t period = n > 1 ? 2 * (n - 1) : 1; /* reflect */
    i = (i % period + period) % period;
    return i < n ? i : period - i;
}

/* Constant padding of elements that are there, or of none, is the row's. */
void ox_expand_pad(ox_build *b)
{
    const char *mode = ox_attr_string(b->n, "mode", "constant");
    uint32_t x = ob_in(b, 0);
    const ox_value v = ob_value(b, x);
    int64_t before[MST_MAX_RANK], after[MST_MAX_RANK];
    if (strcmp(mode, "edge") != 0 && strcmp(mode, "wrap") != 0 && strcmp(mode, "reflect") != 0)
        return;
    b->st = ox_pad_params(b->c, before, after);
    for (uint32_t d = 0; d < v.rank && b->st == MST_OK; d++) {
        int64_t size = before[d] + v.dims[d] + after[d], *table = ob_table(b, size);
        for (int64_t i = 0; i < size && table != NULL; i++)
            table[i] = beyond(mode, i - before[d], v.dims[d]);
        if (table != NULL)
            x = ob_gather(b, x, d, (size_t)size, table);
    }
    ob_return(b, 0, x);
}

/* ---- all elements by a table ---- */

/* The numbers from start on as a constant of the shape of v. */
static uint32_t numbered(ox_build *b, ox_value v, int64_t start)
{
    int64_t n = (int64_t)ox_elements(&v), *numbers = ob_table(b, n);
    for (int64_t i = 0; i < n && numbers != NULL; i++)
        numbers[i] = start + i;
    return numbers != NULL ? ob_reshape(b, ob_ints(b, (size_t)n, numbers), v.rank, v.dims) : OX_NONE;
}

/* The elements of x, and of y behind them, in a row. */
static uint32_t in_a_row(ox_build *b, uint32_t x, uint32_t y)
{
    const int64_t rest = -1;
    ox_attr axis = ob_attr_int("axis", 0);
    uint32_t in[2], shape = ob_ints(b, 1, &rest);
    in[0] = ob_2(b, "Reshape", x, shape);
    if (y == OX_NONE)
        return in[0];
    in[1] = ob_2(b, "Reshape", y, shape);
    return ob_node(b, "Concat", 2, in, 1, &axis);
}

/* This operator does to numbered elements what it does to any, so its row of onnx_ops.def gives the table by which
 * elements of the data, and of the updates of a scatter, move. */
static void by_numbers(ox_build *b)
{
    uint32_t x = ob_in(b, 0), updates = ob_in(b, 2);
    if (!ob_is_const(b, ob_in(b, 1))) {
        ob_fail(b, MST_EUNSUPPORTED, "its indices are computed from the model's input; only constants are supported");
        return;
    }
    const ox_value v = ob_value(b, x);
    uint32_t in[3] = {numbered(b, v, 0), ob_in(b, 1), OX_NONE};
    if (updates != OX_NONE)
        in[2] = numbered(b, ob_value(b, updates), (int64_t)ox_elements(&v));
    uint32_t places = ob_node(b, b->n->op, b->n->n_in, in, b->n->n_attr, b->n->attrs);
    const ox_value p = ob_value(b, places);
    if (b->st != MST_OK || p.data == NULL)
        return;
    x = ob_gather(b, in_a_row(b, x, updates), 0, ox_elements(&p), p.data);
    ob_return(b, 0, ob_reshape(b, x, p.rank, p.dims));
}

/* GatherND and GatherElements with constant indices */
void ox_expand_gathers(ox_build *b)
{
    if (!ob_is_const(b, ob_in(b, 0)))
        by_numbers(b);
}

/* Zeros outside of the triangle come from in front of all elements: what the row does to their numbers says where. */
void ox_expand_trilu(ox_build *b)
{
    uint32_t x = ob_in(b, 0), n_in = ob_in(b, 1) != OX_NONE ? 2 : 1;
    const ox_value v = ob_value(b, x);
    const int64_t zero[2] = {1, 0};
    if (ob_is_const(b, x))
        return;
    if (n_in == 2 && !ob_is_const(b, ob_in(b, 1))) {
        ob_fail(b, MST_EUNSUPPORTED, "its diagonal is computed from the model's input; only constants are supported");
        return;
    }
    uint32_t in[2] = {numbered(b, v, 1), ob_in(b, 1)};
    const ox_value p = ob_value(b, ob_node(b, b->n->op, n_in, in, b->n->n_attr, b->n->attrs));
    if (b->st != MST_OK || p.data == NULL)
        return;
    x = ob_2(b, "Pad", in_a_row(b, x, OX_NONE), ob_ints(b, 2, zero));
    x = ob_gather(b, x, 0, ox_elements(&p), p.data);
    ob_return(b, 0, ob_reshape(b, x, v.rank, v.dims));
}

/* ScatterND, ScatterElements and Scatter with constant indices */
void ox_expand_scatters(ox_build *b)
{
    if (ob_is_const(b, ob_in(b, 0)) && ob_is_const(b, ob_in(b, 1)) && ob_is_const(b, ob_in(b, 2)))
        return;
    if (strcmp(ox_attr_string(b->n, "reduction", "none"), "none") != 0)
        ob_fail(b, MST_EUNSUPPORTED, "a reduction of live values is not supported; add them outside of it");
    else
        by_numbers(b);
}
