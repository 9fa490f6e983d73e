/* Graphs for tests, built by hand. Knows nothing of files or execution. */
#include "tests/support/sample_graphs.h"

#include <math.h>
#include <stdarg.h>

typedef struct builder {
    mst_graph *g;
    mst_status st;
    mst_err *err;
    uint64_t rng;
} builder;

uint64_t sample_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(builder *b, uint32_t n)
{
    return (uint32_t)(sample_next(&b->rng) >> 32) % n;
}

/* in [-scale, scale), a multiple of scale/128: few bits, so that sums of it often tie */
static float value(builder *b, float scale)
{
    return ((float)below(b, 256) - 128.0f) / 128.0f * scale;
}

#define SHAPE(...) \
    (uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)), (const uint32_t[]) { __VA_ARGS__ }
#define IDS(...) \
    (uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)), (const uint32_t[]) { __VA_ARGS__ }

static uint32_t tensor(builder *b, const char *name, uint32_t rank, const uint32_t *dims, const void *data,
                       mst_dtype dtype)
{
    uint32_t id = 0;
    if (b->st == MST_OK)
        b->st = mst_graph_add_tensor(b->g, name, dtype, rank, dims, data, &id, b->err);
    return id;
}

/* Constant of values around 0 (scale > 0) or all equal to fill (scale 0). */
static uint32_t constant(builder *b, const char *name, float scale, float fill, uint32_t rank, const uint32_t *dims)
{
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        n *= dims[d];
    float *v = mst_arena_array(&b->g->arena, n, sizeof *v);
    if (v == NULL && b->st == MST_OK)
        b->st = mst_fail(b->err, MST_ENOMEM, "out of memory: sample constant");
    for (size_t i = 0; v != NULL && i < n; i++)
        v[i] = scale > 0 ? value(b, scale) : fill;
    return tensor(b, name, rank, dims, v, MST_F32);
}

static uint32_t index_constant(builder *b, const char *name, uint32_t n, uint32_t limit)
{
    int32_t *v = mst_arena_array(&b->g->arena, n, sizeof *v);
    if (v == NULL && b->st == MST_OK)
        b->st = mst_fail(b->err, MST_ENOMEM, "out of memory: sample constant");
    for (uint32_t i = 0; v != NULL && i < n; i++)
        v[i] = (int32_t)below(b, limit);
    return tensor(b, name, 1, &n, v, MST_I32);
}

/* A node that makes a new tensor of the given shape; its n_ip parameters follow. */
static uint32_t node(builder *b, mst_op op, const char *name, uint32_t n_in, const uint32_t *in, uint32_t rank,
                     const uint32_t *dims, int n_ip, ...)
{
    uint32_t out = tensor(b, name, rank, dims, NULL, MST_F32);
    mst_node *n = NULL;
    if (b->st == MST_OK)
        b->st = mst_graph_add_node(b->g, op, name, n_in, in, out, &n, b->err);
    va_list args;
    va_start(args, n_ip);
    for (int i = 0; i < n_ip; i++) {
        int v = va_arg(args, int);
        if (n != NULL)
            n->ip[i] = v;
    }
    va_end(args);
    return out;
}

static void set_fp(builder *b, float first, float second)
{
    if (b->st != MST_OK)
        return;
    b->g->nodes[b->g->n_nodes - 1].fp[0] = first;
    b->g->nodes[b->g->n_nodes - 1].fp[1] = second;
}

static mst_status start(builder *b, const mst_allocator *alloc, uint64_t seed, mst_err *err)
{
    *b = (builder){.err = err, .rng = seed};
    return b->st = mst_graph_create(alloc, &b->g, err);
}

static mst_status finish(builder *b, uint32_t input, uint32_t output, mst_graph **out)
{
    b->g->input = input;
    b->g->output = output;
    if (b->st == MST_OK)
        b->st = mst_graph_validate(b->g, b->err);
    if (b->st != MST_OK) {
        mst_graph_destroy(b->g);
        return b->st;
    }
    *out = b->g;
    return MST_OK;
}

