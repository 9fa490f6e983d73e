/* See tool_mode.h. */
#include "tools/tool_mode.h"

#include <stdio.h>
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

/* Behind those of a file. */
static bool run_mode_row(size_t k, const char **cells)
{
    if (k != MST_N_RULES)
        return mode_row(k, cells);
    cells[0] = mst_run_mode_name(MST_RUN_ANN);
    cells[1] = "no spikes: the quantized ANN, masks drawn as in its training";
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
const mst_list mst_list_run_modes = {"modes", 2, {"mode", "how values become spikes"}, run_mode_row};
const mst_list mst_list_thinnings = {
    "thinnings", 2, {"thinning", "what a mask does to the spikes of a count"}, thinning_row};

/* Which options go with which mode. */
static mst_status check_mode(const mst_runs_opts *m, const mst_opt_uints *steps, mst_run_mode mode, mst_err *err)
{
    bool count = mode == MST_RUN_COUNT, radix = mode == MST_RUN_RADIX;
    if (!count && !radix && (m->levels.n != 0 || m->bits.n != 0 || m->thinning != NULL))
        return mst_fail(err, MST_EINVAL, "--%s: expected --mode count or radix with it",
                        m->levels.n != 0 ? "levels" : m->bits.n != 0 ? "bits"
                                                                     : "thinning");
    if (m->bits.n != 0 && !radix)
        return mst_fail(err, MST_EINVAL, "--bits: expected --mode radix with it; count has --levels");
    if (m->bits.n != 0 && m->levels.n != 0)
        return mst_fail(err, MST_EINVAL, "--levels and --bits: expected one of them");
    if (radix && steps->n != 0)
        return mst_fail(err, MST_EINVAL,
                        "-T: radix has no time steps to choose: use --levels or --bits, or --mode step");
    if (mode == MST_RUN_ANN && steps->n != 0)
        return mst_fail(err, MST_EINVAL, "-T: expected a spiking mode with it, found --mode ann");
    if (count && steps->n != 0 && m->levels.n != 0)
        return mst_fail(err, MST_EINVAL, "-T and --levels: in count mode they are the same: expected one of them");
    for (size_t i = 0; count && i < steps->n; i++)
        if (steps->values[i] > MST_MAX_RUN_LEVELS)
            return mst_fail(err, MST_EINVAL, "-T: count has 1 to %d levels, found %u", MST_MAX_RUN_LEVELS,
                            steps->values[i]);
    if (!count && steps->n > 1)
        return mst_fail(err, MST_EINVAL, "-T: expected one number in %s mode; --at reads several steps of one run",
                        mst_run_mode_name(mode));
    return MST_OK;
}

static mst_status take(const mst_runs_opts *m, const mst_list *known, const mst_graph *g, const mst_opt_uints *steps,
                       mst_run_opts *o, mst_opt_uints *levels, mst_err *err)
{
    size_t rule = mst_graph_run_rule(g), thinning = mst_graph_thinning(g);
    MST_TRY(mst_list_take(known, "--mode", m->mode, &rule, err));
    MST_TRY(mst_list_take(&mst_list_thinnings, "--thinning", m->thinning, &thinning, err));
    o->mode = rule < MST_N_RULES ? modes[rule].mode : MST_RUN_ANN;
    o->thinning = (mst_thinning)thinning;
    MST_TRY(check_mode(m, steps, o->mode, err));
    *levels = (mst_opt_uints){1, {0}};
    if (m->levels.n != 0)
        *levels = m->levels;
    else if (o->mode == MST_RUN_COUNT && steps->n != 0)
        *levels = *steps;
    for (size_t i = 0; i < m->bits.n; i++)
        levels->values[i] = (1u << m->bits.values[i]) - 1;
    levels->n = m->bits.n != 0 ? m->bits.n : levels->n;
    o->levels = levels->values[0];
    return MST_OK;
}

mst_status mst_runs_take(const mst_runs_opts *m, const mst_graph *g, const mst_opt_uints *steps, mst_run_opts *o,
                         mst_opt_uints *levels, mst_err *err)
{
    return take(m, &mst_list_run_modes, g, steps, o, levels, err);
}

/* What may be given once as a list of one, or none. */
static mst_opt_uints list_of(const mst_opt_uint *one)
{
    return one->set ? (mst_opt_uints){1, {(uint32_t)one->value}} : (mst_opt_uints){0};
}

mst_status mst_mode_take(const mst_mode_opts *m, const mst_graph *g, const mst_opt_uint *steps, mst_run_opts *o,
                         mst_err *err)
{
    mst_runs_opts several = {m->mode, m->thinning, list_of(&m->levels), list_of(&m->bits)};
    mst_opt_uints levels, t = list_of(steps);
    return take(&several, &mst_list_modes, g, &t, o, &levels, err);
}

mst_status mst_readout_take(const char *said, const mst_graph *g, uint32_t steps, mst_run_opts *o, mst_err *err)
{
    o->readout_from = 1;
    if (said == NULL)
        return MST_OK;
    if (o->mode != MST_RUN_SPIKING)
        return mst_fail(err, MST_EINVAL,
                        "--readout-from: expected --mode step with it: in %s mode a sample is one pass",
                        mst_run_mode_name(o->mode));
    if (strcmp(said, "auto") == 0)
        o->readout_from = g->tuning.timesteps == steps ? g->tuning.readout_from : steps / 2 + 1;
    else if (!mst_parse_uint(said, &o->readout_from) || o->readout_from < 1 || o->readout_from > steps)
        return mst_fail(err, MST_EINVAL, "--readout-from: expected auto or a step up to T = %u, found '%s'", steps,
                        said);
    return MST_OK;
}

bool mst_tuning_differs(const mst_graph *g, const mst_run_opts *o, uint32_t steps, char *text, size_t n)
{
    const mst_tuning *t = &g->tuning;
    uint64_t from = o->readout_from > 1 ? o->readout_from : 1;
    int at = snprintf(text, n, "v(0) is tuned for T = %u and logits of steps %u to %u", t->timesteps, t->readout_from,
                      t->timesteps);
    if (o->mode != MST_RUN_SPIKING)
        snprintf(text + at, n - (size_t)at, "; %s mode does not use it", mst_run_mode_name(o->mode));
    else
        snprintf(text + at, n - (size_t)at, ", this run has T = %u and logits of steps %llu to %u", steps,
                 (unsigned long long)from, steps);
    return t->timesteps != 0 && (o->mode != MST_RUN_SPIKING || t->timesteps != steps || t->readout_from != from);
}
