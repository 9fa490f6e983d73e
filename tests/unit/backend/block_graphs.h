/* Random networks in the shapes that the block schedule treats specially: layers,
 * residual streams, windows and heads, products of spikes, masks, convolutions. */
#ifndef TEST_BLOCK_GRAPHS_H
#define TEST_BLOCK_GRAPHS_H

#include "tests/unit/session/session_graphs.h"

/* The network being built: x is [tokens][channels]. */
typedef struct net {
    mst_graph *g;
    rng r;
    uint32_t x, tokens, channels, before; /* before: an earlier tensor of the same shape, or MST_NONE */
    int32_t masks;
} net;

static inline float net_bias(rng *r) { return rng_f(r, -0.2f, 0.4f); }

static inline uint32_t net_neuron(net *n, uint32_t x)
{
    const mst_tensor t = n->g->tensors[x];
    uint32_t last = t.dims[t.rank - 1], theta = add_value(n->g, rng_f(&n->r, 0.4f, 2.0f));
    if (rng_below(&n->r, 8) == 0)
        theta = add_random(n->g, &n->r, DIMS(last), 0.4f, 2.0f);
    if (rng_below(&n->r, 8) == 0) /* nearly all fire: layers behind it go through all inputs */
        theta = add_value(n->g, 0.01f);
    mst_node *q;
    if (rng_below(&n->r, 3) == 0) {
        uint32_t gain = add_random(n->g, &n->r, DIMS(last), 0.5f, 1.5f),
                 bias = add_random(n->g, &n->r, DIMS(last), -0.1f, 0.4f);
        q = add_like(n->g, MST_OP_NEURON, INPUTS(x, theta, gain, bias));
    } else {
        q = add_like(n->g, MST_OP_NEURON, INPUTS(x, theta));
    }
    q->ip[MST_NEURON_AXIS] = (int32_t)t.rank - 1;
    q->ip[MST_NEURON_LEVELS] = 4;
    q->ip[MST_NEURON_STAGE] = q->ip[MST_NEURON_BLOCK] = -1;
    q->fp[MST_NEURON_SHIFT] = 0.5f;
    uint32_t y = n->g->output;
    return rng_below(&n->r, 3) == 0 ? add_mask(n->g, y, ++n->masks, rng_f(&n->r, 0.0f, 0.9f)) : y;
}

static inline uint32_t net_linear(net *n, uint32_t x, uint32_t out)
{
    const mst_tensor t = n->g->tensors[x];
    uint32_t in = t.dims[t.rank - 1], dims[MST_MAX_RANK];
    memcpy(dims, t.dims, sizeof dims);
    dims[t.rank - 1] = out;
    uint32_t w = add_random(n->g, &n->r, DIMS(in, out), -0.6f, 0.8f);
    if (rng_below(&n->r, 4) == 0)
        add_node(n->g, MST_OP_LINEAR, INPUTS(x, w), t.rank, dims);
    else
        add_node(n->g, MST_OP_LINEAR, INPUTS(x, w, add_random(n->g, &n->r, DIMS(out), -0.2f, 0.4f)), t.rank,
                 dims);
    return n->g->output;
}

static inline uint32_t net_add(net *n, uint32_t a, uint32_t b)
{
    add_like(n->g, MST_OP_BINARY, INPUTS(a, b))->ip[MST_BINARY_FN] = MST_BIN_ADD;
    return n->g->output;
}

/* perm of a rank-4 tensor */
static inline uint32_t net_transpose(net *n, uint32_t x, const uint32_t perm[4])
{
    const mst_tensor t = n->g->tensors[x];
    mst_node *q = add_node(n->g, MST_OP_TRANSPOSE, INPUTS(x),
                           DIMS(t.dims[perm[0]], t.dims[perm[1]], t.dims[perm[2]], t.dims[perm[3]]));
    for (int i = 0; i < 4; i++)
        q->ip[MST_TRANSPOSE_PERM + i] = (int32_t)perm[i];
    return n->g->output;
}

