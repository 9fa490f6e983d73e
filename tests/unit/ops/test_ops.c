/* Each operator on random shapes, on analog values and on spikes, in both modes
 * and on every instruction set, against naive_run.h bit for bit. */
#include "tests/unit/session/naive_run.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"

static void finish(mst_graph *g, rng *r)
{
    if (rng_below(r, 2) != 0)
        OK(sample_tune(g, rng_u32(r), &err_));
    OK(mst_graph_validate(g, &err_));
    narrow_weights(g, rng_weights(r));
    compare_on_random_input(g, r, 3);
    mst_graph_destroy(g);
}

/* A graph on a random input of rank 1..4, and a tensor of it: analog or spikes. */
static mst_graph *random_start(rng *r, uint32_t rank, uint32_t *x)
{
    uint32_t dims[4];
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = rng_in(r, 1, 6);
    mst_graph *g = graph_with_input(rank, dims);
    *x = maybe_spikes(g, r, g->input);
    return g;
}

static void case_transpose(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x, dims[4], perm[4] = {0, 1, 2, 3};
    mst_graph *g = random_start(&r, rank, &x);
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t k = rng_in(&r, d, rank - 1), p = perm[d];
        perm[d] = perm[k];
        perm[k] = p;
        dims[d] = g->tensors[x].dims[perm[d]];
    }
    mst_node *n = add_node(g, MST_OP_TRANSPOSE, INPUTS(x), rank, dims);
    for (uint32_t d = 0; d < rank; d++)
        n->ip[MST_TRANSPOSE_PERM + d] = (int32_t)perm[d];
    finish(g, &r);
}

static void case_slice(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x, dims[4];
    int32_t start[4], step[4];
    mst_graph *g = random_start(&r, rank, &x);
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t size = g->tensors[x].dims[d], from = rng_below(&r, size), by = rng_in(&r, 1, 2);
        bool back = rng_below(&r, 3) == 0;
        start[d] = (int32_t)from;
        step[d] = back ? -(int32_t)by : (int32_t)by;
        dims[d] = rng_in(&r, 1, 1 + (back ? from : size - 1 - from) / by);
        if (dims[d] == 1 && rng_below(&r, 2) == 0)
            step[d] = INT32_MIN; /* never taken */
    }
    mst_node *n = add_node(g, MST_OP_SLICE, INPUTS(x), rank, dims);
    memcpy(&n->ip[MST_SLICE_START], start, rank * sizeof start[0]);
    memcpy(&n->ip[MST_SLICE_STEP], step, rank * sizeof step[0]);
    finish(g, &r);
}

static void case_concat(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x;
    mst_graph *g = random_start(&r, rank, &x);
    uint32_t axis = rng_below(&r, rank), other = maybe_spikes(g, &r, g->input), in[3] = {x, other, x};
    uint32_t n_in = rng_in(&r, 1, 3);
    mst_tensor t = g->tensors[x];
    t.dims[axis] *= n_in;
    mst_node *n = add_node(g, MST_OP_CONCAT, n_in, in, rank, t.dims);
    n->ip[MST_CONCAT_AXIS] = (int32_t)axis;
    uint32_t flat = reshape_to(g, g->output, DIMS(1, (uint32_t)mst_tensor_elements(&t)));
    add_node(g, MST_OP_MATMUL, INPUTS(flat, flat), DIMS(1, 1)); /* shows its scale */
    g->nodes[g->n_nodes - 1].ip[MST_MATMUL_TRANS_B] = 1;
    g->nodes[g->n_nodes - 1].fp[MST_MATMUL_ALPHA] = 0.3f;
    finish(g, &r);
}

