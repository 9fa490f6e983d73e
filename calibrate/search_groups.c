/* See mst/search.h: which neurons share a value, and what that may be. */
#include <math.h>
#include <string.h>

#include "mst/search.h"
#include "runtime/core/options.h"

typedef struct finder {
    const mst_graph *g;
    const mst_search_opts *opts;
    uint32_t *node;    /* [n_nodes] that has the value of a NEURON; MST_NONE: none, or no neuron */
    uint32_t *members; /* [n_nodes] room for those of one group */
    bool *taken;       /* [n_nodes] in a group, or in none for good */
    mst_arena *arena;
    mst_search_group *groups; /* [MST_SEARCH_MAX_GROUPS + 1] */
    size_t n;
    mst_err *err;
} finder;

/* ---- values ---- */

static double value_of(const finder *f, uint32_t node)
{
    const mst_node *n = &f->g->nodes[node];
    return f->opts->what == MST_SEARCH_RATIOS ? (double)n->fp[MST_MASK_RATIO] : (double)mst_node_levels(n);
}

static bool saves_more(const finder *f, double a, double b)
{
    return f->opts->what == MST_SEARCH_RATIOS ? a > b : a < b;
}

/* A ratio of the ladder as a MASK has it. */
static double rung(const finder *f, size_t i)
{
    return f->opts->what == MST_SEARCH_RATIOS ? (double)(float)f->opts->ladder[i] : f->opts->ladder[i];
}

static mst_status check_ladder(const finder *f)
{
    const mst_search_opts *o = f->opts;
    if (o->n_ladder == 0)
        return mst_fail(f->err, MST_EINVAL, "ladder: expected values to try, found none");
    for (size_t i = 0; i < o->n_ladder; i++) {
        double v = o->ladder[i];
        if (o->what == MST_SEARCH_RATIOS ? !(v >= 0 && v < 1 && (float)v < 1)
                                         : !(v >= 1 && v <= MST_MAX_RUN_LEVELS && v == floor(v)))
            return mst_fail(f->err, MST_EINVAL, "ladder: expected %s, found %g",
                            o->what == MST_SEARCH_RATIOS ? "ratios in [0,1)" : "whole numbers of levels, 1 to 255", v);
    }
    return MST_OK;
}

/* now, then what saves more, each once. */
static mst_status take_ladder(const finder *f, double now, mst_search_group *out)
{
    double *values = mst_arena_array(f->arena, f->opts->n_ladder + 1, sizeof *values), last = now;
    if (values == NULL)
        return mst_fail(f->err, MST_ENOMEM, "out of memory for %zu values", f->opts->n_ladder);
    values[0] = now;
    out->n_values = 1;
    for (size_t next = 0; next != SIZE_MAX;) {
        next = SIZE_MAX;
        for (size_t i = 0; i < f->opts->n_ladder; i++)
            if (saves_more(f, rung(f, i), last) && (next == SIZE_MAX || saves_more(f, rung(f, next), rung(f, i))))
                next = i;
        if (next != SIZE_MAX)
            last = values[out->n_values++] = rung(f, next);
    }
    out->values = values;
    out->points = mst_arena_array(f->arena, out->n_values, sizeof *out->points);
    out->sure = mst_arena_array(f->arena, out->n_values, sizeof *out->sure);
    if (out->points == NULL || out->sure == NULL)
        return mst_fail(f->err, MST_ENOMEM, "out of memory for %zu values", out->n_values);
    return MST_OK;
}

/* ---- which neurons ---- */

/* May a rule name a site and a block of it? Rules of masks name sites that the paper masks. */
static bool has_place(const finder *f, const mst_node *neuron)
{
    return neuron->ip[MST_NEURON_BLOCK] >= 0 &&
           (f->opts->what == MST_SEARCH_LEVELS || mst_is_mask_site(neuron->ip[MST_NEURON_SITE]));
}

static bool same_place(const mst_node *a, const mst_node *b)
{
    return a->ip[MST_NEURON_SITE] == b->ip[MST_NEURON_SITE] && a->ip[MST_NEURON_BLOCK] == b->ip[MST_NEURON_BLOCK];
}

/* All neurons that have the place of `first` (by_name: its name). */
static uint32_t gather(const finder *f, uint32_t first, bool by_name)
{
    const mst_node *one = &f->g->nodes[first];
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->g->n_nodes; i++)
        if (f->node[i] != MST_NONE &&
            (by_name ? strcmp(one->name, f->g->nodes[i].name) == 0 : same_place(one, &f->g->nodes[i])))
            f->members[n++] = i;
    return n;
}

static bool agree(const finder *f, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (value_of(f, f->node[f->members[i]]) != value_of(f, f->node[f->members[0]]))
            return false;
    return true;
}