/* Tokens from `at` on first, then the others: a cyclic shift, in three nodes. */
static inline uint32_t net_roll(net *n, uint32_t x, uint32_t at)
{
    uint32_t part[2], size[2] = {n->tokens - at, at}, from[2] = {at, 0};
    for (int i = 0; i < 2; i++) {
        mst_node *q = add_node(n->g, MST_OP_SLICE, INPUTS(x), DIMS(size[i], n->channels));
        q->ip[MST_SLICE_START] = (int32_t)from[i];
        q->ip[MST_SLICE_STEP] = q->ip[MST_SLICE_STEP + 1] = 1;
        part[i] = n->g->output;
    }
    add_node(n->g, MST_OP_CONCAT, INPUTS(part[0], part[1]), DIMS(n->tokens, n->channels));
    return n->g->output;
}

static inline uint32_t net_heads(net *n, uint32_t x, uint32_t windows, uint32_t heads, bool neuron_last)
{
    static const uint32_t perm[4] = {0, 2, 1, 3};
    if (!neuron_last)
        x = net_neuron(n, x);
    x = net_transpose(n, reshape_to(n->g, x, DIMS(windows, n->tokens / windows, heads, n->channels / heads)),
                      perm);
    return neuron_last ? net_neuron(n, x) : x;
}

static inline uint32_t net_product(net *n, uint32_t a, uint32_t b, bool trans_b)
{
    const mst_tensor x = n->g->tensors[a], y = n->g->tensors[b];
    mst_node *q = add_node(n->g, MST_OP_MATMUL, INPUTS(a, b),
                           DIMS(x.dims[0], x.dims[1], x.dims[2], trans_b ? y.dims[2] : y.dims[3]));
    q->ip[MST_MATMUL_TRANS_B] = trans_b;
    q->fp[MST_MATMUL_ALPHA] = rng_f(&n->r, 0.1f, 0.6f);
    return n->g->output;
}

static inline uint32_t divisor(rng *r, uint32_t n)
{
    uint32_t d = rng_in(r, 1, 4);
    while (n % d != 0)
        d--;
    return d;
}

/* The constants of scores [windows][heads][m][m]: of a whole one, of heads, or of windows. */
static inline uint32_t net_bias_scores(net *n, uint32_t x)
{
    const mst_tensor t = n->g->tensors[x];
    switch (rng_below(&n->r, 4)) {
    case 0: return net_add(n, x, add_random(n->g, &n->r, t.rank, t.dims, -0.3f, 0.5f));
    case 1: return net_add(n, x, add_random(n->g, &n->r, DIMS(t.dims[1], t.dims[2], t.dims[3]), -0.3f, 0.5f));
    case 2: return net_add(n, x, add_random(n->g, &n->r, DIMS(t.dims[0], 1, t.dims[2], 1), -0.3f, 0.5f));
    default: return x;
    }
}

static inline void net_attention(net *n)
{
    static const uint32_t perm[4] = {0, 2, 1, 3};
    uint32_t windows = divisor(&n->r, n->tokens), heads = divisor(&n->r, n->channels), in = n->x, part[3];
    if (rng_below(&n->r, 2) == 0 && n->tokens > 1)
        in = net_roll(n, in, rng_in(&n->r, 1, n->tokens - 1));
    for (int i = 0; i < 3; i++)
        part[i] = net_heads(n, net_linear(n, in, n->channels), windows, heads, rng_below(&n->r, 2) == 0);
    uint32_t a = net_neuron(n, net_bias_scores(n, net_product(n, part[0], part[1], true)));
    uint32_t o = net_transpose(n, net_product(n, a, part[2], false), perm);
    o = net_neuron(n, reshape_to(n->g, o, DIMS(n->tokens, n->channels)));
    n->before = n->x;
    n->x = o;
}

static inline void net_residual(net *n)
{
    if (n->before == MST_NONE)
        return;
    uint32_t sum = net_add(n, n->x, n->before);
    if (rng_below(&n->r, 4) == 0) {
        uint32_t g = add_random(n->g, &n->r, DIMS(n->channels), 0.5f, 1.5f),
                 h = add_random(n->g, &n->r, DIMS(n->channels), -0.1f, 0.1f);
        add_like(n->g, MST_OP_AFFINE, INPUTS(sum, g, h))->ip[MST_AFFINE_AXIS] = 1;
        sum = n->g->output;
    }
    n->before = sum;
    n->x = rng_below(&n->r, 3) != 0 ? net_neuron(n, sum) : sum;
}