static void case_gather(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x, dims[8], n_dims = 0, idx_rank = rng_below(&r, 3), idx_dims[2], idx;
    mst_graph *g = random_start(&r, rank, &x);
    uint32_t axis = rng_below(&r, rank), size = g->tensors[x].dims[axis];
    int32_t values[16];
    for (uint32_t i = 0; i < 16; i++)
        values[i] = (int32_t)rng_below(&r, size);
    for (uint32_t d = 0; d < rank; d++) {
        if (d != axis)
            dims[n_dims++] = g->tensors[x].dims[d];
        for (uint32_t k = 0; d == axis && k < idx_rank; k++)
            dims[n_dims++] = idx_dims[k] = rng_in(&r, 1, 4);
    }
    OK(mst_graph_add_tensor(g, "idx", MST_I32, idx_rank, idx_dims, values, &idx, &err_));
    mst_node *n = add_node(g, MST_OP_GATHER, INPUTS(x, idx), n_dims, dims);
    n->ip[MST_GATHER_AXIS] = (int32_t)axis;
    finish(g, &r);
}

static void case_pad(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x, dims[4];
    int32_t before[4];
    mst_graph *g = random_start(&r, rank, &x);
    for (uint32_t d = 0; d < rank; d++) {
        before[d] = (int32_t)rng_below(&r, 3);
        dims[d] = g->tensors[x].dims[d] + (uint32_t)before[d] + rng_below(&r, 3);
    }
    mst_node *n = add_node(g, MST_OP_PAD, INPUTS(x), rank, dims);
    memcpy(&n->ip[MST_PAD_BEFORE], before, rank * sizeof before[0]);
    n->fp[MST_PAD_VALUE] = rng_below(&r, 2) != 0 ? 0.5f : 0.0f;
    uint32_t y = g->output, out = rng_in(&r, 1, 20), w = add_random(g, &r, DIMS(dims[rank - 1], out), -1, 1);
    dims[rank - 1] = out;
    add_node(g, MST_OP_LINEAR, INPUTS(y, w), rank, dims); /* counts sops only if zeros were padded */
    finish(g, &r);
}

static void case_expand(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 3), x, dims[5], more = rng_below(&r, 3);
    mst_graph *g = random_start(&r, rank, &x);
    for (uint32_t d = 0; d < more; d++)
        dims[d] = rng_in(&r, 1, 3);
    for (uint32_t d = 0; d < rank; d++)
        dims[more + d] = g->tensors[x].dims[d] == 1 ? rng_in(&r, 1, 4) : g->tensors[x].dims[d];
    add_node(g, MST_OP_EXPAND, INPUTS(x), more + rank, dims);
    finish(g, &r);
}

static void case_linear(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rows = rng_below(&r, 3) == 0 ? rng_in(&r, 15, 40) : rng_in(&r, 1, 3);
    uint32_t in = rng_size(&r), out = rng_size(&r);
    mst_graph *g = graph_with_input(DIMS(rows, in));
    uint32_t x = maybe_spikes(g, &r, g->input), w = add_random(g, &r, DIMS(in, out), -1, 1);
    uint32_t b = rng_below(&r, 2) != 0 ? add_random(g, &r, DIMS(out), -1, 1) : MST_NONE;
    add_node(g, MST_OP_LINEAR, b == MST_NONE ? 2 : 3, (uint32_t[]){x, w, b}, DIMS(rows, out));
    finish(g, &r);
}

/* Of all sizes that products with all weights are cut into; with what makes 0 times a weight count: a bias of -0, a
 * weight that is not finite. */
static void case_dense(int seed)
{
    rng r = {(uint64_t)seed};
    bool many = seed % 12 == 2; /* more than a group of lists holds */
    uint32_t rows = many ? 700 : rng_in(&r, 1, 90), out = rng_in(&r, 1, 150);
    uint32_t in = rng_in(&r, many ? 300 : 1, rng_below(&r, 2) != 0 && !many ? 6 : 450);
    mst_graph *g = graph_with_input(DIMS(rows, in));
    uint32_t x = maybe_spikes(g, &r, g->input), w = add_random(g, &r, DIMS(in, out), -1, 1),
             b = add_random(g, &r, DIMS(out), -1, 1);
    if (seed % 3 == 0)
        ((float *)g->tensors[b].data)[rng_below(&r, out)] = -0.0f;
    if (seed % 3 == 1)
        ((float *)g->tensors[w].data)[rng_below(&r, in * out)] = INFINITY;
    add_node(g, MST_OP_LINEAR, INPUTS(x, w, b), DIMS(rows, out));
    OK(mst_graph_validate(g, &err_));
    narrow_weights(g, seed % 3 == 1 ? MST_F32 : rng_weights(&r));
    compare_on_random_input(g, &r, 2);
    mst_graph_destroy(g);
}

