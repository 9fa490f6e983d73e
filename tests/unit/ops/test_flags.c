/* The flags of ops.def against what operators compute. LINEAR (mst_node_is_linear): f(a) + f(b) is 2 f((a + b)/2) for
 * those that are linear but for an offset, and for no other. MOVE (mst_node_moves_spikes), mst_node_picks: what comes
 * out came in. UNIT, and each check of shapes: no other shape of the output is taken. */
#include "tests/support/run_tests.h"
#include "tests/unit/session/session_graphs.h"

enum { N = 24,
       OUT = 128 };

typedef struct one {
    mst_graph *g;
    rng r;
    uint32_t x; /* [1,2,4,3] */
} one;

static uint32_t some(one *o, uint32_t rank, const uint32_t *dims)
{
    return add_random(o->g, &o->r, rank, dims, 0.5f, 2);
}

static void add_all(one *o, mst_op op, int fn)
{
    mst_graph *g = o->g;
    mst_node *n;
    static const int32_t picked[] = {2, 0};
    uint32_t idx;
    switch (op) {
    case MST_OP_RESHAPE: add_node(g, op, INPUTS(o->x), DIMS(4, 6)); break;
    case MST_OP_TRANSPOSE:
        n = add_node(g, op, INPUTS(o->x), DIMS(1, 3, 2, 4));
        memcpy(&n->ip[MST_TRANSPOSE_PERM], (int32_t[]){0, 3, 1, 2}, 4 * sizeof(int32_t));
        break;
    case MST_OP_SLICE:
        n = add_node(g, op, INPUTS(o->x), DIMS(1, 1, 2, 3));
        memcpy(&n->ip[MST_SLICE_START], (int32_t[]){0, 1, 0, 2}, 4 * sizeof(int32_t));
        memcpy(&n->ip[MST_SLICE_STEP], (int32_t[]){1, 1, 2, -1}, 4 * sizeof(int32_t));
        break;
    case MST_OP_CONCAT: add_node(g, op, INPUTS(o->x, o->x), DIMS(1, 4, 4, 3))->ip[MST_CONCAT_AXIS] = 1; break;
    case MST_OP_GATHER:
        OK(mst_graph_add_tensor(g, "idx", MST_I32, DIMS(2), picked, &idx, &err_));
        add_node(g, op, INPUTS(o->x, idx), DIMS(1, 2, 4, 2))->ip[MST_GATHER_AXIS] = 3;
        break;
    case MST_OP_PAD:
        n = add_node(g, op, INPUTS(o->x), DIMS(1, 3, 4, 3));
        n->ip[MST_PAD_BEFORE + 1] = 1;
        n->fp[MST_PAD_VALUE] = 0.5f;
        break;
    case MST_OP_EXPAND: add_node(g, op, INPUTS(o->x), DIMS(3, 2, 4, 3)); break;
    case MST_OP_LINEAR: add_node(g, op, INPUTS(o->x, some(o, DIMS(3, 5)), some(o, DIMS(5))), DIMS(1, 2, 4, 5)); break;
    case MST_OP_CONV:
        n = add_node(g, op, INPUTS(o->x, some(o, DIMS(2, 2, 3, 4)), some(o, DIMS(4))), DIMS(1, 1, 3, 4));
        n->ip[MST_CONV_STRIDE] = n->ip[MST_CONV_STRIDE + 1] = n->ip[MST_CONV_DILATION] =
            n->ip[MST_CONV_DILATION + 1] = n->ip[MST_CONV_GROUP] = 1;
        break;
    case MST_OP_MATMUL:
        n = add_node(g, op, INPUTS(o->x, o->x), DIMS(1, 2, 4, 4));
        n->ip[MST_MATMUL_TRANS_B] = 1;
        n->fp[MST_MATMUL_ALPHA] = 1;
        break;
    case MST_OP_AFFINE:
        add_like(g, op, INPUTS(o->x, some(o, DIMS(3)), some(o, DIMS(3))))->ip[MST_AFFINE_AXIS] = 3;
        break;
    case MST_OP_POOL:
        n = add_node(g, op, INPUTS(o->x), DIMS(1, 1, 2, 3));
        n->ip[MST_POOL_FN] = fn;
        n->ip[MST_POOL_KERNEL] = n->ip[MST_POOL_KERNEL + 1] = n->ip[MST_POOL_STRIDE] = n->ip[MST_POOL_STRIDE + 1] = 2;
        n->ip[MST_POOL_DILATION] = n->ip[MST_POOL_DILATION + 1] = 1;
        break;
    case MST_OP_RATE_POOL:
        n = add_node(g, op, INPUTS(o->x), DIMS(1, 1, 2, 3));
        for (int i = 0; i < 8; i++) /* KERNEL, STRIDE: 2; PAD: 0; DILATION: 1 */
            n->ip[MST_RATE_POOL_KERNEL + i] = (int32_t[]){2, 2, 0, 1}[i / 2];
        break;
    case MST_OP_REDUCE:
        n = add_node(g, op, INPUTS(o->x), DIMS(1, 2, 3));
        n->ip[MST_REDUCE_FN] = fn;
        n->ip[MST_REDUCE_AXES] = 4;
        break;
    case MST_OP_CLIP:
        n = add_like(g, op, INPUTS(o->x));
        n->fp[MST_CLIP_HI] = 1;
        break;
    case MST_OP_UNARY: add_like(g, op, INPUTS(o->x))->ip[MST_UNARY_FN] = fn; break;
    case MST_OP_SOFTMAX: add_like(g, op, INPUTS(o->x))->ip[MST_SOFTMAX_AXIS] = 3; break;
    case MST_OP_LAYERNORM: add_like(g, op, INPUTS(o->x)); break;
    case MST_OP_NEURON: add_neuron(g, o->x, add_value(g, 0.7f), 0.5f); break;
    default: ck_abort_msg("%s is not tested", mst_op_get(op)->name);
    }
}

