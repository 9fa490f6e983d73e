/* Operations of spikes that reach a layer through sums, pools and scales: random graphs of them in the step and the
 * block schedule against naive_run.h, operation for operation, for each layer. In count and radix mode values and
 * counts are the session's own, which other tests judge: what they cost is naive. */
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"
#include "tests/unit/session/naive_run.h"

enum { MOST = 40,
       STEPS = 5 };

typedef struct values {
    mst_graph *g;
    rng r;
    uint32_t n, of[MOST];
} values;

static uint32_t keep(values *v, uint32_t tensor)
{
    ck_assert(v->n < MOST);
    return v->of[v->n++] = tensor;
}

static uint32_t any(values *v) { return v->of[rng_below(&v->r, v->n)]; }
static const mst_tensor *at(const values *v, uint32_t t) { return &v->g->tensors[t]; }

static uint32_t like(values *v, uint32_t t)
{
    uint32_t x = MST_NONE;
    for (uint32_t i = 0; i < v->n; i++)
        if (memcmp(at(v, v->of[i])->dims, at(v, t)->dims, 4 * sizeof(uint32_t)) == 0 && rng_below(&v->r, 2) != 0)
            x = v->of[i];
    return x != MST_NONE ? x : t;
}

/* Spikes of x: one theta or one a channel; no mask; one; behind spikes of one theta a mask behind a mask. */
static void spikes(values *v, uint32_t x)
{
    bool one = rng_below(&v->r, 2) != 0;
    uint32_t theta = one ? add_value(v->g, 0.5f) : add_random(v->g, &v->r, DIMS(at(v, x)->dims[3]), 0.2f, 1);
    uint32_t y = add_neuron(v->g, x, theta, 0.5f), masks = rng_below(&v->r, 5);
    v->g->nodes[v->g->n_nodes - 1].ip[MST_NEURON_AXIS] = 3;
    if (rng_below(&v->r, 3) == 0)
        keep(v, y);
    for (uint32_t i = 2; i < masks; i += one ? 1 : 2)
        y = add_mask(v->g, y, (int32_t)v->g->n_nodes, 0.3f);
    keep(v, y);
}

static uint32_t binary(values *v, int fn, uint32_t a, uint32_t b)
{
    mst_node *n = add_like(v->g, MST_OP_BINARY, INPUTS(a, b));
    n->ip[MST_BINARY_FN] = fn;
    return v->g->output;
}

static uint32_t slice(values *v, uint32_t x, uint32_t axis, uint32_t from, uint32_t n)
{
    mst_tensor t = *at(v, x);
    t.dims[axis] = n;
    mst_node *s = add_node(v->g, MST_OP_SLICE, INPUTS(x), 4, t.dims);
    for (uint32_t d = 0; d < 4; d++)
        s->ip[MST_SLICE_STEP + d] = 1;
    s->ip[MST_SLICE_START + axis] = (int32_t)from;
    return v->g->output;
}

static uint32_t join(values *v, uint32_t a, uint32_t b, uint32_t axis)
{
    mst_tensor t = *at(v, a);
    t.dims[axis] += at(v, b)->dims[axis];
    add_node(v->g, MST_OP_CONCAT, INPUTS(a, b), 4, t.dims)->ip[MST_CONCAT_AXIS] = (int32_t)axis;
    return v->g->output;
}

/* As windows are shifted; or one slice of it alone. */
static uint32_t roll(values *v, uint32_t x, uint32_t axis)
{
    uint32_t size = at(v, x)->dims[axis], by = size > 1 ? rng_in(&v->r, 1, size - 1) : 0;
    if (by == 0 || rng_below(&v->r, 3) == 0)
        return slice(v, x, axis, by, size - by);
    uint32_t a = slice(v, x, axis, by, size - by), b = slice(v, x, axis, 0, by);
    return join(v, a, b, axis);
}

