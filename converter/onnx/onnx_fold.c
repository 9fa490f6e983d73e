/* Folding: one walk over the nodes in their order binds the batch to 1, infers
 * every type and shape, evaluates what is constant, writes operators with others and
 * marks what nobody needs. Operators are in onnx_eval_table.c and onnx_expand.c; this
 * file knows none of them.
 */
#include <string.h>

#include "converter/onnx/onnx_write.h"
#include "runtime/core/grow.h"

/* ---- graph inputs ---- */

static mst_status bind_dim(const ox_value *v, uint32_t d, int64_t *dim, int64_t given, mst_err *err)
{
    if (*dim >= 0 && given >= 0 && *dim != given)
        return mst_fail(err, MST_EINVAL,
                        "input '%.200s': dimension %u is %lld in the model, --input-shape says "
                        "%lld",
                        v->name, d, (long long)*dim, (long long)given);
    if (*dim < 0 && given < 0)
        return mst_fail(err, MST_EINVAL, "input '%.200s': dimension %u is symbolic; give its size with "
                                         "--input-shape",
                        v->name, d);
    if (*dim < 0)
        *dim = given;
    return MST_OK;
}

/* The first input is the sample: batch 1, then input_dims. Others may only have a symbolic batch. */
static mst_status bind_input(ox_value *v, const uint32_t *input_dims, uint32_t input_rank, mst_err *err)
{
    if (!v->has_shape && input_rank == 0)
        return mst_fail(err, MST_EINVAL, "input '%.200s' has no shape; give one with --input-shape", v->name);
    if (!v->has_shape) {
        if (input_rank >= MST_MAX_RANK)
            return mst_fail(err, MST_ELIMIT, "an input of %u dimensions", input_rank + 1);
        v->rank = input_rank + 1;
        for (uint32_t d = 0; d < v->rank; d++)
            v->dims[d] = -1;
        v->has_shape = true;
    }
    if (input_rank != 0 && v->rank != input_rank + 1)
        return mst_fail(err, MST_EINVAL, "input '%.200s' has %u dimensions after the batch, --input-shape %u",
                        v->name, v->rank - 1, input_rank);
    for (uint32_t d = 0; d < v->rank; d++) {
        int64_t given = d == 0 ? 1 : input_rank != 0 ? (int64_t)input_dims[d - 1]
                                                     : -1;
        if (d == 0 && v->dims[0] >= 0)
            continue;
        MST_TRY(bind_dim(v, d, &v->dims[d], given, err));
    }
    return MST_OK;
}

/* Of three dimensions the first may be channels. */
static bool has_batch(uint32_t rank)
{
    return rank == 2 || rank >= 4;
}

/* A graph input or initializer that the walk can rely on. */
static mst_status check_value(const ox_value *v, mst_err *err)
{
    uint64_t n = 1;
    if (v->rank > MST_MAX_RANK)
        return mst_fail(err, MST_ELIMIT, "'%.200s' has %u dimensions, at most %d are supported", v->name,
                        v->rank, MST_MAX_RANK);
    for (uint32_t d = 0; d < v->rank; d++) {
        if (v->dims[d] < 0)
            return mst_fail(err, MST_EINVAL, "'%.200s': dimension %u is %lld", v->name, d,
                            (long long)v->dims[d]);
        if (v->dims[d] > 1 &&
            ((uint64_t)v->dims[d] > OX_MAX_ELEMENTS || (n *= (uint64_t)v->dims[d]) > OX_MAX_ELEMENTS))
            return mst_fail(err, MST_ELIMIT, "'%.200s' has more than %u elements", v->name, OX_MAX_ELEMENTS);
    }
    return MST_OK;
}

static mst_status bind_inputs(ox_graph *g, const uint32_t *input_dims, uint32_t input_rank, mst_err *err)
{
    if (input_rank != 0 && g->n_inputs == 0)
        return mst_fail(err, MST_EINVAL, "--input-shape is given, but the model has no input");
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        ox_value *v = &g->values[g->inputs[i]];
        if (i == 0 && v->has_shape && has_batch(v->rank) && v->dims[0] > 1) {
            g->batch = v->dims[0];
            v->dims[0] = 1;
        }
        MST_TRY(bind_input(v, input_dims, i == 0 ? input_rank : 0, err));
        MST_TRY(check_value(v, err));
    }
    return MST_OK;
}