/* order: x and a constant, a constant and x, x and x */
static void add_binary(one *o, int fn, int order)
{
    uint32_t c = some(o, DIMS(1, 2, 4, 3));
    add_like(o->g, MST_OP_BINARY, INPUTS(order == 1 ? c : o->x, order == 0 ? c : o->x))->ip[MST_BINARY_FN] = fn;
}

static void compute(const mst_graph *g, const float *x, float *y)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_run_opts o = {.mode = MST_RUN_FLOAT};
    OK(mst_program_create(g, &o, &p, &err_));
    OK(mst_session_create(p, &s, &err_));
    mst_session_begin(s, x, 0);
    mst_session_step(s);
    memcpy(y, mst_session_logits(s, 0), mst_session_classes(s) * sizeof *y);
    mst_session_destroy(s);
    mst_program_destroy(p);
}

/* NaN, of the root of a negative number, is not linear. */
static bool computes_linearly(const mst_graph *g)
{
    float a[N], b[N], mean[N], fa[OUT], fb[OUT], fm[OUT];
    rng r = {5};
    size_t n = mst_tensor_elements(&g->tensors[g->output]);
    ck_assert_uint_le(n, OUT);
    rng_fill(&r, a, N, 1, -2, 3);
    rng_fill(&r, b, N, 1, -2, 3);
    for (size_t i = 0; i < N; i++)
        mean[i] = (a[i] + b[i]) / 2;
    compute(g, a, fa);
    compute(g, b, fb);
    compute(g, mean, fm);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(fa[i] + fb[i] - 2 * fm[i]) <= 1e-4f))
            return false;
    return true;
}

/* To the bit, of numbers no two of which are the same. */
static bool gives_what_came(const mst_graph *g)
{
    float x[N], y[OUT];
    rng r = {9};
    rng_fill(&r, x, N, 1, -2, 3);
    compute(g, x, y);
    for (size_t i = 0; i < mst_tensor_elements(&g->tensors[g->output]); i++) {
        size_t k = 0;
        while (k < N && memcmp(&x[k], &y[i], sizeof *x) != 0)
            k++;
        if (k == N)
            return false;
    }
    return true;
}