static uint32_t pool(values *v, uint32_t x, int fn)
{
    mst_tensor t = *at(v, x);
    uint32_t kernel = rng_in(&v->r, 1, 3), stride = rng_in(&v->r, 1, 2), pad = rng_below(&v->r, kernel);
    for (uint32_t d = 1; d < 3; d++)
        t.dims[d] = t.dims[d] + 2 * pad >= kernel ? (t.dims[d] + 2 * pad - kernel) / stride + 1 : 1;
    mst_node *n = add_node(v->g, MST_OP_POOL, INPUTS(x), 4, t.dims);
    for (int d = 0; d < 2; d++) {
        n->ip[MST_POOL_KERNEL + d] = (int32_t)kernel;
        n->ip[MST_POOL_STRIDE + d] = (int32_t)stride;
        n->ip[MST_POOL_PAD + d] = (int32_t)pad;
        n->ip[MST_POOL_DILATION + d] = 1;
    }
    n->ip[MST_POOL_FN] = fn;
    return v->g->output;
}

/* The mean over an image, put back to each of its places, or left as it is. */
static uint32_t mean(values *v, uint32_t x, int fn)
{
    mst_tensor t = *at(v, x);
    mst_node *n = add_node(v->g, MST_OP_REDUCE, INPUTS(x), DIMS(1, t.dims[3]));
    n->ip[MST_REDUCE_AXES] = 6;
    n->ip[MST_REDUCE_FN] = fn;
    uint32_t y = reshape_to(v->g, v->g->output, DIMS(1, 1, 1, t.dims[3]));
    switch (rng_below(&v->r, 3)) {
    case 0: return y;
    case 1: add_node(v->g, MST_OP_EXPAND, INPUTS(y), 4, t.dims); return v->g->output;
    default: return binary(v, MST_BIN_ADD, x, y);
    }
}

static uint32_t gather(values *v, uint32_t x)
{
    uint32_t axis = rng_in(&v->r, 1, 3), idx, n = rng_in(&v->r, 1, 4);
    mst_tensor t = *at(v, x);
    int32_t *from = mst_arena_array(&v->g->arena, n, sizeof *from);
    for (uint32_t i = 0; i < n; i++)
        from[i] = (int32_t)rng_below(&v->r, t.dims[axis]);
    OK(mst_graph_add_tensor(v->g, "idx", MST_I32, DIMS(n), from, &idx, &err_));
    t.dims[axis] = n;
    add_node(v->g, MST_OP_GATHER, INPUTS(x, idx), 4, t.dims)->ip[MST_GATHER_AXIS] = (int32_t)axis;
    return v->g->output;
}

static uint32_t pad(values *v, uint32_t x)
{
    mst_tensor t = *at(v, x);
    t.dims[1] += 1;
    t.dims[2] += 2;
    mst_node *n = add_node(v->g, MST_OP_PAD, INPUTS(x), 4, t.dims);
    n->ip[MST_PAD_BEFORE + 1] = n->ip[MST_PAD_BEFORE + 2] = 1;
    n->fp[MST_PAD_VALUE] = rng_below(&v->r, 2) != 0 ? 0.25f : 0;
    return v->g->output;
}

static uint32_t turn(values *v, uint32_t x)
{
    const mst_tensor t = *at(v, x);
    mst_node *n = add_node(v->g, MST_OP_TRANSPOSE, INPUTS(x), DIMS(1, t.dims[2], t.dims[1], t.dims[3]));
    const int32_t perm[4] = {0, 2, 1, 3};
    memcpy(&n->ip[MST_TRANSPOSE_PERM], perm, sizeof perm);
    return v->g->output;
}

static uint32_t affine(values *v, uint32_t x)
{
    uint32_t c = at(v, x)->dims[3], g = add_random(v->g, &v->r, DIMS(c), -1, 1),
             h = add_random(v->g, &v->r, DIMS(c), -1, 1);
    add_like(v->g, MST_OP_AFFINE, INPUTS(x, g, h))->ip[MST_AFFINE_AXIS] = 3;
    return v->g->output;
}