/* Random window geometry along one axis that the validation accepts. */
static void random_axis(rng *r, uint32_t *size, uint32_t *out, uint32_t *kernel, int32_t *stride,
                        int32_t *pad, int32_t *dilation)
{
    *kernel = rng_in(r, 1, 4);
    *dilation = (int32_t)rng_in(r, 1, 3);
    *stride = (int32_t)rng_in(r, 1, 3);
    *size = rng_in(r, 1, 7);
    *pad = (int32_t)rng_below(r, (*kernel - 1) * (uint32_t)*dilation + 1);
    uint32_t most = (*size - 1 + (uint32_t)*pad) / (uint32_t)*stride + 1;
    *out = rng_in(r, 1, most);
}

static void case_conv(int seed)
{
    rng r = {(uint64_t)seed};
    static const uint32_t groupings[] = {1, 1, 2, 3};
    uint32_t size[2], out[2], kernel[2], group = groupings[rng_below(&r, 4)];
    int32_t stride[2], pad[2], dilation[2];
    for (int i = 0; i < 2; i++)
        random_axis(&r, &size[i], &out[i], &kernel[i], &stride[i], &pad[i], &dilation[i]);
    uint32_t per_in = rng_in(&r, 1, 20), per_out = rng_below(&r, 2) != 0 ? rng_in(&r, 1, 4) : rng_size(&r);
    if (rng_below(&r, 5) == 0)
        per_in = 1, group = rng_in(&r, 2, 9), per_out = 1; /* depthwise */
    mst_graph *g = graph_with_input(DIMS(rng_in(&r, 1, 2), size[0], size[1], per_in * group));
    uint32_t x = maybe_spikes(g, &r, g->input), o = per_out * group;
    uint32_t w = add_random(g, &r, DIMS(kernel[0], kernel[1], per_in, o), -1, 1);
    uint32_t b = rng_below(&r, 2) != 0 ? add_random(g, &r, DIMS(o), -1, 1) : MST_NONE;
    mst_node *n = add_node(g, MST_OP_CONV, b == MST_NONE ? 2 : 3, (uint32_t[]){x, w, b},
                           DIMS(g->tensors[x].dims[0], out[0], out[1], o));
    memcpy(&n->ip[MST_CONV_STRIDE], stride, sizeof stride);
    memcpy(&n->ip[MST_CONV_PAD], pad, sizeof pad);
    memcpy(&n->ip[MST_CONV_DILATION], dilation, sizeof dilation);
    n->ip[MST_CONV_GROUP] = (int32_t)group;
    finish(g, &r);
}

/* One side of a product: [1 or b1][b2], rows, cols out of the flat input, or a constant. */
static uint32_t factor(mst_graph *g, rng *r, uint32_t from, uint32_t rank, const uint32_t *dims)
{
    mst_tensor t = {.rank = rank};
    memcpy(t.dims, dims, rank * sizeof dims[0]);
    if (rng_below(r, 8) == 0)
        return add_random(g, r, rank, dims, -1, 1);
    uint32_t x = part_of_input(g, from, (uint32_t)mst_tensor_elements(&t));
    return maybe_spikes(g, r, reshape_to(g, x, rank, dims));
}

