/* Lowering: the walk over live nodes. Knows no operator by name. */
#include "converter/lower/lower.h"

#include <math.h>
#include <string.h>

/* What may take an infinite constant: bounds, and masks of a softmax. */
static bool takes_infinite(const char *op)
{
    static const char *const names[] = {"Add", "Sub", "Where", "Clip", "Min", "Max", "Pad"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(op, names[i]) == 0)
            return true;
    return false;
}

/* Before anything is computed of them: arithmetic may lose what is no number (1 / infinity, a test that it passes). */
static mst_status check_numbers(lower_ctx *c)
{
    bool infinite = takes_infinite(c->o.n->op);
    for (uint32_t k = 0; k < c->o.n->n_in; k++) {
        const ox_value *v = ox_in(&c->o, k);
        if (v == NULL || v->data == NULL || (v->dtype != OX_FLOAT && v->dtype != OX_DOUBLE && v->dtype != OX_FLOAT16))
            continue;
        for (size_t i = 0, n = ox_elements(v); i < n; i++) {
            double x = ox_get_double(v, i);
            if (isnan(x) || (isinf(x) && !infinite))
                return mst_fail(c->o.err, MST_EUNSUPPORTED,
                                "node '%s' (%s): element %zu of '%s' is %g; check weights and theta of the "
                                "model that was exported",
                                c->o.n->name, c->o.n->op, i, v->name, x);
        }
    }
    return MST_OK;
}

static mst_status lower_node(lower_ctx *c)
{
    MST_TRY(check_numbers(c));
    if (c->o.n->domain[0] != '\0' && strcmp(c->o.n->domain, "ai.onnx") != 0)
        return lower_refuse(c, "its domain is not ai.onnx", "export with standard ONNX operators only");
    bool done;
    MST_TRY(lower_of_random(c, &done));
    if (done)
        return MST_OK;
    lower_fn lower = lower_find(c->o.n->op);
    if (lower != NULL)
        return lower(c);
    return lower_refuse(c, "this operator cannot run on live data",
                        "replace it in the model by operators of docs/ONNX.md and export again");
}

static mst_status lower_all(lower_ctx *c)
{
    for (uint32_t i = 0; i < c->o.g->n_nodes; i++) {
        c->o.n = &c->o.g->nodes[i];
        if (!c->o.n->dead)
            MST_TRY(lower_node(c));
    }
    if (c->o.g->n_outputs != 1)
        return mst_fail(c->o.err, MST_EUNSUPPORTED, "the model has %u outputs; exactly one (the logits) is supported: "
                                                    "export the model with that output alone",
                        (unsigned)c->o.g->n_outputs);
    uint32_t out = c->o.g->outputs[0];
    c->g->output = c->map[out];
    if (c->g->output == MST_NONE)
        return mst_fail(c->o.err, MST_EUNSUPPORTED, "output '%s' does not depend on the input",
                        c->o.g->values[out].name);
    return MST_OK;
}

mst_status mst_lower(ox_graph *ox, mst_graph *g, mst_layout layout, const ox_notes *notes, qdq_pairs *pairs,
                     mst_err *err)
{
    lower_ctx c = {.o = {.g = ox, .err = err}, .g = g, .pairs = pairs};
    const mst_allocator *alloc = g->arena.alloc;
    c.map = mst_alloc_array(alloc, ox->n_values, sizeof *c.map);
    c.random = mst_alloc_array(alloc, ox->n_values, sizeof *c.random);
    c.draw_of = mst_alloc_array(alloc, (size_t)ox->n_nodes + 1, sizeof *c.draw_of);
    c.reused = mst_alloc_array(alloc, ox->n_values, sizeof *c.reused);
    c.pair_of = mst_alloc_array(alloc, ox->n_values, sizeof *c.pair_of);
    c.levels = mst_alloc_array(alloc, ox->n_values, sizeof *c.levels);
    mst_status st = MST_OK;
    if (c.map == NULL || c.random == NULL || c.draw_of == NULL || c.reused == NULL || c.pair_of == NULL ||
        c.levels == NULL)
        st = lower_no_memory(&c);
    for (uint32_t i = 0; i < ox->n_values && st == MST_OK; i++)
        c.map[i] = c.pair_of[i] = c.levels[i] = MST_NONE;
    if (st == MST_OK)
        st = lower_input(&c, layout, notes);
    if (st == MST_OK)
        st = lower_all(&c);
    mst_free_array(alloc, c.map, ox->n_values, sizeof *c.map);
    mst_free_array(alloc, c.random, ox->n_values, sizeof *c.random);
    mst_free_array(alloc, c.draw_of, (size_t)ox->n_nodes + 1, sizeof *c.draw_of);
    mst_free_array(alloc, c.reused, ox->n_values, sizeof *c.reused);
    mst_free_array(alloc, c.pair_of, ox->n_values, sizeof *c.pair_of);
    mst_free_array(alloc, c.levels, ox->n_values, sizeof *c.levels);
    return st;
}