static void pass(values *v)
{
    uint32_t x = any(v);
    switch (rng_below(&v->r, 16)) {
    case 0:
    case 1:
    case 2: keep(v, binary(v, MST_BIN_ADD, x, like(v, x))); break;
    case 3: keep(v, binary(v, MST_BIN_SUB, x, like(v, x))); break;
    case 4: keep(v, binary(v, MST_BIN_MUL, x, add_value(v->g, rng_below(&v->r, 2) != 0 ? 0.5f : 0))); break;
    case 5: keep(v, binary(v, MST_BIN_DIV, x, add_value(v->g, 3))); break;
    case 6: keep(v, affine(v, x)); break;
    case 7:
    case 8: keep(v, roll(v, x, rng_in(&v->r, 1, 3))); break;
    case 9: keep(v, pool(v, x, MST_RED_MEAN)); break;
    case 10: keep(v, pool(v, x, MST_RED_MAX)); break;
    case 11: keep(v, mean(v, x, (int)rng_below(&v->r, 3))); break;
    case 12: keep(v, gather(v, x)); break;
    case 13: keep(v, pad(v, x)); break;
    case 14: keep(v, turn(v, x)); break;
    default: keep(v, join(v, x, x, rng_in(&v->r, 1, 3))); break;
    }
}

static uint32_t conv(values *v, uint32_t x)
{
    const mst_tensor t = *at(v, x);
    uint32_t kernel = rng_in(&v->r, 1, 3), stride = rng_in(&v->r, 1, 2), pad = rng_below(&v->r, kernel),
             o = rng_in(&v->r, 1, 6), w = add_random(v->g, &v->r, DIMS(kernel, kernel, t.dims[3], o), -1, 1), out[2];
    for (uint32_t d = 0; d < 2; d++)
        out[d] = t.dims[1 + d] + 2 * pad >= kernel ? (t.dims[1 + d] + 2 * pad - kernel) / stride + 1 : 1;
    mst_node *n = add_node(v->g, MST_OP_CONV, INPUTS(x, w), DIMS(1, out[0], out[1], o));
    for (int d = 0; d < 2; d++) {
        n->ip[MST_CONV_STRIDE + d] = (int32_t)stride;
        n->ip[MST_CONV_PAD + d] = (int32_t)pad;
        n->ip[MST_CONV_DILATION + d] = 1;
    }
    n->ip[MST_CONV_GROUP] = 1;
    return v->g->output;
}

/* x times itself, times another of its shape, or times the image. */
static uint32_t product(values *v, uint32_t x)
{
    mst_tensor t = *at(v, x);
    uint32_t y = like(v, x), k = t.dims[3];
    if (rng_below(&v->r, 3) == 0 && k <= at(v, v->g->input)->dims[3])
        y = slice(v, v->g->input, 3, 0, k);
    if (at(v, y)->dims[1] != t.dims[1] && at(v, y)->dims[1] != 1)
        y = x;
    t.dims[3] = at(v, y)->dims[2];
    mst_node *n = add_node(v->g, MST_OP_MATMUL, INPUTS(x, y), 4, t.dims);
    n->ip[MST_MATMUL_TRANS_B] = 1;
    n->fp[MST_MATMUL_ALPHA] = 0.5f;
    return v->g->output;
}

static uint32_t read_by(values *v, uint32_t x)
{
    mst_tensor t = *at(v, x);
    switch (rng_below(&v->r, 4)) {
    case 0: return conv(v, x);
    case 1: return product(v, x);
    default: {
        uint32_t w = add_random(v->g, &v->r, DIMS(t.dims[3], 3), -1, 1);
        t.dims[3] = 3;
        add_node(v->g, MST_OP_LINEAR, INPUTS(x, w), 4, t.dims);
        return v->g->output;
    }
    }
}

static mst_graph *random_graph(int seed)
{
    values v = {.r = {(uint64_t)seed}};
    v.g = graph_with_input(DIMS(1, rng_in(&v.r, 1, 5), rng_in(&v.r, 2, 6), rng_below(&v.r, 4) != 0 ? 3 : 66));
    spikes(&v, v.g->input);
    spikes(&v, v.g->input);
    for (int i = 0; i < 3; i++) {
        for (uint32_t k = rng_below(&v.r, 5); k > 0; k--)
            pass(&v);
        spikes(&v, read_by(&v, any(&v)));
    }
    if (rng_below(&v.r, 2) != 0)
        narrow_weights(v.g, MST_I8);
    OK(mst_graph_validate(v.g, &err_));
    return v.g;
}

/* ---- operations of each layer ----------------------------------------------------------------- */

