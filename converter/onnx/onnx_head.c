/* What stands behind the logits: a network is read out by its largest logit, summed over time steps, so that softmax,
 * argmax and top-k behind them change nothing but what single steps are worth. They are cut: by name before folding, as
 * some are no operators that run; and once shapes and constants are known, where they are written out. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "converter/onnx/onnx_eval.h"

void ox_note(const ox_notes *notes, const char *fmt, ...)
{
    char text[600];
    va_list args;
    if (notes->tell == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    notes->tell(notes->ctx, text);
}

static bool one_of(const char *op, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(op, names[i]) == 0)
            return true;
    return false;
}

static bool decides(const ox_node *n)
{
    static const struct {
        const char *name;
        bool cut;
    } ops[] = {
#define MST_ONNX_LIVE(name, spiking, analog, cut) {name, cut},
#include "converter/onnx_live.def"
#undef MST_ONNX_LIVE
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (ops[i].cut && strcmp(ops[i].name, n->op) == 0)
            return n->domain[0] == '\0' && n->n_in != 0;
    return false;
}

#define MAX_LOOKUPS 64 /* of the nodes that make values, in one model */

/* On the way up from an output. */
typedef struct climb {
    const ox_graph *g;
    uint32_t lookups;
    bool inside; /* something was cut behind */
} climb;

static bool is_op(const ox_node *n, const char *op) { return n->domain[0] == '\0' && strcmp(n->op, op) == 0; }

static bool makes(const ox_node *n, uint32_t value)
{
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] == value)
            return true;
    return false;
}

static const ox_node *maker(climb *c, uint32_t value)
{
    if (value == OX_NONE || c->lookups == MAX_LOOKUPS)
        return NULL;
    c->lookups++;
    for (uint32_t i = c->g->n_nodes; i-- > 0;)
        if (!c->g->nodes[i].dead && makes(&c->g->nodes[i], value))
            return &c->g->nodes[i];
    return NULL;
}

/* One row of classes, and nothing else? */
static bool is_row(const ox_value *v)
{
    uint32_t wide = 0;
    for (uint32_t d = 0; d < v->rank; d++)
        wide += v->dims[d] != 1;
    return v->has_shape && wide <= 1;
}

/* The largest value stays the largest. */
static bool is_rising(const climb *c, const ox_node *n)
{
    static const char *const ops[] = {"Identity", "Cast", "Squeeze", "Unsqueeze", "Log", "Exp", "Sqrt", "Clip",
                                      "QuantizeLinear", "DequantizeLinear"};
    if (n->n_in != 0 && n->in[0] != OX_NONE && (is_op(n, "Reshape") || is_op(n, "Flatten")))
        return is_row(&c->g->values[n->in[0]]);
    return n->domain[0] == '\0' && n->n_in != 0 && one_of(n->op, ops, sizeof ops / sizeof ops[0]);
}

static bool only_moves(const ox_node *n)
{
    static const char *const ops[] = {"Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Expand"};
    return n->domain[0] == '\0' && one_of(n->op, ops, sizeof ops / sizeof ops[0]);
}

/* One constant number? */
static bool is_number(const climb *c, uint32_t value, double *x)
{
    const ox_value *v = value != OX_NONE ? &c->g->values[value] : NULL;
    if (v == NULL || v->data == NULL || ox_elements(v) != 1)
        return false;
    *x = ox_get_double(v, 0);
    return isfinite(*x);
}

/* The node that makes the one live number that value is, or copies of it; NULL: it is none. */
static const ox_node *common_number(climb *c, uint32_t value)
{
    const ox_node *n = maker(c, value);
    while (n != NULL && only_moves(n))
        n = maker(c, value = n->in[0]);
    return n != NULL && c->g->values[value].has_shape && ox_elements(&c->g->values[value]) == 1 ? n : NULL;
}

static bool is_log(const ox_node *n) { return is_op(n, "Log") || is_op(n, "ReduceLogSumExp"); }

/* Is there a logarithm in the sum that n makes? */
static bool has_log(climb *c, const ox_node *n)
{
    for (uint32_t k = 0; k < n->n_in && is_op(n, "Add"); k++) {
        const ox_node *part = common_number(c, n->in[k]);
        if (part != NULL && is_log(part))
            return true;
    }
    return is_log(n);
}

/* x of exp(x) / sum(exp(x)), n being the quotient, or the product with 1 / sum; OX_NONE: it is another. */
static uint32_t softmax_argument(climb *c, const ox_node *n)
{
    for (uint32_t k = 0; k < (is_op(n, "Mul") ? 2u : 1u); k++) {
        const ox_node *e = maker(c, n->in[k]), *sum = common_number(c, n->in[1 - k]);
        if (sum != NULL && is_op(n, "Mul"))
            sum = is_op(sum, "Reciprocal") ? common_number(c, sum->in[0]) : NULL;
        if (e != NULL && is_op(e, "Exp") && sum != NULL && is_op(sum, "ReduceSum") && sum->in[0] == n->in[k])
            return e->in[0];
    }
    return OX_NONE;
}

/* What a node that keeps the order of classes does it to; OX_NONE: it is another. *cuts: it changes only what single
 * steps are worth. */
static uint32_t below(climb *c, const ox_node *n, bool *cuts)
{
    double k;
    *cuts = decides(n);
    if (*cuts || is_rising(c, n))
        return n->in[0];
    if (n->n_in != 2)
        return OX_NONE;
    bool add = is_op(n, "Add"), sub = is_op(n, "Sub"), mul = is_op(n, "Mul"), div = is_op(n, "Div");
    for (uint32_t i = 0; i < (add || mul ? 2u : 1u) && (add || sub || mul || div); i++)
        if (is_number(c, n->in[1 - i], &k) && (add || sub || k > 0))
            return n->in[i];
    if (sub) { /* a number that all classes have in common */
        const ox_node *r = common_number(c, n->in[1]);
        *cuts = r != NULL && (c->inside || has_log(c, r));
        return *cuts ? n->in[0] : OX_NONE;
    }
    uint32_t x = mul || div ? softmax_argument(c, n) : OX_NONE;
    *cuts = x != OX_NONE;
    return x;
}

/* The value that output is made of once all that only decides is cut; told, one line for each node. */
static uint32_t cut(const ox_graph *g, uint32_t output, const ox_notes *notes)
{
    climb c = {.g = g};
    uint32_t at = output;
    for (uint32_t i = g->n_nodes; i-- > 0 && at != OX_NONE;) { /* in topological order */
        const ox_node *n = &g->nodes[i];
        bool cuts;
        if (n->dead || !makes(n, at))
            continue;
        at = below(&c, n, &cuts);
        if (at == OX_NONE || !cuts)
            continue;
        output = at;
        c.inside = true;
        ox_note(notes, "node '%.200s' (%.60s) behind the logits is cut: the output is what it reads", n->name, n->op);
    }
    return output;
}

mst_status ox_cut_heads(ox_graph *g, const ox_notes *notes, mst_err *err)
{
    if (g->n_outputs > 2) /* values and indices of a TopK; more are refused */
        return MST_OK;
    uint32_t kept = 0;
    const ox_notes quiet = {0};
    bool any = false;
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        uint32_t value = cut(g, g->outputs[i], i == 0 ? notes : &quiet);
        any = any || value != g->outputs[i];
        if (kept == 0 || g->outputs[0] != value)
            g->outputs[kept++] = value;
    }
    g->n_outputs = kept;
    return any ? ox_mark_dead(g, err) : MST_OK;
}