static void set_classes(builder *b, const char *const *names, uint32_t n)
{
    mst_meta *m = &b->g->meta;
    m->class_names = mst_arena_copy(&b->g->arena, names, n * sizeof *names);
    m->n_classes = m->class_names != NULL ? n : 0;
    if (m->class_names == NULL && b->st == MST_OK)
        b->st = mst_fail(b->err, MST_ENOMEM, "out of memory: sample class names");
}

mst_status sample_tiny(const mst_allocator *alloc, mst_graph **out, mst_err *err)
{
    builder b;
    MST_TRY(start(&b, alloc, 1, err));
    uint32_t x = tensor(&b, "x", SHAPE(1, 1, 2, 2), NULL, MST_F32);
    uint32_t r = node(&b, MST_OP_RESHAPE, "flat", IDS(x), SHAPE(1, 4), 0);
    uint32_t w1 = constant(&b, "w1", 1, 0, SHAPE(4, 3)), w2 = constant(&b, "w2", 1, 0, SHAPE(3, 2));
    uint32_t h = node(&b, MST_OP_LINEAR, "fc1", IDS(r, w1), SHAPE(1, 3), 0);
    uint32_t theta = constant(&b, "theta", 0, 0.75f, SHAPE(1));
    uint32_t s = node(&b, MST_OP_NEURON, "if1", IDS(h, theta), SHAPE(1, 3), 6, 1, 8, 0, 0, -1, -1);
    set_fp(&b, 0.5f, 0);
    uint32_t y = node(&b, MST_OP_LINEAR, "fc2", IDS(s, w2), SHAPE(1, 2), 0);
    b.g->meta.producer = "sample";
    return finish(&b, x, y, out);
}

/* [1,2,6,6] -> spikes [1,9,8] */
static uint32_t every_op_stem(builder *b, uint32_t x)
{
    uint32_t t = node(b, MST_OP_TRANSPOSE, "to_last", IDS(x), SHAPE(1, 6, 6, 2), 4, 0, 2, 3, 1);
    t = node(b, MST_OP_PAD, "pad", IDS(t), SHAPE(1, 8, 8, 2), 3, 0, 1, 1);
    uint32_t w = constant(b, "conv.w", 0.5f, 0, SHAPE(3, 3, 2, 4)), bias = constant(b, "conv.b", 0.25f, 0, SHAPE(4));
    t = node(b, MST_OP_CONV, "conv", IDS(t, w, bias), SHAPE(1, 6, 6, 4), 7, 1, 1, 0, 0, 1, 1, 1);
    uint32_t theta = constant(b, "conv.theta", 0, 0.5f, SHAPE(4)), gain = constant(b, "gain", 0, 1.25f, SHAPE(1));
    uint32_t beta = constant(b, "beta", 0.25f, 0, SHAPE(4));
    t = node(b, MST_OP_NEURON, "conv_if", IDS(t, theta, gain, beta), SHAPE(1, 6, 6, 4), 6, 3, 16, 0, MST_SITE_CONV, 0,
             0);
    set_fp(b, 0.5f, 0);
    t = node(b, MST_OP_MASK, "conv_mask", IDS(t), SHAPE(1, 6, 6, 4), 4, MST_SITE_CONV, 0, 0, 7);
    set_fp(b, 0.25f, -1);
    t = node(b, MST_OP_RATE_POOL, "rate_pool", IDS(t), SHAPE(1, 6, 6, 4), 8, 3, 3, 1, 1, 1, 1, 1, 1);
    uint32_t w2 = constant(b, "group.w", 0.5f, 0, SHAPE(1, 1, 2, 4));
    t = node(b, MST_OP_CONV, "group_conv", IDS(t, w2), SHAPE(1, 6, 6, 4), 7, 1, 1, 0, 0, 1, 1, 2);
    t = node(b, MST_OP_POOL, "max_pool", IDS(t), SHAPE(1, 3, 3, 4), 9, MST_RED_MAX, 2, 2, 2, 2, 0, 0, 1, 1);
    t = node(b, MST_OP_POOL, "mean_pool", IDS(t), SHAPE(1, 3, 3, 4), 10, MST_RED_MEAN, 3, 3, 1, 1, 1, 1, 1, 1, 0);
    t = node(b, MST_OP_RESHAPE, "tokens", IDS(t), SHAPE(1, 9, 4), 0);
    uint32_t wq = constant(b, "q.w", 1, 0, SHAPE(4, 8)), bq = constant(b, "q.b", 0.5f, 0, SHAPE(8));
    t = node(b, MST_OP_LINEAR, "q", IDS(t, wq, bq), SHAPE(1, 9, 8), 0);
    uint32_t g = constant(b, "bn.g", 0, 1.5f, SHAPE(8)), h = constant(b, "bn.h", 0.25f, 0, SHAPE(8));
    t = node(b, MST_OP_AFFINE, "bn", IDS(t, g, h), SHAPE(1, 9, 8), 1, 2);
    uint32_t one = constant(b, "q.theta", 0, 0.375f, SHAPE(1));
    t = node(b, MST_OP_NEURON, "q_if", IDS(t, one), SHAPE(1, 9, 8), 6, 2, 16, 0, MST_SITE_Q, 0, 0);
    set_fp(b, 0.5f, 0);
    return t;
}

