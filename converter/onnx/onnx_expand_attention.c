/* Attention of opset 23 and later: heads taken apart, products, softmax. */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_expand.h"

/* [N,heads,L,size] of a tensor of that shape or of [N,L,heads*size]. */
static uint32_t heads_of(ox_build *b, uint32_t x, int64_t heads)
{
    static const uint32_t perm[4] = {0, 2, 1, 3};
    const ox_value v = ob_value(b, x);
    if (v.rank == 4)
        return x;
    if (v.rank != 3 || heads < 1 || v.dims[2] % heads != 0) {
        ob_fail(b, MST_EINVAL, "its inputs do not divide into heads");
        return OX_NONE;
    }
    int64_t seen[4] = {v.dims[0], v.dims[1], heads, v.dims[2] / heads};
    return ob_transpose(b, ob_reshape(b, x, 4, seen), perm);
}

/* Each head of keys or values as often as there are queries for it. */
static uint32_t shared_heads(ox_build *b, uint32_t x, int64_t heads)
{
    const ox_value v = ob_value(b, x);
    if (b->st != MST_OK || v.dims[1] == heads)
        return x;
    int64_t *table = v.dims[1] >= 1 && heads % v.dims[1] == 0 ? ob_table(b, heads) : NULL;
    if (table == NULL)
        ob_fail(b, MST_EINVAL, "the heads of the queries are no multiple of the others'");
    for (int64_t i = 0; i < heads && table != NULL; i++)
        table[i] = i / (heads / v.dims[1]);
    return table != NULL ? ob_gather(b, x, 1, (size_t)heads, table) : OX_NONE;
}

#define FORBIDDEN (-1e9) /* instead of -infinity: its exponential is 0, too */

/* What is added to scores of the type and shape of s: 0, or FORBIDDEN behind the diagonal. */
static uint32_t causal_bias(ox_build *b, uint32_t scores)
{
    const ox_value s = ob_value(b, scores);
    int64_t dims[2] = {s.dims[2], s.dims[3]};
    uint8_t *data;
    uint32_t id = ob_zeros(b, scores, 2, dims, &data);
    for (int64_t i = 0; i < dims[0] && b->st == MST_OK; i++)
        for (int64_t j = i + 1; j < dims[1]; j++)
            ox_put_double(data, s.dtype, (size_t)(i * dims[1] + j), FORBIDDEN);
    return id;
}

/* A row of which nothing is allowed has the result 0, which softmax does not give. */
static void check_rows(ox_build *b, uint32_t bias)
{
    const ox_value v = ob_value(b, bias);
    size_t n = v.data != NULL && v.rank != 0 ? (size_t)v.dims[v.rank - 1] : 0;
    for (size_t row = 0, rows = n != 0 ? ox_elements(&v) / n : 0; row < rows; row++) {
        bool any = false;
        for (size_t i = 0; i < n && !any; i++)
            any = ox_get_double(&v, row * n + i) > FORBIDDEN / 2;
        if (!any)
            ob_fail(b, MST_EUNSUPPORTED, "a row of its mask forbids everything, which is not supported");
    }
}

static uint32_t masked(ox_build *b, uint32_t scores, uint32_t mask, bool causal)
{
    uint32_t bias = mask;
    if (b->st == MST_OK && mask != OX_NONE && ob_value(b, mask).dtype == OX_BOOL) {
        uint32_t in[3] = {mask, ob_number(b, scores, 0), ob_number(b, scores, FORBIDDEN)};
        bias = ob_node(b, "Where", 3, in, 0, NULL);
    } else if (mask != OX_NONE) {
        bias = ob_clip(b, mask, FORBIDDEN, (double)INFINITY);
    }
    if (b->st == MST_OK && causal)
        bias = bias != OX_NONE ? ob_2(b, "Add", bias, causal_bias(b, scores)) : causal_bias(b, scores);
    if (b->st != MST_OK || bias == OX_NONE)
        return scores;
    check_rows(b, bias);
    return ob_2(b, "Add", scores, bias);
}

void ox_expand_attention(ox_build *b)
{
    static const uint32_t transposed[4] = {0, 1, 3, 2}, back[4] = {0, 2, 1, 3};
    double cap = (double)ox_attr_float(b->n, "softcap", 0);
    for (uint32_t k = 4; k < b->n->n_in; k++)
        if (ob_in(b, k) != OX_NONE)
            ob_fail(b, MST_EUNSUPPORTED, "keys and values of the past are not supported");
    for (uint32_t k = 1; k < b->n->n_out; k++)
        if (b->n->out[k] != OX_NONE)
            ob_fail(b, MST_EUNSUPPORTED, "only its first output is supported");
    if (ox_attr_int(b->n, "left_window_size", -1) >= 0 || ox_attr_int(b->n, "right_window_size", -1) >= 0)
        ob_fail(b, MST_EUNSUPPORTED, "windows are not supported");
    uint32_t q = heads_of(b, ob_in(b, 0), ox_attr_int(b->n, "q_num_heads", 0));
    uint32_t k = heads_of(b, ob_in(b, 1), ox_attr_int(b->n, "kv_num_heads", 0));
    uint32_t v = heads_of(b, ob_in(b, 2), ox_attr_int(b->n, "kv_num_heads", 0));
    const ox_value vq = ob_value(b, q);
    if (b->st != MST_OK || ob_value(b, k).rank != 4 || vq.rank != 4 || vq.dims[3] == 0)
        return;
    k = shared_heads(b, k, vq.dims[1]);
    v = shared_heads(b, v, vq.dims[1]);
    double scale = (double)ox_attr_float(b->n, "scale", (float)(1 / sqrt((double)vq.dims[3])));
    uint32_t scores = ob_scale(b, ob_2(b, "MatMul", q, ob_transpose(b, k, transposed)), scale);
    if (cap > 0)
        scores = ob_scale(b, ob_1(b, "Tanh", ob_scale(b, scores, 1 / cap)), cap);
    scores = masked(b, scores, ob_in(b, 3), ox_attr_int(b->n, "is_causal", 0) != 0);
    ox_attr last = ob_attr_int("axis", -1);
    uint32_t y = ob_2(b, "MatMul", ob_node(b, "Softmax", 1, &scores, 1, &last), v);
    if (ob_value(b, ob_in(b, 0)).rank == 3) {
        const ox_value vy = ob_value(b, y);
        int64_t flat[3] = {vy.dims[0], vy.dims[2], vy.dims[1] * vy.dims[3]};
        y = ob_reshape(b, ob_transpose(b, y, back), 3, flat);
    }
    ob_return(b, 0, y);
}