/* One column more than there is. A PAD has as many as its output says. */
static bool takes_another_shape(mst_graph *g)
{
    mst_err err = {0};
    mst_tensor *y = &g->tensors[g->output];
    y->dims[y->rank - 1]++;
    return mst_graph_validate(g, &err) == MST_OK;
}

static one begin(void)
{
    one o = {.g = graph_with_input(DIMS(1, 2, 4, 3)), .r = {1}};
    o.x = o.g->input;
    return o;
}

static void end(one *o, const char *name)
{
    OK(mst_graph_validate(o->g, &err_));
    const mst_node *n = &o->g->nodes[0];
    /* -x is named among the functions that are not */
    bool negates = n->op == MST_OP_UNARY && n->ip[MST_UNARY_FN] == MST_UN_NEG;
    ck_assert_msg(mst_node_is_linear(o->g, n) == (computes_linearly(o->g) && !negates), "%s %s",
                  mst_op_get(n->op)->name, name != NULL ? name : "");
    if (n->op != MST_OP_BINARY) /* min, max of x and a constant: by chance */
        ck_assert_msg((mst_node_moves_spikes(n) || mst_node_picks(n)) == gives_what_came(o->g), "%s %s",
                      mst_op_get(n->op)->name, name != NULL ? name : "");
    ck_assert_msg(takes_another_shape(o->g) == (n->op == MST_OP_PAD), "%s", mst_op_get(n->op)->name);
    mst_graph_destroy(o->g);
}

START_TEST(as_computed)
{
    for (int op = 0; op < MST_OP_COUNT; op++) {
        int fns = op == MST_OP_UNARY ? MST_UN_COUNT : op == MST_OP_REDUCE ? MST_RED_COUNT
                                                                          : 1;
        for (int fn = 0; fn < fns && op != MST_OP_BINARY && op != MST_OP_POOL && op != MST_OP_MASK; fn++) {
            one o = begin();
            add_all(&o, (mst_op)op, fn);
            end(&o, fns != 1 ? (op == MST_OP_UNARY ? mst_unary_name(fn) : mst_reduce_name(fn)) : NULL);
        }
    }
    for (int max = 0; max < 2; max++) {
        one o = begin();
        add_all(&o, MST_OP_POOL, max != 0 ? MST_RED_MAX : MST_RED_MEAN);
        end(&o, max != 0 ? "max" : "mean");
    }
}
END_TEST

START_TEST(sums_and_products)
{
    for (int fn = 0; fn < MST_BIN_COUNT; fn++)
        for (int order = 0; order < 3; order++) {
            if (order == 2 && (fn == MST_BIN_DIV || fn == MST_BIN_MIN || fn == MST_BIN_MAX))
                continue; /* x/x, min(x,x): linear by chance */
            one o = begin();
            add_binary(&o, fn, order);
            end(&o, mst_binary_name(fn));
        }
}
END_TEST

/* In spiking mode a random draw; its flags say that it is not linear. */
START_TEST(masks)
{
    one o = begin();
    add_mask(o.g, o.x, 0, 0.5f);
    ck_assert(!mst_node_is_linear(o.g, &o.g->nodes[0]));
    ck_assert(mst_node_thins(&o.g->nodes[0]) && !mst_node_fires(&o.g->nodes[0]));
    mst_node unknown = {.op = MST_OP_COUNT};
    ck_assert(!mst_node_is_linear(o.g, &unknown));
    mst_graph_destroy(o.g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flags of operators");
    TCase *t = tcase_create("flags");
    tcase_add_test(t, as_computed);
    tcase_add_test(t, sums_and_products);
    tcase_add_test(t, masks);
    suite_add_tcase(s, t);
    return run_tests(s);
}
