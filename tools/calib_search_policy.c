/* See calib_search_policy.h. */
#include "tools/calib_search_policy.h"

#include <inttypes.h>
#include <stdlib.h>

#include "mst/search.h"
#include "tools/tool_mode.h"
#include "tools/tool_paths.h"

/* The fewest digits that are this float32. */
static void print_ratio(FILE *f, float ratio)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)ratio);
        if (strtof(text, NULL) == ratio)
            break;
    }
    fputs(text, f);
}

/* A name as a pattern (fnmatch) that only it matches, in YAML's double quotes. */
static void print_name(FILE *f, const char *name)
{
    fputc('"', f);
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        if (c == '*' || c == '?' || c == '[' || c == '\\')
            fputs("\\\\", f); /* one backslash, in quotes */
        if (c == '"' || c == '\\')
            fputc('\\', f);
        if (c < 0x20 || c == 0x7f)
            fprintf(f, "\\x%02x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void print_group(FILE *f, const mst_search_group *g)
{
    fputs("    - {", f);
    if (g->name != NULL) {
        fputs("node: ", f);
        print_name(f, g->name);
    } else {
        fprintf(f, "block: %d, site: %s", g->block, mst_site_name((int)g->site));
    }
}

typedef struct printer {
    const mst_graph *g;
    FILE *f;
    mst_search_group *masks, *levels;
    size_t n_masks, n_levels;
} printer;

static void print_masks(const printer *p, const char *head, int field)
{
    fprintf(p->f, "%s:\n  overrides:\n", head);
    for (size_t k = 0; k < p->n_masks; k++) {
        float ratio = p->g->nodes[p->masks[k].nodes[0]].fp[field];
        print_group(p->f, &p->masks[k]);
        fputs(", ratio: ", p->f);
        print_ratio(p->f, ratio > 0 ? ratio : 0); /* what a training is not known of was not masked in it */
        fputs("}\n", p->f);
    }
}

static bool has_top(const printer *p, size_t k) { return p->g->nodes[p->levels[k].nodes[0]].ip[MST_NEURON_TOP] != 0; }

static bool has_levels(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON && g->nodes[i].ip[MST_NEURON_TOP] != 0)
            return true;
    return false;
}

static void print_run(const printer *p, const mst_run_opts *run)
{
    fprintf(p->f, "run:\n  mode: %s\n", mst_run_mode_name((int)run->mode));
    if (mst_mode_counts(run->mode))
        fprintf(p->f, "  thinning: %s\n", mst_thinning_name((int)run->thinning));
    if (run->levels != 0)
        fprintf(p->f, "  levels: %" PRIu32 "\n", run->levels);
    for (size_t k = 0, n = 0; run->levels == 0 && k < p->n_levels; k++) {
        if (!has_top(p, k))
            continue;
        fputs(n++ == 0 ? "  overrides:\n" : "", p->f);
        print_group(p->f, &p->levels[k]);
        fprintf(p->f, ", levels: %g}\n", p->levels[k].values[0]);
    }
}

static void print(const printer *p, const mst_run_opts *run, uint32_t steps, const char *about)
{
    bool trained = false;
    for (size_t k = 0; k < p->n_masks; k++)
        trained = trained || p->g->nodes[p->masks[k].nodes[0]].fp[MST_MASK_TRAINED] > 0;
    fprintf(p->f, MST_POLICY_MARK "\n%sversion: 1\nseed: %" PRIu64 "\n", about, run->seed);
    if (!mst_mode_counts(run->mode))
        fprintf(p->f, "timesteps: %" PRIu32 "\n", steps);
    if (p->n_masks != 0)
        print_masks(p, "masks", MST_MASK_RATIO);
    if (trained)
        print_masks(p, "trained", MST_MASK_TRAINED);
    print_run(p, run);
}

mst_status mst_policy_write(const mst_graph *g, const mst_run_opts *run, uint32_t steps, const char *about, FILE *f,
                            mst_err *err)
{
    static const double any[] = {0, 1}; /* ladders: nothing is searched */
    const mst_search_opts ratios = {.size = sizeof ratios, .what = MST_SEARCH_RATIOS, .ladder = &any[0], .n_ladder = 1};
    const mst_search_opts levels = {.size = sizeof levels, .what = MST_SEARCH_LEVELS, .ladder = &any[1], .n_ladder = 1};
    mst_arena tmp = {0};
    printer p = {.g = g, .f = f};
    mst_status st = mst_search_groups(g, &ratios, &tmp, &p.masks, &p.n_masks, err);
    if (st == MST_OK && run->levels == 0 && has_levels(g)) /* of no use to others, who may have too many */
        st = mst_search_groups(g, &levels, &tmp, &p.levels, &p.n_levels, err);
    if (st == MST_OK)
        print(&p, run, steps, about);
    mst_arena_release(&tmp);
    return st;
}
