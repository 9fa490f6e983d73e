/* mst_graph_validate: each rule broken once, in a graph that is right otherwise. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "mst/graph.h"
#include "tests/support/run_tests.h"

/* One node that reads the input [dims], with up to three constants. */
typedef struct one_node {
    mst_graph *g;
    mst_node *n;
    float zeros[4096];
    int32_t index[8];
} one_node;

static uint32_t add_const(one_node *o, uint32_t rank, const uint32_t *dims)
{
    uint32_t id;
    ck_assert_int_eq(mst_graph_add_tensor(o->g, "k", MST_F32, rank, dims, o->zeros, &id, NULL), MST_OK);
    return id;
}

#define DIMS(...) \
    (const uint32_t[]) { __VA_ARGS__ }
#define RANK(...) (sizeof(DIMS(__VA_ARGS__)) / sizeof(uint32_t))
#define SHAPE(...) RANK(__VA_ARGS__), DIMS(__VA_ARGS__)

static void begin(one_node *o, uint32_t rank, const uint32_t *dims)
{
    memset(o, 0, sizeof *o);
    for (size_t i = 0; i < 4096; i++)
        o->zeros[i] = 1.0f;
    ck_assert_int_eq(mst_graph_create(NULL, &o->g, NULL), MST_OK);
    ck_assert_int_eq(mst_graph_add_tensor(o->g, "x", MST_F32, rank, dims, NULL, &o->g->input, NULL), MST_OK);
}

static void add_node(one_node *o, mst_op op, uint32_t n_in, const uint32_t *in, uint32_t rank, const uint32_t *dims)
{
    ck_assert_int_eq(mst_graph_add_tensor(o->g, "y", MST_F32, rank, dims, NULL, &o->g->output, NULL), MST_OK);
    ck_assert_int_eq(mst_graph_add_node(o->g, op, "n", n_in, in, o->g->output, &o->n, NULL), MST_OK);
}

static void expect_ok(one_node *o)
{
    mst_err err = {0};
    ck_assert_msg(mst_graph_validate(o->g, &err) == MST_OK, "%s", err.text);
}

static void expect_bad(one_node *o, const char *text)
{
    mst_err err = {0};
    ck_assert_int_ne(mst_graph_validate(o->g, &err), MST_OK);
    ck_assert_msg(strstr(err.text, text) != NULL, "expected '%s' in '%s'", text, err.text);
}

START_TEST(movement)
{
    one_node o;
    begin(&o, SHAPE(2, 3, 4));
    add_node(&o, MST_OP_RESHAPE, 1, &o.g->input, SHAPE(4, 6));
    expect_ok(&o);
    o.g->tensors[o.g->output].dims[0] = 5;
    expect_bad(&o, "element counts");
    mst_graph_destroy(o.g);

    begin(&o, SHAPE(2, 3, 4));
    add_node(&o, MST_OP_TRANSPOSE, 1, &o.g->input, SHAPE(4, 2, 3));
    o.n->ip[0] = 2, o.n->ip[1] = 0, o.n->ip[2] = 1;
    expect_ok(&o);
    o.n->ip[1] = 2;
    expect_bad(&o, "not a permutation");
    o.n->ip[1] = -1;
    expect_bad(&o, "not a permutation");
    o.n->ip[1] = 1, o.n->ip[2] = 0;
    expect_bad(&o, "does not follow from PERM");
    mst_graph_destroy(o.g);

    begin(&o, SHAPE(5));
    add_node(&o, MST_OP_SLICE, 1, &o.g->input, SHAPE(3));
    o.n->ip[MST_SLICE_START] = 4, o.n->ip[MST_SLICE_STEP] = -2;
    expect_ok(&o);
    o.n->ip[MST_SLICE_STEP] = -3;
    expect_bad(&o, "outside its input");
    o.n->ip[MST_SLICE_STEP] = INT32_MAX;
    expect_bad(&o, "outside its input");
    mst_graph_destroy(o.g);
}
END_TEST

START_TEST(gather_checks_every_index)
{
    one_node o;
    begin(&o, SHAPE(2, 5));
    uint32_t in[2] = {o.g->input, 0};
    o.index[0] = 4, o.index[1] = 0;
    ck_assert_int_eq(mst_graph_add_tensor(o.g, "i", MST_I32, SHAPE(2), o.index, &in[1], NULL), MST_OK);
    add_node(&o, MST_OP_GATHER, 2, in, SHAPE(2, 2));
    o.n->ip[0] = 1;
    expect_ok(&o);
    o.index[1] = 5;
    expect_bad(&o, "index outside");
    o.index[1] = -1;
    expect_bad(&o, "index outside");
    o.n->ip[0] = 2;
    expect_bad(&o, "AXIS");
    mst_graph_destroy(o.g);
}
END_TEST