static uint32_t maker(const mst_graph *g, uint32_t t)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].out == t)
            return i;
    return MST_NONE;
}

static uint64_t ops_before(const naive *m, uint32_t node, bool *seen)
{
    const mst_node *n = &m->g->nodes[node];
    uint64_t ops = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        uint32_t from = n->in[k] != MST_NONE ? maker(m->g, n->in[k]) : MST_NONE;
        if (from == MST_NONE || seen[from])
            continue;
        seen[from] = true;
        if (m->g->nodes[from].op != MST_OP_NEURON)
            ops += m->ops[from] + ops_before(m, from, seen);
    }
    return ops;
}

static void compare_counts(const naive *m, const mst_program *p, const mst_session *s)
{
    mst_counters c = mst_session_counters(s);
    ck_assert_msg(c.sops == m->sops && c.macs == m->macs, "seed %d: %lu sops, %lu macs, expected %lu, %lu",
                  current_seed, (unsigned long)c.sops, (unsigned long)c.macs, (unsigned long)m->sops,
                  (unsigned long)m->macs);
    for (size_t k = 0; k < mst_program_layers(p); k++) {
        bool *seen = calloc(m->g->n_nodes, sizeof *seen);
        uint64_t want = ops_before(m, mst_program_layer(p, k)->node, seen), got = mst_session_layer_ops(s, k);
        ck_assert_msg(got == want, "seed %d layer %zu: %lu operations, expected %lu", current_seed, k,
                      (unsigned long)got, (unsigned long)want);
        free(seen);
    }
}

static mst_session *open_session(const mst_graph *g, mst_run_opts o, mst_program **p)
{
    mst_session *s = NULL;
    o.seed = 9;
    OK(mst_program_create(g, &o, p, &err_));
    OK(mst_session_create(*p, &s, &err_));
    return s;
}

static void close_session(mst_program *p, mst_session *s)
{
    mst_session_destroy(s);
    mst_program_destroy(p);
}

static void compare_runs(const naive *m, const mst_graph *g, const float *x, uint32_t steps)
{
    static const mst_run_opts runs[] = {{.schedule = MST_SCHEDULE_STEP},
                                        {.schedule = MST_SCHEDULE_BLOCK},
                                        {.schedule = MST_SCHEDULE_BLOCK, .threads = 3, .block_steps = 2}};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        mst_program *p = NULL;
        mst_run_opts o = runs[i];
        o.mode = m->mode;
        mst_session *s = open_session(g, o, &p);
        for (int again = 0; again < 2; again++) { /* counts start anew with each sample */
            mst_session_begin(s, x, 3);
            for (uint32_t t = 0; t < steps;)
                t += mst_session_run(s, steps - t);
            compare_counts(m, p, s);
        }
        close_session(p, s);
    }
}

/* Tap: values and counts of the session become the naive one's. */
static void take_values(void *ctx, const mst_session *s, const mst_tap *t)
{
    naive *m = ctx;
    uint32_t out = m->g->nodes[t->node].out, *n = calloc(t->n, sizeof *n);
    (void)s;
    mst_tap_values(t, 0, m->val[out]);
    if (t->form == MST_FORM_COUNT) {
        mst_tap_count(t, n);
        m->spikes[out] = m->spikes[out] != NULL ? m->spikes[out] : calloc(t->n, sizeof(float));
    }
    for (size_t i = 0; i < t->n && t->form == MST_FORM_COUNT; i++)
        m->spikes[out][i] = (float)(m->mode == MST_RUN_RADIX ? (uint32_t)__builtin_popcount(n[i]) : n[i]);
    free(n);
}

/* Maxima of counts are counts: the first of the largest. */
static void compare_maxima(naive *m, uint32_t i)
{
    element q = naive_at(m, i);
    for (q.e = 0; q.e < count(m, q.n->out); q.e++) {
        unravel(q.y, q.e, q.pos);
        if (naive_sum_events(&q) != m->spikes[q.n->out][q.e])
            ck_abort_msg("seed %d node '%s': maximum %zu", current_seed, q.n->name, q.e);
    }
}

