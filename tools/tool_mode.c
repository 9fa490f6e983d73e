/* See tool_mode.h. */
#include "tools/tool_mode.h"

#include <string.h>

static const struct {
    const char *name, *what;
    mst_run_mode mode;
} modes[] = {
    {"step", "the paper: one time step after another, each neuron integrates and fires", MST_RUN_SPIKING},
    {"count", "a layer takes in its whole input, then fires 0 to L spikes", MST_RUN_COUNT},
    {"radix", "the same numbers, sent as their binary digits", MST_RUN_RADIX},
};
#define N_MODES (sizeof modes / sizeof modes[0])

static const char *const thinnings[][2] = {
    [MST_THIN_BINOMIAL] = {"binomial", "each spike survives by itself: the paper's masks"},
    [MST_THIN_SYSTEMATIC] = {"systematic", "the same mean with less scatter: not the paper's"},
};
#define N_THINNINGS (sizeof thinnings / sizeof thinnings[0])

static bool mode_row(size_t k, const char **cells)
{
    if (k >= N_MODES)
        return false;
    cells[0] = modes[k].name;
    cells[1] = modes[k].what;
    return true;
}

static bool thinning_row(size_t k, const char **cells)
{
    if (k >= N_THINNINGS)
        return false;
    cells[0] = thinnings[k][0];
    cells[1] = thinnings[k][1];
    return true;
}

const mst_list mst_list_modes = {"modes", 2, {"mode", "how values become spikes"}, mode_row};
const mst_list mst_list_thinnings = {"thinnings", 2, {"thinning", "what a mask does to the spikes of a count"}, thinning_row};

const char *mst_mode_name(mst_run_mode mode)
{
    for (size_t i = 0; i < N_MODES; i++)
        if (modes[i].mode == mode)
            return modes[i].name;
    return "float";
}

static mst_status take_names(const mst_mode_opts *m, mst_run_opts *o, mst_err *err)
{
    char known[MST_LIST_TEXT];
    size_t i = 0, k = 0;
    while (m->mode != NULL && i < N_MODES && strcmp(m->mode, modes[i].name) != 0)
        i++;
    while (m->thinning != NULL && k < N_THINNINGS && strcmp(m->thinning, thinnings[k][0]) != 0)
        k++;
    if (i == N_MODES) {
        mst_list_names(&mst_list_modes, known, sizeof known);
        return mst_fail(err, MST_EINVAL, "--mode: expected one of %s, found '%s'", known, m->mode);
    }
    if (k == N_THINNINGS) {
        mst_list_names(&mst_list_thinnings, known, sizeof known);
        return mst_fail(err, MST_EINVAL, "--thinning: expected one of %s, found '%s'", known, m->thinning);
    }
    if (m->mode != NULL)
        o->mode = modes[i].mode;
    if (m->thinning != NULL)
        o->thinning = (mst_thinning)k;
    return MST_OK;
}

mst_status mst_mode_take(const mst_mode_opts *m, const mst_opt_uint *steps, mst_run_opts *o, mst_err *err)
{
    MST_TRY(take_names(m, o, err));
    bool count = o->mode == MST_RUN_COUNT, radix = o->mode == MST_RUN_RADIX;
    if (!count && !radix && (m->levels.set || m->bits.set || m->thinning != NULL))
        return mst_fail(err, MST_EINVAL, "--%s: expected --mode count or radix with it",
                        m->levels.set ? "levels" : m->bits.set ? "bits" : "thinning");
    if (m->bits.set && !radix)
        return mst_fail(err, MST_EINVAL, "--bits: expected --mode radix with it; count has --levels");
    if (m->bits.set && m->levels.set)
        return mst_fail(err, MST_EINVAL, "--levels and --bits: expected one of them");
    if (radix && steps->set)
        return mst_fail(err, MST_EINVAL, "-T: radix has no time steps to choose: use --levels or --bits");
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