static void case_matmul(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t m = rng_in(&r, 1, 20), n = rng_in(&r, 1, 20);
    uint32_t k = rng_below(&r, 2) != 0 ? rng_in(&r, 1, 40) : rng_size(&r);
    bool trans = rng_below(&r, 2) != 0;
    uint32_t ra = rng_in(&r, 2, 4), rb = rng_in(&r, 2, 4), batch[2] = {rng_in(&r, 1, 3), rng_in(&r, 1, 3)};
    uint32_t ones_a = rng_below(&r, 4), ones_b = rng_below(&r, 4);
    uint32_t a4[4] = {ones_a & 1 ? 1 : batch[0], ones_a & 2 ? 1 : batch[1], m, k};
    uint32_t b4[4] = {ones_b & 1 ? 1 : batch[0], ones_b & 2 ? 1 : batch[1], trans ? n : k, trans ? k : n};
    uint32_t y4[4];
    uint32_t of_a = batch[0] * batch[1] * m * k, of_b = batch[0] * batch[1] * n * k;
    mst_graph *g = graph_with_input(DIMS(of_a + of_b));
    uint32_t a = factor(g, &r, 0, ra, a4 + 4 - ra), b = factor(g, &r, of_a, rb, b4 + 4 - rb);
    for (uint32_t d = 0; d < 2; d++) {
        uint32_t x = d + ra >= 4 ? a4[d] : 1, z = d + rb >= 4 ? b4[d] : 1;
        y4[d] = x == 1 ? z : x;
    }
    y4[2] = m;
    y4[3] = n;
    uint32_t ry = ra > rb ? ra : rb;
    mst_node *node = add_node(g, MST_OP_MATMUL, INPUTS(a, b), ry, y4 + 4 - ry);
    node->ip[MST_MATMUL_TRANS_B] = trans;
    node->fp[MST_MATMUL_ALPHA] = rng_f(&r, 0.05f, 1);
    finish(g, &r);
}

static void case_affine(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x;
    mst_graph *g = random_start(&r, rank, &x);
    uint32_t axis = rng_below(&r, rank), c = g->tensors[x].dims[axis];
    uint32_t gain = add_random(g, &r, DIMS(rng_below(&r, 2) != 0 ? c : 1), -2, 2);
    uint32_t shift = add_random(g, &r, DIMS(rng_below(&r, 2) != 0 ? c : 1), -2, 2);
    add_like(g, MST_OP_AFFINE, INPUTS(x, gain, shift))->ip[MST_AFFINE_AXIS] = (int32_t)axis;
    finish(g, &r);
}

static void case_binary(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), rb = rng_in(&r, 1, 4), x, bd[4], yd[4];
    mst_graph *g = random_start(&r, rank, &x);
    uint32_t ry = rank > rb ? rank : rb;
    const mst_tensor t = g->tensors[x];
    for (uint32_t d = 0; d < ry; d++) { /* d counts from the last axis */
        uint32_t xd = d < rank ? t.dims[rank - 1 - d] : 1;
        uint32_t z = xd == 1 ? rng_in(&r, 1, 4) : rng_below(&r, 2) != 0 ? 1
                                                                        : xd;
        if (d < rb)
            bd[rb - 1 - d] = z;
        yd[ry - 1 - d] = xd != 1 || d >= rb ? xd : z;
    }
    uint32_t b = add_random(g, &r, rb, bd, -1, 2), in[2] = {x, b};
    if (rng_below(&r, 2) != 0)
        in[0] = b, in[1] = x;
    add_node(g, MST_OP_BINARY, 2, in, ry, yd)->ip[MST_BINARY_FN] = seed % MST_BIN_COUNT;
    finish(g, &r);
}

/* A pool's node, but for FN and COUNT_PAD. In turn of spikes, of one theta or one a channel, or of anything. */
static mst_node *add_pool(mst_graph **out, rng *r, mst_op op, bool spikes)
{
    uint32_t size[2], to[2], kernel[2];
    int32_t window[8];
    for (int i = 0; i < 2; i++) {
        random_axis(r, &size[i], &to[i], &kernel[i], &window[2 + i], &window[4 + i], &window[6 + i]);
        window[i] = (int32_t)kernel[i];
    }
    uint32_t c = rng_in(r, 1, 20);
    mst_graph *g = *out = graph_with_input(DIMS(rng_in(r, 1, 2), size[0], size[1], c));
    uint32_t x = g->input;
    while (x == g->input) {
        x = maybe_spikes(g, r, x);
        if (!spikes)
            break;
    }
    mst_node *n = add_node(g, op, INPUTS(x), DIMS(g->tensors[x].dims[0], to[0], to[1], c));
    memcpy(&n->ip[op == MST_OP_POOL ? MST_POOL_KERNEL : MST_RATE_POOL_KERNEL], window, sizeof window);
    return n;
}

static void case_rate_pool(int seed)
{
    rng r = {(uint64_t)seed};
    mst_graph *g;
    add_pool(&g, &r, MST_OP_RATE_POOL, true);
    finish(g, &r);
}

