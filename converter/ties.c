/* Values right between two levels, where Round takes the even one. Behind weights they hardly occur; where a quantizer
 * reads others through sums, means, scales or weights that are multiples of one number, all values that arrive are
 * multiples of one number, and many of them may lie there. Float32 has them exactly where that number has few binary
 * digits; else what it rounds off decides, here and in any other program. The user is told. */
#include <math.h>
#include <stdio.h>

#include "converter/pairs.h"
#include "converter/verdict.h"

#define SAME 1e-6      /* relative, of constants that were rounded to float32 */
#define MOST_PARTS 256 /* of a level; where ties are fewer than one in so many values nothing is said */
#define DIGITS 24      /* of a float32 */

/* All values of a tensor are whole multiples of step; 0: not known to be. */
typedef struct grid {
    double step, most; /* no value is more than so many steps from 0 */
    bool exact;        /* each of them is one in float32, not just near one */
} grid;

/* x as a fraction p/q of whole numbers, q as small as may be; 0: none with a q up to MOST_PARTS. */
static unsigned parts_of(double x)
{
    for (unsigned q = 1; q <= MOST_PARTS; q++)
        if (fabs(x * q - round(x * q)) <= SAME * fabs(x) * q && round(x * q) != 0)
            return q;
    return 0;
}

/* Binary digits of a number, those of its trailing zeros not counted. */
static int digits_of(double x)
{
    int exponent, n = 0;
    for (double rest = fabs(frexp(x, &exponent)); rest != 0 && n < 53; n++)
        rest = 2 * rest - floor(2 * rest);
    return n;
}

/* Are all multiples of step up to so many float32 numbers? */
static bool fits(const grid *g, double times)
{
    return g->exact && digits_of(g->step) + log2(fmax(g->most * times, 1)) <= DIGITS;
}

static grid settled(grid g)
{
    g.exact = fits(&g, 1);
    return g;
}

static grid scaled(grid g, double by)
{
    g.step *= fabs(by);
    return by == 0 ? (grid){0} : settled(g);
}

/* What has multiples of both. */
static grid joined(grid a, grid b, bool sum)
{
    unsigned q = a.step > 0 && b.step > 0 ? parts_of(a.step / b.step) : 0;
    if (q == 0)
        return (grid){0};
    grid r = {.step = b.step / q, .exact = a.exact && b.exact};
    double of_a = a.most * a.step / r.step, of_b = b.most * q;
    r.most = sum ? of_a + of_b : fmax(of_a, of_b);
    return settled(r);
}

/* A constant's only value; *same is false where it has others. */
static double value_of(const mst_graph *g, uint32_t tensor, bool *same)
{
    const mst_tensor *t = &g->tensors[tensor];
    double first = mst_const_at(t, 0);
    for (size_t i = 1, n = mst_tensor_elements(t); i < n && *same; i++)
        *same = fabs(mst_const_at(t, i) - first) <= SAME * fabs(first);
    return first;
}

/* Constants as one grid. */
static grid grid_of_const(const mst_graph *g, uint32_t tensor)
{
    const mst_tensor *t = &g->tensors[tensor];
    grid r = {.most = 0, .exact = true};
    for (size_t i = 0, n = mst_tensor_elements(t); i < n; i++) {
        grid one = {.step = fabs(mst_const_at(t, i)), .most = 1, .exact = true};
        if (one.step == 0)
            continue;
        r = r.step > 0 ? joined(r, one, false) : settled(one);
        if (!(r.step > 0) || r.most > 0x1p20)
            return (grid){0};
    }
    return r;
}

static grid plus_const(const mst_graph *g, grid x, uint32_t tensor)
{
    grid c = grid_of_const(g, tensor);
    return c.most > 0 ? joined(x, c, true) : c.exact ? x
                                                     : (grid){0};
}

static grid of_neuron(const mst_graph *g, const mst_node *n)
{
    bool same = true;
    double theta = value_of(g, n->in[1], &same), levels = (double)n->ip[MST_NEURON_LEVELS];
    grid r = {.step = theta / levels, .most = levels, .exact = true};
    for (double q = 1; q <= levels && r.exact; q++) {
        float y = (float)theta * ((float)q / (float)levels);
        r.exact = fabs((double)y * levels - theta * q) <= 0;
    }
    return same ? settled(r) : (grid){0};
}

static grid of_sums(const mst_graph *g, const mst_node *n, grid x)
{
    const mst_tensor *w = &g->tensors[n->in[1]];
    grid of = grid_of_const(g, n->in[1]), r = {.step = x.step * of.step, .exact = x.exact && of.exact};
    if (!(r.step > 0))
        return (grid){0};
    r.most = x.most * of.most * (double)(mst_tensor_elements(w) / w->dims[w->rank - 1]);
    r = settled(r);
    return n->n_in > 2 && n->in[2] != MST_NONE ? plus_const(g, r, n->in[2]) : r;
}