static inline void net_layer(net *n)
{
    uint32_t out = rng_size(&n->r);
    n->x = net_linear(n, n->x, out);
    if (rng_below(&n->r, 8) != 0)
        n->x = net_neuron(n, n->x);
    n->channels = out;
    n->before = MST_NONE;
}

/* One axis of a window that fits: taps, stride, dilation, padding before; returns the outputs. */
static inline uint32_t net_axis(net *n, uint32_t size, uint32_t *taps, uint32_t *stride, uint32_t *dilation,
                                uint32_t *pad)
{
    *taps = rng_in(&n->r, 1, 4);
    *stride = rng_in(&n->r, 1, 3);
    *dilation = rng_in(&n->r, 1, 3);
    uint32_t span = (*taps - 1) * *dilation + 1, end = rng_below(&n->r, span);
    *pad = rng_below(&n->r, span);
    if (size + *pad + end < span) {
        *taps = span = 1;
        *pad = end = 0;
    }
    return (size + *pad + end - span) / *stride + 1;
}

/* Groups of the channels: one, some, or each alone. */
static inline uint32_t net_groups(net *n)
{
    uint32_t groups = rng_in(&n->r, 1, n->channels);
    switch (rng_below(&n->r, 4)) {
    case 0:
    case 1: return 1;
    case 2: return n->channels;
    default:
        while (n->channels % groups != 0)
            groups--;
        return groups;
    }
}

/* Tokens as an image, as near to a square as they go. */
static inline void net_conv(net *n)
{
    uint32_t groups = net_groups(n), h = 1, k[2], stride[2], dilation[2], pad[2], to[2];
    uint32_t out = groups * rng_in(&n->r, 1, groups > 140 ? 1 : 140 / groups + 1);
    for (uint32_t d = 1; d * d <= n->tokens; d++)
        h = n->tokens % d == 0 ? d : h;
    uint32_t size[2] = {h, n->tokens / h};
    for (int i = 0; i < 2; i++)
        to[i] = net_axis(n, size[i], &k[i], &stride[i], &dilation[i], &pad[i]);
    uint32_t x = reshape_to(n->g, n->x, DIMS(1, size[0], size[1], n->channels));
    uint32_t w = add_random(n->g, &n->r, DIMS(k[0], k[1], n->channels / groups, out), -0.5f, 0.7f);
    mst_node *q = add_node(n->g, MST_OP_CONV, INPUTS(x, w, add_random(n->g, &n->r, DIMS(out), -0.2f, 0.4f)),
                           DIMS(1, to[0], to[1], out));
    for (int i = 0; i < 2; i++) {
        q->ip[MST_CONV_STRIDE + i] = (int32_t)stride[i];
        q->ip[MST_CONV_DILATION + i] = (int32_t)dilation[i];
        q->ip[MST_CONV_PAD + i] = (int32_t)pad[i];
    }
    q->ip[MST_CONV_GROUP] = (int32_t)groups;
    n->tokens = to[0] * to[1];
    n->channels = out;
    n->before = MST_NONE;
    n->x = reshape_to(n->g, net_neuron(n, n->g->output), DIMS(n->tokens, out));
}

/* Layers of one input, of different sizes; some are not read, one is read twice. */
static inline void net_fan(net *n)
{
    uint32_t layers = rng_in(&n->r, 2, 5), in = n->x, keep = 0, channels = 0,
             twice = net_linear(n, in, n->channels);
    for (uint32_t i = 0; i < layers; i++) {
        uint32_t out = rng_below(&n->r, 3) == 0 ? rng_in(&n->r, 100, 300) : rng_size(&n->r);
        uint32_t y = net_neuron(n, net_linear(n, in, out));
        if (i == 0 || rng_below(&n->r, 2) == 0) {
            keep = y;
            channels = out;
        }
    }
    if (rng_below(&n->r, 2) == 0)
        net_neuron(n, twice);
    if (rng_below(&n->r, 3) == 0) {
        keep = net_neuron(n, net_add(n, twice, twice));
        channels = n->channels;
    }
    n->x = keep;
    n->channels = channels;
    n->before = MST_NONE;
}

