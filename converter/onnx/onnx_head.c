/* What stands behind the logits: a network is read out by its largest logit, summed over time steps, so that softmax,
 * argmax and top-k behind them change nothing but what single steps are worth. They are cut. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "converter/onnx/onnx_graph.h"

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

/* May stand between two of them. */
static bool carries(const ox_node *n)
{
    static const char *const ops[] = {"Identity", "Cast", "Squeeze", "Unsqueeze"};
    return n->domain[0] == '\0' && n->n_in != 0 && one_of(n->op, ops, sizeof ops / sizeof ops[0]);
}

static bool makes(const ox_node *n, uint32_t value)
{
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] == value)
            return true;
    return false;
}

/* The value that output is made of once all that only decides is cut; told, one line for each node. */
static uint32_t cut(const ox_graph *g, uint32_t output, const ox_notes *notes)
{
    uint32_t at = output;
    for (uint32_t i = g->n_nodes; i-- > 0;) { /* in topological order */
        const ox_node *n = &g->nodes[i];
        if (!makes(n, at))
            continue;
        if (!decides(n) && !carries(n))
            break;
        at = n->in[0];
        if (at == OX_NONE)
            break;
        if (!decides(n))
            continue;
        output = at;
        ox_note(notes, "node '%.200s' (%.60s) behind the logits is cut: the output is what it reads", n->name, n->op);
    }
    return output;
}

/* What is cut is not looked at further: argmax and top-k are no operators that run. */
static void drop(ox_graph *g, uint32_t output, uint32_t cut_at)
{
    for (uint32_t i = g->n_nodes; i-- > 0 && output != cut_at;) {
        ox_node *n = &g->nodes[i];
        if (!makes(n, output))
            continue;
        output = n->in[0];
        n->dead = true;
    }
}

void ox_cut_heads(ox_graph *g, const ox_notes *notes)
{
    if (g->n_outputs > 2) /* values and indices of a TopK; more are refused */
        return;
    uint32_t kept = 0;
    const ox_notes quiet = {0};
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        uint32_t value = cut(g, g->outputs[i], i == 0 ? notes : &quiet);
        drop(g, g->outputs[i], value);
        if (kept == 0 || g->outputs[0] != value)
            g->outputs[kept++] = value;
    }
    g->n_outputs = kept;
}