/* spikes [1,9,8] -> analog [1,9,9] */
static uint32_t every_op_attention(builder *b, uint32_t s)
{
    uint32_t a =
        node(b, MST_OP_SLICE, "front", IDS(s), SHAPE(1, 9, 4), 16, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0);
    uint32_t r =
        node(b, MST_OP_SLICE, "back", IDS(s), SHAPE(1, 9, 4), 16, 0, 0, 7, 0, 0, 0, 0, 0, 1, 1, -1, 0, 0, 0, 0, 0);
    uint32_t k = node(b, MST_OP_CONCAT, "cat", IDS(r, a), SHAPE(1, 9, 8), 1, 2);
    uint32_t p = node(b, MST_OP_MATMUL, "qk", IDS(s, k), SHAPE(1, 9, 9), 1, 1);
    set_fp(b, 0.35355338f, 0);
    uint32_t bias = constant(b, "position_bias", 0.5f, 0, SHAPE(9, 9));
    p = node(b, MST_OP_BINARY, "add_bias", IDS(p, bias), SHAPE(1, 9, 9), 1, MST_BIN_ADD);
    p = node(b, MST_OP_SOFTMAX, "softmax", IDS(p), SHAPE(1, 9, 9), 1, 2);
    uint32_t v = node(b, MST_OP_MATMUL, "av", IDS(p, s), SHAPE(1, 9, 8), 1, 0);
    set_fp(b, 1, 0);
    uint32_t g = constant(b, "ln.g", 0, 0.75f, SHAPE(8)), h = constant(b, "ln.h", 0.25f, 0, SHAPE(8));
    v = node(b, MST_OP_LAYERNORM, "ln", IDS(v, g, MST_NONE), SHAPE(1, 9, 8), 0);
    set_fp(b, 1e-5f, 0);
    v = node(b, MST_OP_LAYERNORM, "ln2", IDS(v, MST_NONE, h), SHAPE(1, 9, 8), 0);
    set_fp(b, 1e-5f, 0);
    return node(b, MST_OP_MATMUL, "vv", IDS(v, v), SHAPE(1, 9, 9), 1, 1);
}

