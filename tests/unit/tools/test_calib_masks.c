/* The ANN with the masks of a spiking network: which it gets, what reads them, what it keeps. */
#include <check.h>
#include <string.h>

#include "mst/session.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"
#include "tools/calib_masks.h"
#include "tools/tool_model.h"

static const float theta[] = {1};
static const uint32_t shape[] = {1, 1, 2, 2}, flat[] = {1, 4}, one[] = {1};

static uint32_t tensor(mst_graph *g, uint32_t rank, const uint32_t *dims, const float *data)
{
    uint32_t id;
    ck_assert_int_eq(mst_graph_add_tensor(g, "t", MST_F32, rank, dims, data, &id, NULL), MST_OK);
    return id;
}

static uint32_t node(mst_graph *g, mst_op op, const char *name, uint32_t n_in, const uint32_t *in, bool is_flat)
{
    mst_node *n;
    uint32_t out = is_flat ? tensor(g, 2, flat, NULL) : tensor(g, 4, shape, NULL);
    ck_assert_int_eq(mst_graph_add_node(g, op, name, n_in, in, out, &n, NULL), MST_OK);
    if (op == MST_OP_NEURON) {
        n->ip[MST_NEURON_AXIS] = 1;
        n->ip[MST_NEURON_LEVELS] = 4;
        n->ip[MST_NEURON_STAGE] = n->ip[MST_NEURON_BLOCK] = -1;
        n->fp[MST_NEURON_SHIFT] = 0.5f;
    }
    return out;
}

static uint32_t mask(mst_graph *g, uint32_t in, bool is_flat, int index, float ratio)
{
    uint32_t out = node(g, MST_OP_MASK, "mask", 1, &in, is_flat);
    mst_node *n = &g->nodes[g->n_nodes - 1];
    n->ip[MST_MASK_SITE] = MST_SITE_Q;
    n->ip[MST_MASK_STAGE] = 3;
    n->ip[MST_MASK_BLOCK] = 2;
    n->ip[MST_MASK_INDEX] = index;
    n->fp[MST_MASK_RATIO] = ratio;
    n->fp[MST_MASK_TRAINED] = -1;
    return out;
}

/* Two neurons of one name and a last one. masks: 25 % and, beside it, 75 % behind the first, as it is flat; none behind
 * the second; 50 % behind the last. */
static mst_graph *build(const mst_allocator *alloc, bool masks, bool own)
{
    mst_graph *g;
    mst_err err = {0};
    ck_assert_int_eq(mst_graph_create(alloc, &g, &err), MST_OK);
    uint32_t x = tensor(g, 4, shape, NULL), t = tensor(g, 1, one, theta);
    uint32_t a = node(g, MST_OP_NEURON, "same", 2, (uint32_t[]){x, t}, false);
    uint32_t r = node(g, MST_OP_RESHAPE, "flat", 1, &a, true);
    uint32_t f = masks ? mask(g, r, true, 0, 0.25f) : r, other = masks ? mask(g, r, true, 1, 0.75f) : r;
    uint32_t b = node(g, MST_OP_NEURON, "same", 2, (uint32_t[]){f, t}, true);
    uint32_t sum = node(g, MST_OP_BINARY, "sum", 2, (uint32_t[]){b, other}, true);
    uint32_t y = node(g, MST_OP_NEURON, "last", 2, (uint32_t[]){sum, t}, true);
    g->input = x;
    g->output = masks || own ? mask(g, y, true, 2, own ? 0.125f : 0.5f) : y;
    ck_assert_msg(mst_graph_validate(g, &err) == MST_OK, "%s", err.text);
    return g;
}

/* Ratio of the mask that reads what node k makes; -1: none. All else that read it reads the mask. */
static double mask_behind(const mst_graph *g, uint32_t k)
{
    double ratio = -1;
    uint32_t readers = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t j = 0; j < g->nodes[i].n_in; j++)
            if (g->nodes[i].in[j] == g->nodes[k].out) {
                readers++;
                ratio = g->nodes[i].op == MST_OP_MASK ? (double)g->nodes[i].fp[MST_MASK_RATIO] : ratio;
            }
    ck_assert(ratio < 0 || readers == 1);
    return ratio;
}

static void neurons_of(const mst_graph *g, uint32_t found[3])
{
    for (uint32_t i = 0, n = 0; i < g->n_nodes && n < 3; i++)
        if (g->nodes[i].op == MST_OP_NEURON)
            found[n++] = i;
}

