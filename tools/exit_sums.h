/* What samples that stop early add up to, and how that is told. */
#ifndef MST_EXIT_SUMS_H
#define MST_EXIT_SUMS_H

#include <stdio.h>

#include "tools/exit_run.h"
#include "tools/run_energy.h"
#include "tools/tool_output.h"

/* Of the samples that stop at a stage. */
typedef struct mst_exit_at {
    uint64_t samples, labelled, right;
} mst_exit_at;

typedef struct mst_exit_sums {
    mst_exit_at at[MST_OPT_MAX_LIST];
    mst_counters counts;
} mst_exit_sums;

void mst_exit_add(mst_exit_sums *s, size_t stage, const mst_exit_seen *seen, int label);

/* Means over samples. */
typedef struct mst_exit_figures {
    uint64_t samples, labelled, right;
    double latency, spikes, fired, sops, macs;
    double energy, energy_all; /* times the ANN's: of operations, and all */
} mst_exit_figures;
mst_exit_figures mst_exit_figures_of(const mst_exit_sums *s, const mst_exit_facts *f, const mst_energy_set *e);

/* The rows of a table, a stage each. counts: stages are levels. */
mst_status mst_exit_print(const mst_exit_sums *s, const mst_exit_facts *f, bool counts, FILE *to, mst_err *err);
/* As a list and as an object; NULL: out of memory. */
json_t *mst_exit_stages_json(const mst_exit_sums *s, const mst_exit_facts *f, bool counts);
json_t *mst_exit_figures_json(const mst_exit_figures *x);

#endif
