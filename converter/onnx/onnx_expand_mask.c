/* Masks of softmax as exporters write them: -infinity added to live scores or put in
 * their place. What softmax makes of a large negative number is 0, too. */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_expand.h"
#include "runtime/core/grow.h"

static bool has_infinite(const ox_value *v)
{
    size_t n = v->data != NULL && ox_is_float(v->dtype) ? ox_elements(v) : 0;
    for (size_t i = 0; i < n; i++)
        if (isinf(ox_get_double(v, i)) && ox_get_double(v, i) < 0)
            return true;
    return false;
}

/* Remember that the node's output must end in a softmax. */
static void remember(ox_build *b)
{
    ox_graph *g = b->c->g;
    if (g->n_masked == g->cap_masked) {
        uint32_t cap = 2 * g->cap_masked + 16;
        ox_masked *grown = mst_arena_grow(&g->arena, g->masked, g->n_masked, cap, sizeof *grown);
        if (grown == NULL) {
            ob_fail(b, MST_ENOMEM, "out of memory");
            return;
        }
        g->masked = grown;
        g->cap_masked = cap;
    }
    g->masked[g->n_masked++] = (ox_masked){b->n->out[0], b->n->name, b->n->op};
}

static bool is_one_of(const char *op, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(op, *names) == 0)
            return true;
    return false;
}

/* Is a node the softmax, or a part of one that is written out? Does it hand the values on? */
static bool ends(const ox_node *n)
{
    static const char *const names[] = {"Softmax", "Exp", "ReduceMax", NULL};
    return is_one_of(n->op, names);
}

static bool passes(const ox_node *n)
{
    static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Where", "Identity", "Cast", "Reshape",
                                        "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Slice", "Split",
                                        "Concat", "Gather", "Dropout", NULL};
    return is_one_of(n->op, names);
}

/* bad[v]: some way from value v does not end in a softmax; backwards, as readers come later. */
static void find_bad(const ox_graph *g, bool *bad)
{
    for (uint32_t i = 0; i < g->n_outputs; i++)
        bad[g->outputs[i]] = true;
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        const ox_node *n = &g->nodes[i];
        bool out = !passes(n);
        for (uint32_t k = 0; k < n->n_out && !out; k++)
            out = n->out[k] != OX_NONE && bad[n->out[k]];
        for (uint32_t k = 0; k < n->n_in && out && !ends(n); k++)
            if (n->in[k] != OX_NONE)
                bad[n->in[k]] = true;
    }
}

mst_status ox_check_infinite(const ox_graph *g, mst_err *err)
{
    mst_status st = MST_OK;
    if (g->n_masked == 0)
        return st;
    bool *bad = mst_alloc_array(g->arena.alloc, g->n_values, sizeof *bad);
    if (bad == NULL)
        return mst_fail(err, MST_ENOMEM, "no memory for %u values", g->n_values);
    find_bad(g, bad);
    for (uint32_t i = 0; i < g->n_masked && st == MST_OK; i++)
        if (bad[g->masked[i].value])
            st = mst_fail(err, MST_EUNSUPPORTED,
                          "node '%.200s' (%.60s): a constant of it is -infinity, which only a mask of a softmax may "
                          "be; use a large finite value such as -100",
                          g->masked[i].node, g->masked[i].op);
    mst_free_array(g->arena.alloc, bad, g->n_values, sizeof *bad);
    return st;
}

/* Add, Where: the same with a constant that is finite. */
void ox_expand_infinite(ox_build *b)
{
    uint32_t in[3], n = b->n->n_in;
    bool live = false, found = false;
    for (uint32_t k = 0; k < n; k++)
        live = live || !ob_is_const(b, b->n->in[k]);
    for (uint32_t k = 0; k < n && live; k++) {
        const ox_value v = ob_value(b, b->n->in[k]);
        double lowest = v.dtype == OX_FLOAT16 ? -65504 : -1e30;
        in[k] = b->n->in[k];
        if (!has_infinite(&v))
            continue;
        in[k] = ob_2(b, "Max", in[k], ob_number(b, in[k], lowest));
        found = true;
    }
    if (!found)
        return;
    remember(b);
    if (b->st == MST_OK)
        ob_return(b, 0, ob_node(b, b->n->op, n, in, 0, NULL));
}
