/* Which convolutions with groups the block schedule runs itself, and how it joins their groups: results would
 * be the same if the operator ran them, so the other tests cannot tell. */
#include <check.h>

#include "runtime/backend/cpu/cpu.h"
#include "tests/unit/backend/block_graphs.h"
#include "tests/support/run_tests.h"

static mst_err err_;
static const mst_dtype types[] = {MST_F32, MST_F16, MST_I8};
enum {
    MORE = 128, /* outputs of joined groups than of one; with yet more, the operator is faster */
    MOST_OUT = 1024
};

static mst_program *compiled(const mst_graph *g)
{
    mst_program *p = NULL;
    mst_run_opts o = {.schedule = MST_SCHEDULE_BLOCK};
    ck_assert_msg(mst_program_create(g, &o, &p, &err_) == MST_OK, "%s", err_.text);
    return p;
}

/* The synapse of the block schedule that a node became; NULL: its operator runs it. */
static const rt_synapse *synapse_of(const mst_program *p, uint32_t node)
{
    const rt_synapse *found = NULL;
    for (const rt_synapse *syn = p->synapses; syn != NULL; syn = syn->next)
        found = syn->node->index == node ? syn : found;
    for (size_t i = 0; i < p->n_ops; i++)
        ck_assert_msg(p->ops[i].kind != RT_OP_NODE || p->ops[i].node->index != node || found == NULL,
                      "node %u runs twice", node);
    return found;
}

static void add_spikes_of(mst_graph *g, uint32_t theta)
{
    mst_node *q = add_like(g, MST_OP_NEURON, INPUTS(g->output, theta));
    q->ip[MST_NEURON_AXIS] = 3;
    q->ip[MST_NEURON_LEVELS] = 4;
    q->ip[MST_NEURON_STAGE] = q->ip[MST_NEURON_BLOCK] = -1;
    q->fp[MST_NEURON_SHIFT] = 0.5f;
}

/* A 3x3 convolution in groups with a bias of -0, behind neurons with one theta or with one for each channel. */
static mst_graph *only_conv(uint32_t channels, uint32_t groups, uint32_t out, bool one_theta)
{
    mst_graph *g = graph_with_input(DIMS(1, 4, 4, channels));
    rng r = {7};
    add_spikes_of(g, one_theta ? add_value(g, 0.7f) : add_random(g, &r, DIMS(channels), 0.4f, 2.0f));
    uint32_t w = add_random(g, &r, DIMS(3, 3, channels / groups, out), -0.5f, 0.7f);
    float bias[MOST_OUT];
    for (size_t i = 0; i < MOST_OUT; i++)
        bias[i] = -0.0f;
    uint32_t b = add_const(g, DIMS(out), bias);
    mst_node *q = add_node(g, MST_OP_CONV, INPUTS(g->output, w, b), DIMS(1, 4, 4, out));
    for (int axis = 0; axis < 2; axis++)
        q->ip[MST_CONV_STRIDE + axis] = q->ip[MST_CONV_DILATION + axis] = q->ip[MST_CONV_PAD + axis] = 1;
    q->ip[MST_CONV_GROUP] = (int32_t)groups;
    return g;
}

static mst_graph *one_conv(uint32_t channels, uint32_t groups, uint32_t out, bool one_theta)
{
    mst_graph *g = only_conv(channels, groups, out, one_theta);
    add_spikes_of(g, add_value(g, 1.0f));
    return g;
}

typedef struct shape {
    uint32_t channels, groups, out, bands, inputs; /* expected: bands; channels of one */
} shape;

