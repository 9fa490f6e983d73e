/* See report_modes.h. */
#include "tools/report/report_modes.h"

#include "tools/tool_main.h"

/* Levels of all layers, as a part of the most that any layer has; radix: one less than a power of two. 0: their own. */
typedef struct way {
    mst_run_mode mode;
    uint32_t part;
} way;

static const way ways[MST_MODES_MAX] = {
    {MST_RUN_COUNT, 4}, {MST_RUN_COUNT, 2}, {MST_RUN_COUNT, 0}, {MST_RUN_RADIX, 2}, {MST_RUN_RADIX, 0}};

static uint32_t most_levels(const mst_graph *g)
{
    int most = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON && mst_node_levels(&g->nodes[i]) > most)
            most = mst_node_levels(&g->nodes[i]);
    return (uint32_t)most;
}

/* 0: there is no such way. */
static uint32_t levels_of(const way *w, uint32_t most)
{
    uint32_t levels = most / w->part;
    if (w->mode == MST_RUN_COUNT || levels == 0)
        return levels <= 255 ? levels : 0;
    uint32_t digits = 1;
    while (digits < 8 && (2u << digits) - 1 <= levels)
        digits++;
    return (1u << digits) - 1;
}

static mst_status run_one(const mst_modes_job *job, const way *w, uint32_t levels, mst_modes *m, mst_err *err)
{
    static const mst_opt_uints once = {1, {1}};
    mst_run_opts ropts = *job->run;
    mst_program **program = &m->programs[m->n];
    mst_run_facts *r = &m->runs[m->n];
    ropts.mode = w->mode;
    ropts.levels = levels;
    ropts.readout_from = 1;
    ropts.schedule = MST_SCHEDULE_BLOCK;
    mst_status st = mst_program_create(job->graph, &ropts, program, err);
    if (st == MST_EUNSUPPORTED)
        return MST_OK;
    if (st != MST_OK)
        return st;
    m->n++;
    mst_sim_opts o = {.program = *program,
                      .data = job->data,
                      .pick = job->pick,
                      .skip_bad = job->skip_bad,
                      .threads = job->threads,
                      .mode = w->mode,
                      .levels = levels,
                      .thinning = ropts.thinning,
                      .steps = 1,
                      .readout_from = 1,
                      .at = &once,
                      .quiet = job->quiet};
    *r = (mst_run_facts){.isa = mst_program_isa(*program), .threads = job->threads};
    MST_TRY(mst_run_about_make(&r->about, &o, ropts.seed, err));
    r->about.energy = *job->energy;
    return mst_sim_run(&o, &r->sums, err);
}

mst_status mst_modes_run(const mst_modes_job *job, mst_modes *modes, mst_err *err)
{
    uint32_t most = most_levels(job->graph);
    mst_status st = MST_OK;
    *modes = (mst_modes){0};
    for (size_t k = 0; k < MST_MODES_MAX && st == MST_OK; k++) {
        uint32_t levels = ways[k].part != 0 ? levels_of(&ways[k], most) : 0;
        if (ways[k].part == 0 || levels != 0)
            st = run_one(job, &ways[k], levels, modes, err);
    }
    if (st == MST_OK || !mst_stop_asked)
        return st;
    mst_modes_free(modes); /* the page goes without */
    return MST_OK;
}

void mst_modes_free(mst_modes *modes)
{
    for (size_t k = 0; k < modes->n; k++) {
        mst_run_facts_free(&modes->runs[k]);
        mst_program_destroy(modes->programs[k]);
    }
    *modes = (mst_modes){0};
}