static grid of_binary(const mst_graph *g, const mst_node *n, const grid *of)
{
    int32_t fn = n->ip[MST_BINARY_FN];
    uint32_t k = mst_is_const(g, n->in[0]) ? 0 : 1; /* the constant one */
    grid x = of[n->in[1 - k]];
    bool same = true, is_const = mst_is_const(g, n->in[k]), add = fn == MST_BIN_ADD || fn == MST_BIN_SUB;
    if (add)
        return is_const ? plus_const(g, x, n->in[k]) : joined(of[n->in[0]], of[n->in[1]], true);
    if (!is_const)
        return (grid){0};
    double by = value_of(g, n->in[k], &same);
    if (same && fn == MST_BIN_MUL)
        return scaled(x, by);
    return same && fn == MST_BIN_DIV && k == 1 ? scaled(x, 1 / by) : (grid){0};
}

/* The mean of so many values, or their sum. */
static grid of_many(grid x, double n, bool mean)
{
    x.most *= n;
    if (mean)
        x.step /= n;
    return settled(x);
}

static double reduced(const mst_graph *g, const mst_node *n)
{
    return (double)mst_tensor_elements(&g->tensors[n->in[0]]) / (double)mst_tensor_elements(&g->tensors[n->out]);
}

static grid of_node(const mst_graph *g, const mst_node *n, const grid *of)
{
    grid x = n->n_in != 0 && n->in[0] != MST_NONE ? of[n->in[0]] : (grid){0};
    bool same = true;
    switch (n->op) {
    case MST_OP_NEURON: return of_neuron(g, n);
    case MST_OP_LINEAR:
    case MST_OP_CONV: return x.step > 0 ? of_sums(g, n, x) : x;
    case MST_OP_AFFINE: {
        double by = value_of(g, n->in[1], &same);
        return x.step > 0 && same ? plus_const(g, scaled(x, by), n->in[2]) : (grid){0};
    }
    case MST_OP_BINARY: return of_binary(g, n, of);
    case MST_OP_POOL:
        return n->ip[MST_POOL_FN] != MST_RED_MEAN
                   ? x
                   : of_many(x, (double)n->ip[MST_POOL_KERNEL] * n->ip[MST_POOL_KERNEL + 1], true);
    case MST_OP_REDUCE:
        return n->ip[MST_REDUCE_FN] == MST_RED_MAX ? x
                                                   : of_many(x, reduced(g, n), n->ip[MST_REDUCE_FN] == MST_RED_MEAN);
    case MST_OP_CONCAT:
        for (uint32_t k = 1; k < n->n_in; k++)
            x = joined(x, of[n->in[k]], false);
        return x;
    case MST_OP_MASK:
    case MST_OP_RATE_POOL: return x;
    default: return mst_node_moves_spikes(n) ? x : (grid){0};
    }
}

/* One in how many values that a neuron reads may be right between two of its levels, inexactly; 0: none or few. */
static unsigned ties_of(const mst_graph *g, const mst_node *n, const grid *of)
{
    bool same = true;
    double theta = value_of(g, n->in[1], &same), levels = (double)n->ip[MST_NEURON_LEVELS], gain = 1, bias = 0;
    if (n->n_in > 3 && n->in[2] != MST_NONE) {
        gain = value_of(g, n->in[2], &same);
        bias = value_of(g, n->in[3], &same);
    }
    grid x = of[n->in[0]];
    if (!same || !(x.step > 0) || gain == 0)
        return 0;
    x = scaled(x, gain);
    double step = x.step * levels / theta, offset = bias * levels / theta;
    unsigned q = parts_of(step);
    if (q == 0)
        return 0;
    double from = fabs(offset * q - round(offset * q)), odd = fabs(from - 0.5);
    bool ties = from <= 1e-4 ? q % 2 == 0 : odd <= 1e-4 && q % 2 == 1;
    return ties && !fits(&x, levels) ? q : 0;
}

static bool rounds_to_even(const mst_node *n) { return n->op == MST_OP_NEURON && n->ip[MST_NEURON_EVEN] != 0; }

mst_status mst_warn_ties(const mst_graph *g, const mst_import_opts *opts, mst_err *err)
{
    bool any = false;
    for (uint32_t i = 0; i < g->n_nodes && !any; i++)
        any = rounds_to_even(&g->nodes[i]);
    if (!any || opts->warn == NULL) /* most networks: their weights need not be read */
        return MST_OK;
    mst_arena arena = {.alloc = g->arena.alloc};
    grid *of = mst_arena_array(&arena, g->n_tensors, sizeof *of);
    const char *first = NULL;
    unsigned n = 0, share = 0;
    if (of == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: looking for values between two levels");
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *node = &g->nodes[i];
        if (rounds_to_even(node) && qdq_mark(node) == 0) {
            unsigned parts = ties_of(g, node, of);
            if (parts != 0 && n++ == 0) {
                first = node->name;
                share = parts;
            }
        }
        of[node->out] = of_node(g, node, of);
    }
    if (n != 0) {
        char text[640];
        snprintf(text, sizeof text,
                 "node '%.200s'%s: it rounds sums, means or multiples of other quantizers' values, about one in %u of "
                 "which is right between two levels but for what float32 rounds off, and that decides: other programs "
                 "take another level there; thresholds and levels that are powers of two make it exact",
                 first, n > 1 ? " and others" : "", share > 1 ? share : 2);
        opts->warn(opts->warn_ctx, text);
    }
    mst_arena_release(&arena);
    return MST_OK;
}