mst_status sample_every_op(const mst_allocator *alloc, mst_graph **out, mst_err *err)
{
    static const char *const classes[3] = {"zero", "\xc3\xa9t\xc3\xa9", "two"};
    builder b;
    MST_TRY(start(&b, alloc, 2, err));
    uint32_t x = tensor(&b, "image", SHAPE(1, 2, 6, 6), NULL, MST_F32);
    uint32_t t = every_op_attention(&b, every_op_stem(&b, x));
    set_fp(&b, 0.125f, 0); /* of "vv" */
    t = node(&b, MST_OP_CLIP, "relu", IDS(t), SHAPE(1, 9, 9), 0);
    set_fp(&b, 0, INFINITY);
    t = node(&b, MST_OP_UNARY, "sqrt", IDS(t), SHAPE(1, 9, 9), 1, MST_UN_SQRT);
    t = node(&b, MST_OP_GATHER, "pick", IDS(t, index_constant(&b, "picked", 5, 9)), SHAPE(1, 5, 9), 1, 1);
    t = node(&b, MST_OP_REDUCE, "mean", IDS(t), SHAPE(1, 1, 9), 2, MST_RED_MEAN, 2);
    t = node(&b, MST_OP_EXPAND, "expand", IDS(t), SHAPE(2, 3, 9), 0);
    t = node(&b, MST_OP_REDUCE, "sum", IDS(t), SHAPE(1, 9), 2, MST_RED_SUM, 3);
    uint32_t w = constant(&b, "head.w", 1, 0, SHAPE(9, 3));
    t = node(&b, MST_OP_LINEAR, "head", IDS(t, w), SHAPE(1, 3), 0);
    mst_meta *m = &b.g->meta;
    m->timesteps = 32;
    m->seed = 0x0123456789abcdefu;
    m->n_norm = 2;
    m->mean[0] = 0.5f, m->mean[1] = 0.25f, m->std[0] = 0.25f, m->std[1] = 0.125f;
    m->prepare = (mst_prepare){.resize = 8,
                               .crop_height = 6,
                               .crop_width = 6,
                               .interpolation = MST_BILINEAR,
                               .frames = 1,
                               .split = MST_SPLIT_TIME,
                               .present = MST_PRESENT_STEPS};
    for (int i = 0; i < 32; i++)
        m->source_sha256[i] = (uint8_t)(7 * i);
    m->source_name = "every-op.onnx";
    m->producer = "sample";
    set_classes(&b, classes, 3);
    return finish(&b, x, t, out);
}

static const char *random_name(builder *b)
{
    static const char *const parts[] = {"/blocks", ".0", "attn", "\xce\xb8", "\xf0\x9f\xa6\x8a", " ", "proj", ""};
    const char *name = mst_arena_printf(&b->g->arena, "%s%s%s%u", parts[below(b, 8)], parts[below(b, 8)],
                                        parts[below(b, 8)], (unsigned)below(b, 50));
    return name != NULL ? name : "";
}

/* One random operator over t, [1,n,c]; the shape may change. */
static uint32_t random_node(builder *b, uint32_t t, uint32_t *n, uint32_t *c, int index)
{
    const char *name = random_name(b);
    uint32_t out = 1 + below(b, 40), swap = *n;
    switch (below(b, 9)) {
    case 0:
        *n = *c, *c = swap;
        return node(b, MST_OP_TRANSPOSE, name, IDS(t), SHAPE(1, *n, *c), 3, 0, 2, 1);
    case 1: {
        uint32_t w = constant(b, random_name(b), 1, 0, SHAPE(*c, out));
        uint32_t bias = below(b, 2) != 0 ? constant(b, "", 1, 0, SHAPE(out)) : MST_NONE;
        *c = out;
        return node(b, MST_OP_LINEAR, name, IDS(t, w, bias), SHAPE(1, *n, *c), 0);
    }
    case 2: {
        uint32_t theta = constant(b, "", 0, 0.5f + (float)below(b, 8), SHAPE(1));
        t = node(b, MST_OP_NEURON, name, IDS(t, theta), SHAPE(1, *n, *c), 8, 2, 1 + (int)below(b, 32), 0,
                 (int)below(b, MST_SITE_COUNT), (int)below(b, 4) - 1, (int)below(b, 9) - 1, 0, index % 2);
        set_fp(b, 0.5f, 0);
        t = node(b, MST_OP_MASK, name, IDS(t), SHAPE(1, *n, *c), 4, 0, -1, -1, index);
        set_fp(b, (float)below(b, 4) / 4, below(b, 2) != 0 ? -1 : 0.5f);
        return t;
    }
    case 3: {
        uint32_t other = constant(b, random_name(b), 2, 0, SHAPE(*n, 1));
        return node(b, MST_OP_BINARY, name, IDS(t, other), SHAPE(1, *n, *c), 1, (int)below(b, 3));
    }
    case 4:
        t = node(b, MST_OP_CONCAT, name, IDS(t, t), SHAPE(1, *n, 2 * *c), 1, 2);
        *c *= 2;
        return t;
    case 5:
        t = node(b, MST_OP_MATMUL, name, IDS(t, t), SHAPE(1, *n, *n), 1, 1);
        set_fp(b, value(b, 1), 0);
        *c = *n;
        return t;
    case 6: {
        uint32_t idx = index_constant(b, "", out, *n);
        *n = out;
        return node(b, MST_OP_GATHER, name, IDS(t, idx), SHAPE(1, *n, *c), 1, 1);
    }
    case 7:
        t = node(b, MST_OP_CLIP, name, IDS(t), SHAPE(1, *n, *c), 0);
        set_fp(b, -INFINITY, value(b, 4));
        return t;
    default:
        return node(b, MST_OP_UNARY, name, IDS(t), SHAPE(1, *n, *c), 1, (int)below(b, 5));
    }
}