START_TEST(bands)
{
    static const shape shapes[] = {
        {128, 128, 128, 2, 64}, /* depthwise */
        {96, 96, 96, 2, 64},    /* the last band is smaller */
        {64, 64, 128, 1, 64},   /* two outputs a channel: one band of two strips */
        {128, 32, 128, 2, 64},
        {128, 32, 64, 1, 128},
        {256, 2, 384, 2, 128}, /* a group fills whole words */
        {96, 2, 256, 1, 96},
        {72, 3, 72, 1, 72},
        {20, 4, 8, 1, 20},
        {33, 1, 5, 1, 33},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (size_t type = 0; type < 3; type++) {
            const shape *want = &shapes[i];
            mst_graph *g = one_conv(want->channels, want->groups, want->out, true);
            narrow_weights(g, types[type]);
            mst_program *p = compiled(g);
            const rt_synapse *syn = synapse_of(p, 1);
            ck_assert_msg(syn != NULL, "%u channels in %u groups fall back", want->channels, want->groups);
            ck_assert_uint_eq(cpu_of(syn)->bands, want->bands);
            ck_assert_uint_eq(cpu_band_channels(syn), want->inputs);
            mst_program_destroy(p);
            mst_graph_destroy(g);
        }
}
END_TEST

/* Groups that only many together fill whole words. */
START_TEST(too_many)
{
    for (size_t type = 0; type < 3; type++) {
        mst_graph *g = one_conv(648, 9, 648, true);
        narrow_weights(g, types[type]);
        mst_program *p = compiled(g);
        ck_assert((synapse_of(p, 1) != NULL) == (types[type] == MST_I8));
        mst_program_destroy(p);
        mst_graph_destroy(g);
    }
}
END_TEST

/* Lists number inputs with 16 bits: one input more, and the operator's function runs the layer. */
START_TEST(many_inputs)
{
    for (uint32_t more = 0; more < 2; more++) {
        uint32_t n = UINT16_MAX + more;
        mst_graph *g = graph_with_input(DIMS(1, 1, 1, n));
        rng r = {3};
        add_spikes_of(g, add_value(g, 0.2f));
        uint32_t w = add_random(g, &r, DIMS(n, 2), -0.5f, 0.5f), spikes = g->output;
        add_node(g, MST_OP_LINEAR, INPUTS(spikes, w), DIMS(1, 1, 1, 2));
        add_spikes_of(g, add_value(g, 1.0f));
        mst_program *p = compiled(g);
        ck_assert((synapse_of(p, 1) != NULL) == (more == 0));
        mst_program_destroy(p);
        mst_graph_destroy(g);
    }
}
END_TEST

/* Values that are not spikes with one theta: weights of -0 might change their sums. */
START_TEST(values)
{
    mst_graph *g = one_conv(128, 32, 128, false);
    mst_program *p = compiled(g);
    ck_assert_ptr_null(synapse_of(p, 1));
    mst_program_destroy(p);
    mst_graph_destroy(g);
    g = one_conv(96, 3, 192, false); /* groups of whole words of outputs need none */
    p = compiled(g);
    ck_assert_ptr_nonnull(synapse_of(p, 1));
    ck_assert_uint_eq(cpu_of(synapse_of(p, 1))->bands, 3);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

static void first_step(const mst_graph *g, mst_schedule schedule, float *logits, size_t n)
{
    mst_program *p = NULL;
    mst_session *s = NULL;
    mst_run_opts o = {.schedule = schedule};
    float x[16 * 64];
    rng r = {5};
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = rng_below(&r, 64) == 0 ? 1.0f : 0.0f;
    ck_assert(mst_program_create(g, &o, &p, &err_) == MST_OK);
    ck_assert(mst_session_create(p, &s, &err_) == MST_OK);
    mst_session_begin(s, x, 0);
    mst_session_run(s, 1);
    memcpy(logits, mst_session_logits(s, MST_LAST), n * sizeof *logits);
    mst_session_destroy(s);
    mst_program_destroy(p);
}

/* A bias of -0 to which nothing is added stays -0, whatever other groups of the band do. */
START_TEST(signs_of_zero)
{
    enum { CHANNELS = 64,
           N = 16 * CHANNELS };
    float step[N], block[N];
    size_t negative = 0, zero = 0;
    mst_graph *g = only_conv(CHANNELS, 32, CHANNELS, true);
    first_step(g, MST_SCHEDULE_STEP, step, N);
    first_step(g, MST_SCHEDULE_BLOCK, block, N);
    ck_assert(memcmp(step, block, sizeof step) == 0);
    for (size_t i = 0; i < N; i++) {
        zero += step[i] == 0.0f;
        negative += step[i] == 0.0f && signbit(step[i]);
    }
    ck_assert_uint_gt(zero, N / 4);
    ck_assert_uint_eq(negative, zero);
    mst_graph_destroy(g);
}
END_TEST

/* More outputs of joined groups than pay. */
static bool fills_late(const mst_graph *g, const mst_node *n)
{
    uint32_t groups = (uint32_t)n->ip[MST_CONV_GROUP], in = g->tensors[n->in[1]].dims[2],
             out = g->tensors[n->out].dims[3] / groups, joined = 1;
    while (joined < groups && (joined * in % 64 != 0 || joined * out % 64 != 0))
        joined++;
    return (joined * out + 63) / 64 * 64 > out + MORE;
}

/* Of the networks that are compared with the step schedule. */
START_TEST(random_nets)
{
    uint32_t grouped = 0, side_by_side = 0;
    for (uint64_t seed = 0; seed < 120; seed++) {
        mst_graph *g = seed % 2 == 0 ? conv_net(seed / 2) : block_net(seed / 2);
        mst_program *p = compiled(g);
        for (uint32_t i = 0; i < g->n_nodes; i++) {
            const rt_fact *x = &p->facts[g->nodes[i].in[0]];
            if (g->nodes[i].op != MST_OP_CONV || g->nodes[i].ip[MST_CONV_GROUP] == 1 || !rt_has_scale(x))
                continue;
            const rt_synapse *syn = synapse_of(p, i);
            if (syn == NULL && fills_late(g, &g->nodes[i]))
                continue;
            ck_assert_msg(syn != NULL, "seed %u: node %u falls back", (unsigned)seed, i);
            grouped++;
            side_by_side += cpu_of(syn)->bands > 1;
        }
        mst_program_destroy(p);
        mst_graph_destroy(g);
    }
    ck_assert_uint_ge(grouped, 40);
    ck_assert_uint_ge(side_by_side, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block bands");
    TCase *t = tcase_create("bands");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, bands);
    tcase_add_test(t, too_many);
    tcase_add_test(t, many_inputs);
    tcase_add_test(t, values);
    tcase_add_test(t, signs_of_zero);
    tcase_add_test(t, random_nets);
    suite_add_tcase(s, t);
    return run_tests(s);
}