static inline void net_analog(net *n)
{
    if (rng_below(&n->r, 2) == 0)
        add_like(n->g, MST_OP_SOFTMAX, INPUTS(n->x))->ip[MST_SOFTMAX_AXIS] = 1;
    else
        add_like(n->g, MST_OP_UNARY, INPUTS(n->x))->ip[MST_UNARY_FN] = MST_UN_TANH;
    n->x = n->g->output;
}

/* The mean over tokens, and three classes. */
static inline mst_graph *net_end(net *n)
{
    mst_node *q = add_node(n->g, MST_OP_REDUCE, INPUTS(n->x), DIMS(1, n->channels));
    q->ip[MST_REDUCE_FN] = MST_RED_MEAN;
    q->ip[MST_REDUCE_AXES] = 1;
    net_linear(n, n->g->output, 3);
    return n->g;
}

/* Convolutions alone, of several words of channels. */
static inline mst_graph *conv_net(uint64_t seed)
{
    net n = {.r = {seed}, .before = MST_NONE};
    n.tokens = rng_in(&n.r, 1, 40);
    n.channels = 16 * rng_in(&n.r, 4, 20);
    n.g = graph_with_input(DIMS(n.tokens, n.channels));
    n.x = net_neuron(&n, net_linear(&n, n.g->input, n.channels));
    for (uint32_t i = rng_in(&n.r, 1, 3); i != 0; i--)
        net_conv(&n);
    return net_end(&n);
}

static inline mst_graph *block_net(uint64_t seed)
{
    net n = {.r = {seed}, .before = MST_NONE};
    n.tokens = rng_below(&n.r, 3) == 0 ? rng_in(&n.r, 2, 5) * rng_in(&n.r, 2, 5) : rng_in(&n.r, 1, 7);
    n.tokens *= rng_below(&n.r, 2) == 0 ? n.tokens : 1;
    n.tokens = n.tokens > 80 ? 64 : n.tokens;
    n.channels = rng_below(&n.r, 2) == 0 ? 32 * rng_in(&n.r, 1, 4) : rng_size(&n.r);
    n.g = graph_with_input(DIMS(n.tokens, n.channels));
    n.x = net_neuron(&n, net_linear(&n, n.g->input, n.channels));
    for (uint32_t i = rng_in(&n.r, 1, 6); i != 0; i--)
        switch (rng_below(&n.r, 11)) {
        case 0:
        case 1: net_attention(&n); break;
        case 2:
        case 3:
        case 4: net_residual(&n); break;
        case 5:
        case 6: net_conv(&n); break;
        case 7:
        case 8: net_fan(&n); break;
        case 9: rng_below(&n.r, 4) == 0 ? net_analog(&n) : net_layer(&n); break;
        default: net_layer(&n);
        }
    return net_end(&n);
}

/* Run so many steps; the logits of each, and the program, which the caller frees. */
static inline mst_program *net_run(const mst_graph *g, mst_schedule schedule, const float *x, uint32_t steps,
                                   float *logits, mst_counters *c)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_err err = {0};
    mst_run_opts o = {.schedule = schedule};
    size_t classes = mst_tensor_elements(&g->tensors[g->output]);
    ck_assert_msg(mst_program_create(g, &o, &p, &err) == MST_OK, "%s", err.text);
    ck_assert_msg(mst_session_create(p, &s, &err) == MST_OK, "%s", err.text);
    mst_session_begin(s, x, 0);
    for (uint32_t t = 0, n; t < steps; t += n) {
        n = mst_session_run(s, steps - t);
        for (uint32_t i = 0; i < n; i++)
            memcpy(logits + (t + i) * classes, mst_session_logits(s, i), classes * sizeof *logits);
    }
    *c = mst_session_counters(s);
    mst_session_destroy(s);
    return p;
}

#endif
