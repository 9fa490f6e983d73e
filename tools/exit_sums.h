/* What samples that stop early add up to, beside the same samples run to the end, and how that is told. */
#ifndef MST_EXIT_SUMS_H
#define MST_EXIT_SUMS_H

#include <stdio.h>

#include "tools/exit_run.h"
#include "tools/run_energy.h"
#include "tools/tool_output.h"

/* A stage: of the samples that stop there, and of all of them. */
typedef struct mst_exit_at {
    uint64_t samples, labelled, right;
    uint64_t all_right;  /* of all that have a label */
    mst_counters counts; /* of all, until the end of the stage */
} mst_exit_at;

/* Where samples stop against the last stage, sample by sample. */
typedef struct mst_exit_change {
    uint64_t samples, better, worse, other; /* right only where it stops, only at the last; of another class there */
} mst_exit_change;

typedef struct mst_exit_sums {
    mst_exit_at at[MST_OPT_MAX_LIST];
    mst_counters counts; /* until the samples stop */
    mst_exit_change change;
} mst_exit_sums;

/* A sample that was seen at stages 0..last, and stops at one of them. */
void mst_exit_add(mst_exit_sums *s, const mst_exit_seen *seen, size_t stop, size_t last, int label);

/* Is what it says at a stage right? Without a label, what the last stage says is. */
bool mst_exit_right(const mst_exit_seen *seen, size_t stage, size_t last, int label);
void mst_exit_compare(mst_exit_change *c, const mst_exit_seen *seen, size_t stop, size_t last, int label);
/* Top-1, as a share, that stopping wins, and its standard error, of pairs; NaN of too few. */
double mst_exit_won(const mst_exit_change *c);
double mst_exit_won_se(const mst_exit_change *c);

/* Means over samples. */
typedef struct mst_exit_figures {
    uint64_t samples, labelled, right;
    double latency, spikes, fired, sops, macs;
    double energy, energy_all; /* times the ANN's: of operations, and all */
} mst_exit_figures;

/* All that is told. */
typedef struct mst_exit_result {
    double margin;
    mst_exit_facts facts;
    mst_exit_sums sums;
    mst_exit_figures early, alone[MST_OPT_MAX_LIST]; /* alone: all samples stop at this stage, which ran by itself */
    double saved;                                    /* of the energy of operations of the last alone; NaN: no spikes */
} mst_exit_result;

/* early, alone, saved from the sums. */
void mst_exit_figure(mst_exit_result *r, const mst_energy_set *e);

/* Tables: where samples stop; each stage alone and stopping early. Then a line that compares, which begins with the
 * samples that it is of. */
mst_status mst_exit_print(const mst_exit_result *r, const char *which, FILE *to, mst_err *err);
/* As objects, lists, and into an object; NULL: out of memory. */
json_t *mst_exit_figures_json(const mst_exit_figures *x);
void mst_exit_compare_json(json_t **to, const mst_exit_result *r);

#endif