/* Check the constants; the memory that folding may take grows with theirs. */
static mst_status check_constants(const ox_graph *g, size_t *bytes, mst_err *err)
{
    *bytes = 0;
    for (uint32_t i = 0; i < g->n_values; i++) {
        const ox_value *v = &g->values[i];
        if (v->data == NULL)
            continue;
        MST_TRY(check_value(v, err));
        *bytes += ox_elements(v) * ox_dtype_size(v->dtype);
    }
    return MST_OK;
}

/* ---- the walk ---- */

#define INTEGER_HELP \
    "it computes in integers: quantize with QuantFormat.QDQ, and save with graph_optimization_level ORT_DISABLE_ALL"
#define DYNAMIC_HELP \
    "its scale is computed from each input: quantize with fixed ones (onnxruntime.quantization.quantize_static, " \
    "QuantFormat.QDQ), or convert the float model"

static const struct {
    const char *op, *help; /* op: a prefix */
} hints[] = {
    {"If", "export by tracing, with a fixed input size"},
    {"Loop", "export by tracing, with a fixed input size"},
    {"Scan", "export by tracing, with a fixed input size"},
    {"DynamicQuantize", DYNAMIC_HELP},
    {"QLinear", INTEGER_HELP},
    {"QGemm", INTEGER_HELP},
    {"MatMulInteger", DYNAMIC_HELP},
    {"ConvInteger", DYNAMIC_HELP},
    {"Sequence", "sequences are not supported; use tensors in the model"},
    {"ATen", "export with pure ONNX operators"},
};

static mst_status unknown_op(const ox_ctx *c)
{
    const char *op = c->n->op, *domain = c->n->domain;
    const char *help = "docs/ONNX.md lists the supported ones; write it with those in the model";
    bool microsoft = strncmp(domain, "com.microsoft", 13) == 0;
    if (microsoft)
        help = "save the model with graph_optimization_level ORT_DISABLE_ALL (at most ORT_ENABLE_BASIC), or convert "
               "the file that was exported";
    else if (domain[0] != '\0')
        help = "export without fused or custom operators, or with its function in the file";
    for (size_t i = 0; i < sizeof hints / sizeof hints[0] && (microsoft || domain[0] == '\0'); i++)
        if (strncmp(op, hints[i].op, strlen(hints[i].op)) == 0)
            help = hints[i].help;
    return mst_fail(c->err, MST_EUNSUPPORTED,
                    "node '%.200s': operator %.100s (domain '%.100s', opset %lld) is not supported; %s",
                    c->n->name, op, domain[0] != '\0' ? domain : "ai.onnx", (long long)c->g->opset, help);
}

/* Are the inputs there, in number, type and shape? */
static mst_status check_inputs(const ox_ctx *c, uint32_t min_in, uint32_t max_in)
{
    if (c->n->n_in > max_in)
        return ox_fail(c, MST_EINVAL, "%u inputs, at most %u are expected", c->n->n_in, max_in);
    for (uint32_t k = 0; k < c->n->n_in || k < min_in; k++) {
        const ox_value *v = ox_in(c, k);
        if (v == NULL && k < min_in)
            return ox_fail(c, MST_EINVAL, "input %u is missing", k);
        if (v != NULL && !v->has_shape)
            return ox_fail(c, MST_EINVAL, "input '%.100s' is used before it is computed", v->name);
        if (v != NULL && ox_dtype_size(v->dtype) == 0)
            return ox_fail(c, MST_EUNSUPPORTED, "input '%.100s' has type %s, which is not supported", v->name,
                           ox_dtype_name(v->dtype));
    }
    return MST_OK;
}

static bool inputs_constant(const ox_ctx *c)
{
    for (uint32_t k = 0; k < c->n->n_in; k++)
        if (ox_in(c, k) != NULL && ox_in(c, k)->data == NULL)
            return false;
    return true;
}

