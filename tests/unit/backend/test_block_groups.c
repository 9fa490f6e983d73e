/* Which layers run together, and that what they write lives long enough: results would be the same if
 * none did, so the other tests cannot tell. */
#include <check.h>

#include "runtime/backend/cpu/cpu.h"
#include "tests/unit/backend/block_graphs.h"
#include "tests/support/run_tests.h"

static mst_err err_;

static uint32_t plain_neuron(net *n, uint32_t x)
{
    mst_node *q = add_like(n->g, MST_OP_NEURON, INPUTS(x, add_value(n->g, 0.7f)));
    q->ip[MST_NEURON_AXIS] = 1;
    q->ip[MST_NEURON_LEVELS] = 4;
    q->ip[MST_NEURON_STAGE] = q->ip[MST_NEURON_BLOCK] = -1;
    q->fp[MST_NEURON_SHIFT] = 0.5f;
    return n->g->output;
}

/* Neurons of [8][32], which layers read. */
static net a_layer(void)
{
    net n = {.r = {1}, .before = MST_NONE, .tokens = 8, .channels = 32};
    n.g = graph_with_input(DIMS(8, 32));
    n.x = plain_neuron(&n, net_linear(&n, n.g->input, 32));
    return n;
}

static mst_program *compiled(const mst_graph *g)
{
    mst_program *p = NULL;
    mst_run_opts o = {.schedule = MST_SCHEDULE_BLOCK};
    ck_assert_msg(mst_program_create(g, &o, &p, &err_) == MST_OK, "%s", err_.text);
    return p;
}

static uint32_t most_joined(const mst_program *p)
{
    uint32_t most = 0;
    for (size_t i = 0; i < p->n_ops; i++)
        most = p->ops[i].joined > most ? p->ops[i].joined : most;
    return most;
}

START_TEST(layers_of_one_input)
{
    net n = a_layer();
    plain_neuron(&n, net_linear(&n, n.x, 8)); /* an unread one in between */
    uint32_t b = plain_neuron(&n, net_linear(&n, n.x, 80)), c = plain_neuron(&n, net_linear(&n, n.x, 32));
    net_linear(&n, b, 32);
    net_add(&n, c, n.g->output);
    mst_program *p = compiled(n.g);
    ck_assert_uint_eq(most_joined(p), 2);
    for (uint32_t i = 0; i < p->n_ops; i++)
        for (uint32_t k = 0; k <= p->ops[i].joined && p->ops[i].joined != 0; k++) {
            const plan_buf *out = &p->bufs[p->ops[i + k].out.buf];
            ck_assert_uint_eq(p->ops[i + k].head, i);
            ck_assert(out->last >= i + p->ops[i].joined);
        }
    mst_program_destroy(p);
    mst_graph_destroy(n.g);
}
END_TEST

START_TEST(others_do_not_join)
{
    net n = a_layer();
    uint32_t a = plain_neuron(&n, net_linear(&n, n.x, 32));
    uint32_t b = plain_neuron(&n, net_linear(&n, a, 32));    /* another input */
    plain_neuron(&n, net_add(&n, net_linear(&n, b, 32), a)); /* something added that changes */
    mst_program *p = compiled(n.g);
    ck_assert_uint_eq(most_joined(p), 0);
    mst_program_destroy(p);
    mst_graph_destroy(n.g);
}
END_TEST

/* A group of any size. */
START_TEST(very_many)
{
    enum { LAYERS = 30000 };
    net n = {.r = {2}, .g = graph_with_input(DIMS(1, 1))};
    uint32_t w = add_random(n.g, &n.r, DIMS(1, 1), 0.1f, 0.5f), theta = add_value(n.g, 0.7f);
    n.x = add_neuron(n.g, n.g->input, theta, 0.5f);
    for (uint32_t i = 0; i < LAYERS; i++) {
        add_node(n.g, MST_OP_LINEAR, INPUTS(n.x, w), DIMS(1, 1));
        add_neuron(n.g, n.g->output, theta, 0.5f);
    }
    mst_program *p = compiled(n.g);
    uint32_t head = 0;
    while (p->ops[head].joined == 0)
        head++;
    ck_assert_uint_eq(p->ops[head].joined, LAYERS - 1);
    for (uint32_t i = head; i < head + LAYERS; i++)
        ck_assert_uint_ge(p->bufs[p->ops[i].out.buf].last, head + LAYERS - 1);
    mst_program_destroy(p);
    mst_graph_destroy(n.g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block groups");
    TCase *t = tcase_create("groups");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, layers_of_one_input);
    tcase_add_test(t, others_do_not_join);
    tcase_add_test(t, very_many);
    suite_add_tcase(s, t);
    return run_tests(s);
}