static void case_pool(int seed)
{
    rng r = {(uint64_t)seed};
    mst_graph *g;
    mst_node *n = add_pool(&g, &r, MST_OP_POOL, false);
    n->ip[MST_POOL_FN] = rng_below(&r, 2) != 0 ? MST_RED_MEAN : MST_RED_MAX;
    n->ip[MST_POOL_COUNT_PAD] = rng_below(&r, 2) != 0;
    finish(g, &r);
}

static void case_reduce(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), x, dims[4], n_dims = 0;
    mst_graph *g = random_start(&r, rank, &x);
    uint32_t axes = rng_in(&r, 1, (1u << rank) - 1);
    bool keep = rng_below(&r, 2) != 0;
    for (uint32_t d = 0; d < rank; d++) {
        if ((axes >> d & 1) == 0)
            dims[n_dims++] = g->tensors[x].dims[d];
        else if (keep)
            dims[n_dims++] = 1;
    }
    mst_node *n = add_node(g, MST_OP_REDUCE, INPUTS(x), n_dims, dims);
    n->ip[MST_REDUCE_FN] = seed % MST_RED_COUNT;
    n->ip[MST_REDUCE_AXES] = (int32_t)axes;
    finish(g, &r);
}

static void case_clip(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t x;
    mst_graph *g = random_start(&r, rng_in(&r, 1, 4), &x);
    mst_node *n = add_like(g, MST_OP_CLIP, INPUTS(x));
    n->fp[MST_CLIP_LO] = rng_below(&r, 2) != 0 ? 0.0f : -INFINITY;
    n->fp[MST_CLIP_HI] = rng_below(&r, 2) != 0 ? 0.4f : INFINITY;
    finish(g, &r);
}

/* The naive formulas differ in the last bits of float64: a few results may round
 * the other way, none may be further away. */