static bool can_evaluate(const ox_ctx *c, const ox_op *op)
{
    if (op->eval == NULL || (op->flags & OX_F_NEVER) != 0)
        return false;
    return (op->flags & OX_F_SHAPE) != 0 || inputs_constant(c);
}

/* Account for the elements that the evaluation reads and writes; integers are computed in int64. */
static mst_status check_cost(ox_ctx *c, bool reads)
{
    uint64_t work = 1;
    for (uint32_t k = 0; reads && k < c->n->n_in; k++) {
        const ox_value *v = ox_in(c, k);
        if (v == NULL)
            continue;
        work += ox_elements(v);
        for (size_t i = 0, n = v->dtype == OX_UINT64 ? ox_elements(v) : 0; i < n; i++)
            if (ox_get_int(v, i) < 0)
                return ox_fail(c, MST_EUNSUPPORTED, "element %zu of '%.100s' is above 2^63 - 1", i, v->name);
    }
    for (uint32_t k = 0; k < c->n->n_out; k++)
        if (ox_out(c, k) != NULL)
            work += ox_elements(ox_out(c, k));
    return ox_spend(c, work);
}

/* Infer and evaluate by the row of the operator. */
static mst_status fold_by(ox_ctx *c, const ox_op *op, ox_node *n)
{
    MST_TRY(check_inputs(c, op->min_in, op->max_in));
    MST_TRY(op->infer(c));
    for (uint32_t k = 0; k < n->n_out; k++)
        if (ox_out(c, k) != NULL && !ox_out(c, k)->has_shape)
            return ox_fail(c, MST_EUNSUPPORTED, "output %u is not one that it has here", k);
    if (!can_evaluate(c, op))
        return MST_OK;
    MST_TRY(check_cost(c, (op->flags & OX_F_SHAPE) == 0));
    MST_TRY(op->eval(c));
    n->dead = true;
    for (uint32_t k = 0; k < n->n_out; k++) /* Dropout in training mode makes no constant */
        n->dead &= ox_out(c, k) == NULL || ox_out(c, k)->data != NULL;
    return MST_OK;
}

static mst_status append(ox_ctx *c, const ox_node *n)
{
    ox_graph *g = c->g;
    if (g->n_nodes == OX_MAX_NODES)
        return ox_fail(c, MST_ELIMIT, "more than %u nodes once operators are written with others", OX_MAX_NODES);
    if (g->n_nodes == g->cap_nodes) {
        uint32_t cap = 2 * g->cap_nodes + 64;
        ox_node *nodes = mst_arena_grow(&g->arena, g->nodes, g->n_nodes, cap, sizeof *nodes);
        if (nodes == NULL)
            return ox_fail(c, MST_ENOMEM, "no memory for the nodes of the graph");
        g->nodes = nodes;
        g->cap_nodes = cap;
    }
    g->nodes[g->n_nodes++] = *n;
    return MST_OK;
}

static mst_status fold_node(ox_ctx *c, ox_node *n)
{
    const ox_op *op = n->domain[0] == '\0' ? ox_op_find(n->op) : NULL;
    const ox_expansion *other = ox_expansion_find(n->domain, n->op);
    if (op == NULL && other == NULL)
        return unknown_op(c);
    if (other != NULL) {
        ox_build b = {.c = c, .n = n, .fold = fold_node};
        uint32_t before = c->g->n_nodes;
        MST_TRY(check_inputs(c, other->min_in, other->max_in));
        other->expand(&b);
        if (b.st != MST_OK || c->g->n_nodes != before)
            return b.st;
    }
    if (op == NULL)
        return ox_fail(c, MST_EUNSUPPORTED, "nobody reads what it makes"); /* no output is wanted */
    MST_TRY(fold_by(c, op, n));
    return append(c, n);
}

/* The nodes one by one into a new list. */
static mst_status fold_nodes(ox_ctx *c)
{
    ox_graph *g = c->g;
    ox_node *old = g->nodes;
    uint32_t n = g->n_nodes;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (old[i].dead)
            continue;
        c->n = &old[i];
        if (old[i].domain[0] == '\0' && (ox_op_find(old[i].op) != NULL || ox_expansion_find("", old[i].op) != NULL))
            MST_TRY(ox_check_schema(c));
        MST_TRY(fold_node(c, &old[i]));
    }
    return MST_OK;
}