/* v(0) of a neuron; values are such that v(0) often is theta, or above. */
static bool tune_neuron(mst_graph *g, uint32_t node, builder *b, mst_tuned *out)
{
    const mst_tensor *y = &g->tensors[g->nodes[node].out];
    *out = (mst_tuned){.node = node, .axes = below(b, 1u << y->rank), .n = 1};
    for (uint32_t d = 0; d < y->rank; d++)
        out->n *= (out->axes >> d & 1) != 0 ? y->dims[d] : 1;
    float *first = mst_arena_array(&g->arena, out->n, sizeof *first);
    for (uint32_t i = 0; first != NULL && i < out->n; i++)
        first[i] = value(b, 2);
    out->first = first;
    return first != NULL;
}

mst_status sample_tune(mst_graph *g, uint64_t seed, mst_err *err)
{
    builder b = {.rng = seed};
    mst_tuned *layers = mst_arena_array(&g->arena, g->n_nodes, sizeof *layers);
    uint32_t n = 0;
    bool fine = layers != NULL;
    for (uint32_t i = 0; fine && i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON && below(&b, 2) != 0)
            fine = tune_neuron(g, i, &b, &layers[n++]);
    uint32_t steps = 1 + below(&b, 8);
    g->tuning = (mst_tuning){steps, 1 + below(&b, steps), n, layers};
    return fine ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory: sample tuning");
}

mst_status sample_random(const mst_allocator *alloc, uint64_t seed, mst_graph **out, mst_err *err)
{
    builder b;
    MST_TRY(start(&b, alloc, seed, err));
    uint32_t n = 1 + below(&b, 9), c = 1 + below(&b, 9);
    uint32_t x = tensor(&b, random_name(&b), SHAPE(1, 1, n, c), NULL, MST_F32);
    uint32_t t = node(&b, MST_OP_RESHAPE, random_name(&b), IDS(x), SHAPE(1, n, c), 0);
    int steps = (int)below(&b, 40);
    for (int i = 0; i < steps; i++)
        t = n * c < 4000 ? random_node(&b, t, &n, &c, i) : node(&b, MST_OP_UNARY, "", IDS(t), SHAPE(1, n, c), 1, 0);
    mst_meta *m = &b.g->meta;
    m->timesteps = 1 + below(&b, MST_MAX_TIMESTEPS);
    m->seed = sample_next(&b.rng);
    m->n_norm = below(&b, MST_MAX_CHANNELS + 1);
    for (uint32_t i = 0; i < m->n_norm; i++)
        m->mean[i] = value(&b, 1), m->std[i] = value(&b, 1) + 1.5f;
    m->prepare.resize = below(&b, MST_MAX_SIDE + 1);
    m->prepare.crop_height = below(&b, 2) * 9;
    m->prepare.crop_width = m->prepare.crop_height;
    m->prepare.frames = below(&b, MST_MAX_FRAMES + 1);
    m->prepare.interpolation = (mst_interpolation)below(&b, MST_INTERPOLATION_COUNT);
    m->prepare.split = (mst_split)below(&b, MST_SPLIT_COUNT);
    m->prepare.present = (mst_present)below(&b, MST_PRESENT_COUNT);
    m->source_name = random_name(&b);
    m->producer = random_name(&b);
    const char *classes[3] = {random_name(&b), random_name(&b), random_name(&b)};
    set_classes(&b, classes, below(&b, 4));
    if (b.st == MST_OK && seed % 2 == 1)
        b.st = sample_tune(b.g, seed, err);
    return finish(&b, x, t, out);
}