static void take_run(naive *m, const float *x)
{
    const mst_graph *g = m->g;
    mst_program *p = NULL;
    mst_session *s = open_session(g, (mst_run_opts){.mode = m->mode}, &p);
    memset(m->train, 0, g->n_tensors * sizeof *m->train);
    mst_session_tap(s, take_values, m);
    mst_session_begin(s, x, 3);
    mst_session_run(s, 1);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        if (n->op == MST_OP_RESHAPE) /* no operation of its own */
            memcpy(m->val[n->out], m->val[n->in[0]], count(m, n->out) * sizeof(float));
        if (m->spikes[n->out] == NULL)
            naive_pass_on(m, i);
        else if (naive_is_max(n))
            compare_maxima(m, i);
        naive_count(m, i);
    }
    close_session(p, s);
}

static void case_graph(int seed, mst_run_mode mode)
{
    current_seed = seed;
    mst_graph *g = random_graph(seed);
    naive *m = naive_new(g, mode, 9);
    rng r = {(uint64_t)seed + 1000};
    size_t n = mst_tensor_elements(&g->tensors[g->input]);
    float *x = malloc(n * sizeof *x);
    rng_fill(&r, x, n, 0.7f, -0.3f, 1);
    naive_know_events(m);
    naive_begin(m, x, 3);
    for (uint32_t t = 0; t < STEPS && mode == MST_RUN_SPIKING; t++)
        naive_step(m);
    if (mode != MST_RUN_SPIKING)
        take_run(m, x);
    compare_runs(m, g, x, mode == MST_RUN_SPIKING ? STEPS : 1);
    naive_free(m);
    mst_graph_destroy(g);
    free(x);
}

START_TEST(steps)
{
    case_graph(_i, MST_RUN_SPIKING);
}
END_TEST

START_TEST(counts)
{
    case_graph(_i, MST_RUN_COUNT);
    case_graph(_i, MST_RUN_RADIX);
}
END_TEST

/* Each allocation of a program fails once: no memory, and nothing is left. */
START_TEST(out_of_memory)
{
    mst_graph *g = random_graph(_i);
    mst_status st = MST_ENOMEM;
    for (size_t at = 1; st == MST_ENOMEM; at++) {
        test_alloc h = {.fail_at = at};
        mst_allocator a = test_allocator(&h);
        mst_program *p = NULL;
        st = mst_program_create(g, &(mst_run_opts){.alloc = &a}, &p, NULL);
        ck_assert(st == MST_OK ? h.calls < at : st == MST_ENOMEM);
        mst_program_destroy(p);
        ck_assert_uint_eq(h.blocks, 0);
    }
    mst_graph_destroy(g);
}
END_TEST

/* A sum that doubles its spikes over and over: totals may be large, weights of each element may not. */
START_TEST(too_many)
{
    values v = {.r = {1}};
    mst_program *p = NULL;
    mst_err err = {0};
    v.g = graph_with_input(DIMS(1, 4, 4, 2));
    spikes(&v, v.g->input);
    uint32_t x = v.of[0];
    for (int i = 0; i < 40; i++)
        x = binary(&v, MST_BIN_ADD, x, x);
    uint32_t w = add_random(v.g, &v.r, DIMS(2, 3), -1, 1);
    if (_i == 0)
        add_node(v.g, MST_OP_LINEAR, INPUTS(x, w), DIMS(1, 4, 4, 3));
    else
        add_node(v.g, MST_OP_LINEAR, INPUTS(slice(&v, x, 1, 0, 2), w), DIMS(1, 2, 4, 3));
    mst_status st = mst_program_create(v.g, NULL, &p, &err);
    ck_assert_msg(st == (_i == 0 ? MST_OK : MST_ELIMIT), "%d %s", (int)st, err.text);
    ck_assert(_i == 0 || strstr(err.text, "more than 2^32 sums") != NULL);
    mst_program_destroy(p);
    mst_graph_destroy(v.g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("what spikes reach");
    TCase *t = tcase_create("random graphs");
    tcase_add_loop_test(t, steps, 0, 400);
    tcase_add_loop_test(t, counts, 0, 400);
    tcase_add_loop_test(t, too_many, 0, 2);
    tcase_add_loop_test(t, out_of_memory, 0, 40);
    suite_add_tcase(s, t);
    return run_tests(s);
}
