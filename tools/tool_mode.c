/* See tool_mode.h. */
#include "tools/tool_mode.h"

#include <string.h>

/* The names are the library's. */
static const struct {
    const char *what;
    mst_run_mode mode;
} modes[MST_N_RULES] = {
    [MST_RULE_STEP] = {"the paper: one time step after another, each neuron integrates and fires", MST_RUN_SPIKING},
    [MST_RULE_COUNT] = {"a layer takes in its whole input, then fires 0 to L spikes", MST_RUN_COUNT},
    [MST_RULE_RADIX] = {"the same numbers, sent as their binary digits", MST_RUN_RADIX},
};

static const char *const thinnings[MST_N_THINNINGS] = {
    [MST_THIN_BINOMIAL] = "each spike survives by itself: the paper's masks",
    [MST_THIN_SYSTEMATIC] = "the same mean with less scatter: not the paper's",
};

static bool mode_row(size_t k, const char **cells)
{
    if (k >= MST_N_RULES)
        return false;
    cells[0] = mst_run_rule_name((int)k);
    cells[1] = modes[k].what;
    return true;
}

static bool thinning_row(size_t k, const char **cells)
{
    if (k >= MST_N_THINNINGS)
        return false;
    cells[0] = mst_thinning_name((int)k);
    cells[1] = thinnings[k];
    return true;
}

const mst_list mst_list_modes = {"modes", 2, {"mode", "how values become spikes"}, mode_row};
const mst_list mst_list_thinnings = {"thinnings", 2, {"thinning", "what a mask does to the spikes of a count"}, thinning_row};

const char *mst_mode_name(mst_run_mode mode)
{
    for (int i = 0; i < MST_N_RULES; i++)
        if (modes[i].mode == mode)
            return mst_run_rule_name(i);
    return "float";
}

/* Which row of the list `option` chose, *k where it was not given. */
static mst_status take_name(const char *option, const char *given, const mst_list *list, size_t *k, mst_err *err)
{
    char known[MST_LIST_TEXT];
    const char *cells[MST_LIST_COLUMNS];
    if (given == NULL)
        return MST_OK;
    for (*k = 0; list->row(*k, cells); ++*k)
        if (strcmp(given, cells[0]) == 0)
            return MST_OK;
    mst_list_names(list, known, sizeof known);
    return mst_fail(err, MST_EINVAL, "%s: expected one of %s, found '%s'", option, known, given);
}

mst_status mst_mode_take(const mst_mode_opts *m, const mst_graph *g, const mst_opt_uint *steps, mst_run_opts *o,
                         mst_err *err)
{
    size_t rule = mst_graph_run_rule(g), thinning = mst_graph_thinning(g);
    MST_TRY(take_name("--mode", m->mode, &mst_list_modes, &rule, err));
    MST_TRY(take_name("--thinning", m->thinning, &mst_list_thinnings, &thinning, err));
    o->mode = modes[rule].mode;
    o->thinning = (mst_thinning)thinning;
    bool count = o->mode == MST_RUN_COUNT, radix = o->mode == MST_RUN_RADIX;
    if (!count && !radix && (m->levels.set || m->bits.set || m->thinning != NULL))
        return mst_fail(err, MST_EINVAL, "--%s: expected --mode count or radix with it",
                        m->levels.set ? "levels" : m->bits.set ? "bits" : "thinning");
    if (m->bits.set && !radix)
        return mst_fail(err, MST_EINVAL, "--bits: expected --mode radix with it; count has --levels");
    if (m->bits.set && m->levels.set)
        return mst_fail(err, MST_EINVAL, "--levels and --bits: expected one of them");
    if (radix && steps->set)
        return mst_fail(err, MST_EINVAL, "-T: radix has no time steps to choose: use --levels or --bits, or --mode step");
    if (count && steps->set && m->levels.set)
        return mst_fail(err, MST_EINVAL, "-T and --levels: in count mode they are the same: expected one of them");
    if (count && steps->set && steps->value > 255)
        return mst_fail(err, MST_EINVAL, "-T: count has 1 to 255 levels, found %llu", (unsigned long long)steps->value);
    if (m->levels.set)
        o->levels = (uint32_t)m->levels.value;
    if (m->bits.set)
        o->levels = (1u << m->bits.value) - 1;
    if (count && steps->set)
        o->levels = (uint32_t)steps->value;
    return MST_OK;
}