START_TEST(synapses)
{
    one_node o;
    begin(&o, SHAPE(7, 6));
    uint32_t in[3] = {o.g->input, add_const(&o, SHAPE(6, 5)), add_const(&o, SHAPE(5))};
    add_node(&o, MST_OP_LINEAR, 3, in, SHAPE(7, 5));
    expect_ok(&o);
    o.g->tensors[in[1]].dims[0] = 5;
    expect_bad(&o, "do not fit");
    o.g->tensors[in[1]].dims[0] = 6;
    o.g->tensors[in[2]].dims[0] = 6;
    expect_bad(&o, "bias");
    mst_graph_destroy(o.g);

    begin(&o, SHAPE(1, 8, 8, 4));
    uint32_t conv[2] = {o.g->input, add_const(&o, SHAPE(3, 3, 2, 6))};
    add_node(&o, MST_OP_CONV, 2, conv, SHAPE(1, 4, 4, 6));
    int32_t *ip = o.n->ip;
    for (int i = 0; i < 2; i++)
        ip[MST_CONV_STRIDE + i] = 2, ip[MST_CONV_PAD + i] = 1, ip[MST_CONV_DILATION + i] = 1;
    ip[MST_CONV_GROUP] = 2;
    expect_ok(&o);
    ip[MST_CONV_GROUP] = 0;
    expect_bad(&o, "groups");
    ip[MST_CONV_GROUP] = 4;
    expect_bad(&o, "groups");
    ip[MST_CONV_GROUP] = 2, ip[MST_CONV_STRIDE] = 0;
    expect_bad(&o, "out of range");
    ip[MST_CONV_STRIDE] = 5;
    expect_bad(&o, "padding");
    mst_graph_destroy(o.g);
}
END_TEST

START_TEST(narrow_weights)
{
    one_node o;
    int8_t bytes[30] = {127, -127, 0, 1};
    uint16_t halves[30] = {0};
    float scales[5] = {1, 2, 0.5f, 1e-30f, 3};
    begin(&o, SHAPE(7, 6));
    uint32_t in[4] = {o.g->input, add_const(&o, SHAPE(6, 5)), MST_NONE, add_const(&o, SHAPE(5))};
    add_node(&o, MST_OP_LINEAR, 4, in, SHAPE(7, 5));
    mst_tensor *w = &o.g->tensors[in[1]], *s = &o.g->tensors[in[3]];
    s->data = scales;
    expect_bad(&o, "must come together");
    w->dtype = MST_I8, w->data = bytes;
    expect_ok(&o);
    bytes[29] = -128;
    expect_bad(&o, "-128");
    bytes[29] = 5;
    for (int i = 0; i < 4; i++) {
        scales[4] = (const float[]){0, -1, INFINITY, NAN}[i];
        expect_bad(&o, "scale is not a finite number > 0");
    }
    scales[4] = 1;
    s->dims[0] = 4;
    expect_bad(&o, "one value per output");
    s->dims[0] = 5, s->dtype = MST_F16;
    expect_bad(&o, "one value per output");
    s->dtype = MST_F32, o.n->in[3] = MST_NONE;
    expect_bad(&o, "must come together");
    o.n->n_in = 2;
    expect_bad(&o, "must come together");
    w->dtype = MST_F16, w->data = halves;
    expect_ok(&o);
    w->data = NULL;
    expect_bad(&o, "not a constant");
    w->data = halves;
    o.n->in[0] = in[1];
    expect_bad(&o, "not float");
    mst_graph_destroy(o.g);
}
END_TEST