static void case_unary(int seed)
{
    rng r = {(uint64_t)seed};
    enum { N = 2000 };
    static float x[N];
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_graph *g = graph_with_input(DIMS(N));
    add_like(g, MST_OP_UNARY, INPUTS(g->input))->ip[MST_UNARY_FN] = seed;
    rng_fill(&r, x, N, 0.95f, -6, 6);
    OK(mst_program_create(g, NULL, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_begin(s, x, 0);
    mst_session_step(s);
    const float *y = mst_session_logits(s, MST_LAST);
    size_t off = 0;
    for (size_t i = 0; i < N; i++) {
        float want = naive_unary(seed, x[i]);
        ck_assert_msg((isnan(y[i]) && isnan(want)) || y[i] == want ||
                          fabsf(y[i] - want) <= 2e-7f * fabsf(want) + 1e-37f,
                      "%s(%.9g) = %.9g, expected %.9g", mst_unary_name(seed), (double)x[i], (double)y[i],
                      (double)want);
        off += !(isnan(want) || y[i] == want);
    }
    ck_assert_uint_le(off, N / 100);
    mst_session_destroy(s);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}

static void case_softmax(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t x, rank = rng_in(&r, 1, 4);
    mst_graph *g = random_start(&r, rank, &x);
    add_like(g, MST_OP_SOFTMAX, INPUTS(x))->ip[MST_SOFTMAX_AXIS] = (int32_t)rng_below(&r, rank);
    finish(g, &r);
}

static void case_layernorm(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t x, rank = rng_in(&r, 1, 4);
    mst_graph *g = random_start(&r, rank, &x);
    uint32_t c = g->tensors[x].dims[rank - 1];
    uint32_t gain = rng_below(&r, 2) != 0 ? add_random(g, &r, DIMS(c), -1, 1) : MST_NONE;
    uint32_t shift = rng_below(&r, 2) != 0 ? add_random(g, &r, DIMS(c), -1, 1) : MST_NONE;
    add_like(g, MST_OP_LAYERNORM, INPUTS(x, gain, shift))->fp[MST_LAYERNORM_EPS] = 1e-5f;
    finish(g, &r);
}

static void case_neuron(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t rank = rng_in(&r, 1, 4), dims[4];
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = rng_in(&r, 1, d == rank - 1 ? 40 : 5);
    mst_graph *g = graph_with_input(rank, dims);
    uint32_t axis = rng_below(&r, rank), c = dims[axis], in[4];
    in[0] = g->input;
    in[1] = add_random(g, &r, DIMS(rng_below(&r, 2) != 0 ? c : 1), 0.3f, 1.5f);
    in[2] = add_random(g, &r, DIMS(rng_below(&r, 2) != 0 ? c : 1), 0.2f, 2);
    in[3] = add_random(g, &r, DIMS(rng_below(&r, 2) != 0 ? c : 1), -0.2f, 0.2f);
    mst_node *n = add_like(g, MST_OP_NEURON, rng_below(&r, 2) != 0 ? 4 : 2, in);
    n->ip[MST_NEURON_AXIS] = (int32_t)axis;
    n->ip[MST_NEURON_LEVELS] = (int32_t)rng_in(&r, 1, 16);
    n->ip[MST_NEURON_EVEN] = rng_below(&r, 2) != 0;
    n->fp[MST_NEURON_SHIFT] = n->ip[MST_NEURON_EVEN] != 0 ? 0.5f : rng_f(&r, 0, 1);
    if (rng_below(&r, 2) != 0)
        add_mask(g, g->output, 0, rng_f(&r, 0, 0.99f));
    finish(g, &r);
}

/* Random graphs of same-shaped tensors: lifetimes, aliases, static nodes, masks. */
static void case_random_graph(int seed)
{
    rng r = {(uint64_t)seed};
    uint32_t c = rng_in(&r, 1, 24), shape[2] = {rng_in(&r, 1, 5), c}, made[40], n = 1, masks = 0;
    mst_graph *g = graph_with_input(2, shape);
    made[0] = g->input;
    while (n < 40) {
        uint32_t x = made[rng_below(&r, n)], y = made[n - 1 - rng_below(&r, n < 4 ? n : 4)];
        switch (rng_below(&r, 7)) {
        case 0: add_like(g, MST_OP_RESHAPE, INPUTS(x)); break;
        case 1: add_like(g, MST_OP_BINARY, INPUTS(x, y))->ip[MST_BINARY_FN] = (int)rng_below(&r, 3); break;
        case 2: add_like(g, MST_OP_LINEAR, INPUTS(x, add_random(g, &r, DIMS(c, c), -0.6f, 0.6f))); break;
        case 3: add_neuron(g, x, add_value(g, rng_f(&r, 0.2f, 1)), 0.5f); break;
        case 4: add_mask(g, add_neuron(g, y, add_value(g, 0.5f), 0.5f), (int32_t)masks++, 0.5f); break;
        case 5: add_like(g, MST_OP_CLIP, INPUTS(y))->fp[MST_CLIP_HI] = 2; break;
        default: add_like(g, MST_OP_SOFTMAX, INPUTS(y))->ip[MST_SOFTMAX_AXIS] = 1; break;
        }
        made[n++] = g->output;
    }
    g->output = made[rng_below(&r, n)];
    finish(g, &r);
}

static const struct {
    void (*run)(int seed);
    int seeds;
} cases[] = {
    {case_transpose, 20},
    {case_slice, 30},
    {case_concat, 20},
    {case_gather, 20},
    {case_pad, 20},
    {case_expand, 20},
    {case_linear, 120},
    {case_dense, 60},
    {case_conv, 240},
    {case_matmul, 100},
    {case_affine, 20},
    {case_binary, 6 * MST_BIN_COUNT},
    {case_pool, 40},
    {case_rate_pool, 40},
    {case_reduce, 12 * MST_RED_COUNT},
    {case_clip, 10},
    {case_unary, MST_UN_COUNT},
    {case_softmax, 10},
    {case_layernorm, 20},
    {case_neuron, 50},
    {case_random_graph, 60},
};

START_TEST(equals_naive)
{
    for (current_seed = 0; current_seed < cases[_i].seeds; current_seed++)
        cases[_i].run(current_seed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operators");
    TCase *tc = tcase_create("against the naive reference");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, equals_naive, 0, (int)(sizeof cases / sizeof cases[0]));
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}