/* By its place, if all of that have one value; otherwise by its name, which is closer: neurons of that name that are in
 * other groups would go with it. */
static mst_status add_group(finder *f, uint32_t first)
{
    const mst_node *one = &f->g->nodes[first];
    mst_search_group *out = &f->groups[f->n];
    uint32_t n = has_place(f, one) ? gather(f, first, false) : 0, others = 0;
    bool by_name = n == 0 || !agree(f, n);
    n = by_name ? gather(f, first, true) : n;
    uint32_t *nodes = mst_arena_array(f->arena, n, sizeof *nodes);
    if (nodes == NULL)
        return mst_fail(f->err, MST_ENOMEM, "out of memory for %u neurons", n);
    bool usable = !by_name || (one->name[0] != '\0' && agree(f, n));
    *out = (mst_search_group){.site = (mst_site)one->ip[MST_NEURON_SITE],
                              .block = one->ip[MST_NEURON_BLOCK],
                              .name = by_name ? one->name : NULL,
                              .nodes = nodes};
    for (uint32_t i = 0; i < n; i++) {
        bool *taken = &f->taken[f->members[i]];
        others += *taken;
        if (!*taken)
            nodes[out->n_nodes++] = f->node[f->members[i]];
        *taken = true;
    }
    if (!usable || (by_name && others != 0))
        return MST_OK;
    if (++f->n > MST_SEARCH_MAX_GROUPS)
        return mst_fail(f->err, MST_ELIMIT, "more than %d groups of neurons to search", MST_SEARCH_MAX_GROUPS);
    return take_ladder(f, value_of(f, f->node[first]), out);
}

/* Which node has the value of each neuron: itself, or the first MASK that reads it. */
static void find_nodes(finder *f, uint32_t *maker)
{
    memset(f->node, 0xff, f->g->n_nodes * sizeof *f->node);
    memset(maker, 0xff, f->g->n_tensors * sizeof *maker);
    for (uint32_t i = 0; i < f->g->n_nodes; i++) {
        const mst_node *n = &f->g->nodes[i];
        uint32_t from = n->op == MST_OP_MASK ? maker[n->in[0]] : MST_NONE;
        if (n->op == MST_OP_NEURON)
            maker[n->out] = i;
        if (n->op == MST_OP_NEURON && f->opts->what == MST_SEARCH_LEVELS)
            f->node[i] = i;
        if (from != MST_NONE && f->opts->what == MST_SEARCH_RATIOS && f->node[from] == MST_NONE)
            f->node[from] = i;
    }
}

mst_status mst_search_groups(const mst_graph *g, const mst_search_opts *opts, mst_arena *arena, mst_search_group **out,
                             size_t *n, mst_err *err)
{
    mst_search_opts o = {0};
    mst_arena tmp = {0};
    MST_TRY(MST_TAKE_OPTS(mst_search_opts, &o, opts, n_ladder, n_ladder, err));
    size_t room = g->n_nodes != 0 ? g->n_nodes : 1;
    finder f = {.g = g, .opts = &o, .arena = arena, .err = err};
    f.node = mst_arena_array(&tmp, room, sizeof *f.node);
    f.members = mst_arena_array(&tmp, room, sizeof *f.members);
    f.taken = mst_arena_array(&tmp, room, sizeof *f.taken);
    uint32_t *maker = mst_arena_array(&tmp, g->n_tensors, sizeof *maker);
    f.groups = mst_arena_array(arena, MST_SEARCH_MAX_GROUPS + 1, sizeof *f.groups);
    mst_status st = f.node != NULL && f.members != NULL && f.taken != NULL && maker != NULL && f.groups != NULL
                        ? check_ladder(&f)
                        : mst_fail(err, MST_ENOMEM, "out of memory for the groups of %u nodes", g->n_nodes);
    if (st == MST_OK)
        find_nodes(&f, maker);
    for (uint32_t i = 0; st == MST_OK && i < g->n_nodes; i++)
        if (f.node[i] != MST_NONE && !f.taken[i])
            st = add_group(&f, i);
    mst_arena_release(&tmp);
    *out = f.groups;
    *n = st == MST_OK ? f.n : 0;
    return st;
}

void mst_search_set(mst_graph *g, const mst_search_opts *opts, const mst_search_group *group, size_t v)
{
    for (uint32_t i = 0; i < group->n_nodes; i++) {
        mst_node *n = &g->nodes[group->nodes[i]];
        if (opts->what == MST_SEARCH_RATIOS)
            n->fp[MST_MASK_RATIO] = (float)group->values[v];
        else
            n->ip[MST_NEURON_TOP] = (int32_t)group->values[v];
    }
}