START_TEST(neurons_and_masks)
{
    one_node o;
    begin(&o, SHAPE(4, 3));
    uint32_t in[4] = {o.g->input, add_const(&o, SHAPE(3)), MST_NONE, MST_NONE};
    add_node(&o, MST_OP_NEURON, 4, in, SHAPE(4, 3));
    o.n->ip[MST_NEURON_AXIS] = 1, o.n->ip[MST_NEURON_LEVELS] = 16;
    o.n->fp[MST_NEURON_SHIFT] = 0.5f;
    expect_ok(&o);
    o.n->ip[MST_NEURON_EVEN] = 1;
    expect_ok(&o);
    o.n->fp[MST_NEURON_SHIFT] = 0.25f;
    expect_bad(&o, "EVEN");
    o.n->ip[MST_NEURON_EVEN] = 2;
    o.n->fp[MST_NEURON_SHIFT] = 0.5f;
    expect_bad(&o, "EVEN");
    o.n->ip[MST_NEURON_EVEN] = 0;
    o.zeros[1] = 0.0f;
    expect_bad(&o, "theta");
    o.zeros[1] = NAN;
    expect_bad(&o, "theta");
    o.zeros[1] = 1.0f;
    o.n->in[2] = in[1];
    expect_bad(&o, "gain without a bias");
    o.n->in[2] = MST_NONE;
    o.n->ip[MST_NEURON_LEVELS] = 0;
    expect_bad(&o, "LEVELS");
    o.n->ip[MST_NEURON_LEVELS] = 300;
    for (int top = -1; top <= 256; top++) {
        o.n->ip[MST_NEURON_TOP] = top;
        for (int rule = 0; rule < MST_N_RULES; rule++) {
            o.g->meta.run = (mst_run_rule)rule;
            if (top < 0 || top > 255)
                expect_bad(&o, "TOP is not in 0..255");
            else if (top == 0 && rule != MST_RULE_STEP)
                expect_bad(&o, "at most 255 levels");
            else
                expect_ok(&o);
        }
    }
    o.n->ip[MST_NEURON_TOP] = 0;
    o.n->ip[MST_NEURON_LEVELS] = 16;
    o.g->meta.run = MST_RULE_RADIX;
    expect_ok(&o);
    o.g->meta.prepare.present = MST_PRESENT_STEPS, o.g->meta.prepare.frames = 1;
    expect_ok(&o);
    o.g->meta.prepare.frames = 2;
    expect_bad(&o, "radix");
    o.g->meta.run = MST_RULE_COUNT;
    expect_ok(&o);
    o.g->meta.run = (mst_run_rule)MST_N_RULES;
    expect_bad(&o, "unknown mode");
    o.g->meta.run = MST_RULE_STEP, o.g->meta.thinning = (mst_thinning)MST_N_THINNINGS;
    expect_bad(&o, "thinning");
    o.g->meta.thinning = MST_THIN_SYSTEMATIC, o.g->meta.trained_on = (mst_trained_on)MST_N_TRAINED_ON;
    expect_bad(&o, "masks of the training");
    o.g->meta.trained_on = MST_TRAINED_ON_STEPS;
    expect_ok(&o);
    o.n->ip[MST_NEURON_SITE] = MST_SITE_COUNT;
    expect_bad(&o, "SITE");
    o.n->ip[MST_NEURON_SITE] = 0;
    o.n->mode = (mst_node_mode)1;
    expect_bad(&o, "mode");
    mst_graph_destroy(o.g);

    begin(&o, SHAPE(4, 3));
    add_node(&o, MST_OP_MASK, 1, &o.g->input, SHAPE(4, 3));
    o.n->fp[MST_MASK_TRAINED] = -1;
    expect_ok(&o);
    o.n->fp[MST_MASK_RATIO] = 1.0f;
    expect_bad(&o, "RATIO");
    o.n->fp[MST_MASK_RATIO] = NAN;
    expect_bad(&o, "RATIO");
    o.n->fp[MST_MASK_RATIO] = 0.5f, o.n->ip[MST_MASK_INDEX] = 1;
    expect_bad(&o, "INDEX");
    mst_graph_destroy(o.g);
}
END_TEST

START_TEST(structure)
{
    one_node o;
    begin(&o, SHAPE(4, 3));
    add_node(&o, MST_OP_CLIP, 1, &o.g->input, SHAPE(4, 3));
    o.n->fp[MST_CLIP_HI] = INFINITY;
    expect_ok(&o);
    uint32_t out = o.n->out;
    o.n->in[0] = out;
    expect_bad(&o, "earlier node");
    o.n->in[0] = 1000;
    expect_bad(&o, "earlier node");
    o.n->in[0] = o.g->input;
    o.n->out = o.g->input;
    expect_bad(&o, "made twice");
    o.n->out = out;
    o.n->n_in = 0;
    expect_bad(&o, "number of inputs");
    o.n->n_in = 1;
    o.n->op = MST_OP_COUNT;
    expect_bad(&o, "unknown operator");
    o.n->op = MST_OP_CLIP;
    o.g->tensors[out].dims[0] = 0;
    expect_bad(&o, "empty");
    o.g->tensors[out].dims[0] = 4;
    o.g->meta.timesteps = 0;
    expect_bad(&o, "timesteps");
    o.g->meta.timesteps = 8, o.g->meta.n_norm = 1, o.g->meta.std[0] = 0;
    expect_bad(&o, "std");
    o.g->meta.n_norm = 0, o.g->output = MST_NONE;
    expect_bad(&o, "no output");
    mst_graph_destroy(o.g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("graph validation");
    TCase *t = tcase_create("rules");
    tcase_add_test(t, movement);
    tcase_add_test(t, gather_checks_every_index);
    tcase_add_test(t, synapses);
    tcase_add_test(t, narrow_weights);
    tcase_add_test(t, neurons_and_masks);
    tcase_add_test(t, structure);
    suite_add_tcase(s, t);
    return run_tests(s);
}