static void count_uses(const ox_graph *g, uint32_t *uses)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != OX_NONE)
                uses[g->nodes[i].in[k]]++;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        uses[g->outputs[i]]++;
}

/* Backwards: a node lives if an output of it reaches a graph output. */
mst_status ox_mark_dead(ox_graph *g, mst_err *err)
{
    bool *needed = mst_alloc_array(g->arena.alloc, g->n_values, sizeof *needed);
    if (needed == NULL)
        return mst_fail(err, MST_ENOMEM, "no memory for %u values", g->n_values);
    for (uint32_t i = 0; i < g->n_outputs; i++)
        needed[g->outputs[i]] = true;
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        ox_node *n = &g->nodes[i];
        bool live = false;
        for (uint32_t k = 0; k < n->n_out && !n->dead; k++)
            live |= n->out[k] != OX_NONE && needed[n->out[k]];
        n->dead = !live;
        for (uint32_t k = 0; k < n->n_in && live; k++)
            if (n->in[k] != OX_NONE)
                needed[n->in[k]] = true;
    }
    mst_free_array(g->arena.alloc, needed, g->n_values, sizeof *needed);
    return MST_OK;
}

/* Is what the file says of values what they are? Of shapes not the first dimension: that is the batch. */
static mst_status check_declared(const ox_graph *g, mst_err *err)
{
    for (uint32_t i = 0; i < g->n_declared; i++) {
        const ox_declared *d = &g->declared[i];
        const ox_value *v = &g->values[d->value];
        if (!v->has_shape)
            continue;
        if (d->dtype != OX_UNDEFINED && d->dtype != v->dtype)
            return mst_fail(err, MST_EINVAL, "value '%.200s' is declared as %s, but it is %s", v->name,
                            ox_dtype_name(d->dtype), ox_dtype_name(v->dtype));
        if (d->has_shape && d->rank != v->rank)
            return mst_fail(err, MST_EINVAL, "output '%.200s' is declared with %u dimensions, but it has %u", v->name,
                            d->rank, v->rank);
        for (uint32_t k = 1; d->has_shape && k < d->rank; k++)
            if (d->dims[k] >= 0 && d->dims[k] != v->dims[k])
                return mst_fail(err, MST_EINVAL, "output '%.200s': dimension %u is declared as %lld, but it is %lld",
                                v->name, k, (long long)d->dims[k], (long long)v->dims[k]);
    }
    return MST_OK;
}

mst_status ox_fold(ox_graph *g, const uint32_t *input_dims, uint32_t input_rank, mst_err *err)
{
    size_t bytes;
    ox_ctx c = {.g = g, .err = err, .work_left = OX_FOLD_WORK};
    if (g->opset < OX_MIN_OPSET || g->opset > OX_MAX_OPSET)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "the model has opset %lld, supported are %d to %d; export it with "
                        "opset_version=17",
                        (long long)g->opset, OX_MIN_OPSET, OX_MAX_OPSET);
    MST_TRY(bind_inputs(g, input_dims, input_rank, err));
    MST_TRY(check_constants(g, &bytes, err));
    c.bytes_left = bytes < SIZE_MAX / 8 ? OX_FOLD_BYTES + 4 * bytes : SIZE_MAX;
    uint32_t *uses = mst_alloc_array(g->arena.alloc, g->n_values, sizeof *uses);
    if (uses == NULL)
        return mst_fail(err, MST_ENOMEM, "no memory for %u values", g->n_values);
    count_uses(g, uses);
    c.uses = uses;
    const uint32_t n_values = g->n_values;
    mst_status s = fold_nodes(&c);
    mst_free_array(g->arena.alloc, uses, n_values, sizeof *uses);
    if (s == MST_OK)
        s = check_declared(g, err);
    if (s == MST_OK)
        s = ox_check_infinite(g, err);
    return s == MST_OK ? ox_mark_dead(g, err) : s;
}