START_TEST(gives_the_first_mask_of_each)
{
    mst_err err = {0};
    mst_graph *snn = build(NULL, true, false);
    for (int own = 0; own < 2; own++) {
        mst_graph *ann = build(NULL, false, own);
        uint32_t k[3], nodes = ann->n_nodes;
        ck_assert(mst_masks_drop(snn) && mst_masks_drop(ann) == own);
        for (int again = 0; again < 2; again++) {
            ck_assert_msg(mst_masks_give(ann, snn, false, &err) == MST_OK, "%s", err.text);
            ck_assert_msg(mst_graph_validate(ann, &err) == MST_OK, "%s", err.text);
            neurons_of(ann, k);
            ck_assert(mask_behind(ann, k[0]) == 0.25 && mask_behind(ann, k[1]) < 0);
            ck_assert(mask_behind(ann, k[2]) == (own ? 0.125 : 0.5));
            ck_assert_uint_eq(ann->n_nodes, nodes + (own ? 1 : 2));
        }
        ck_assert_int_eq(ann->nodes[k[0] + 1].ip[MST_MASK_INDEX], 0); /* draws as that of snn */
        ck_assert_int_eq(ann->nodes[k[2] + 1].ip[MST_MASK_INDEX], 2);
        const mst_node *m = &ann->nodes[k[0] + 1], *end = &ann->nodes[ann->n_nodes - 1];
        ck_assert(m->op == MST_OP_MASK && m->ip[MST_MASK_SITE] == MST_SITE_Q && m->ip[MST_MASK_STAGE] == 3 &&
                  m->ip[MST_MASK_BLOCK] == 2 && m->fp[MST_MASK_TRAINED] == -1);
        ck_assert(end->op == MST_OP_MASK && ann->output == end->out);
        mst_graph_destroy(ann);
    }
    mst_graph_destroy(snn);
}
END_TEST

/* However many there were: the tables grow at some number. */
START_TEST(tables_that_grow)
{
    mst_graph *snn = build(NULL, true, false);
    for (int more = 0; more < 150; more++) {
        mst_err err = {0};
        mst_graph *ann = build(NULL, false, false);
        for (int i = 0; i < more; i++)
            tensor(ann, 1, one, theta);
        uint32_t k[3];
        ck_assert_int_eq(mst_masks_give(ann, snn, false, &err), MST_OK);
        neurons_of(ann, k);
        const mst_tensor *a = &ann->tensors[ann->nodes[k[0]].out], *b = &ann->tensors[ann->nodes[k[0] + 1].out];
        ck_assert(b->rank == 4 && memcmp(a->dims, b->dims, sizeof a->dims) == 0);
        mst_graph_destroy(ann);
    }
    mst_graph_destroy(snn);
}
END_TEST

START_TEST(mistakes)
{
    mst_err err = {0};
    mst_graph *snn = build(NULL, true, false), *ann = build(NULL, false, false);
    uint32_t k[3];
    neurons_of(snn, k);
    snn->nodes[k[2]].name = "elsewhere";
    ck_assert_int_eq(mst_masks_give(ann, snn, false, &err), MST_EINVAL);
    ck_assert_msg(strstr(err.text, "'elsewhere'") != NULL, "%s", err.text);
    mst_graph_destroy(ann);
    mst_graph_destroy(snn);
}
END_TEST

START_TEST(out_of_memory)
{
    mst_graph *snn = build(NULL, true, false);
    size_t failed = 0;
    for (bool done = false; !done; failed++) {
        mst_err err = {0};
        test_alloc t = {0};
        mst_allocator a = test_allocator(&t);
        mst_graph *ann = build(&a, false, false);
        t.fail_at = t.calls + failed + 1;
        mst_status st = mst_masks_give(ann, snn, false, &err);
        done = st == MST_OK;
        ck_assert(st == MST_OK || st == MST_ENOMEM);
        mst_graph_destroy(ann);
        ck_assert_uint_eq(t.blocks, 0);
    }
    mst_graph_destroy(snn);
    ck_assert_uint_le(failed, 100);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("masks of the ANN");
    TCase *t = tcase_create("masks");
    tcase_add_test(t, gives_the_first_mask_of_each);
    tcase_add_test(t, tables_that_grow);
    tcase_add_test(t, mistakes);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return run_tests(s);
}
