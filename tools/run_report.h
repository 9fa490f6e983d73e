/* What simulations found, for people and as JSON. Knows nothing of how they ran. */
#ifndef MST_RUN_REPORT_H
#define MST_RUN_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "tools/run_energy.h"

/* One run of one or several of the same model on the same data. */
typedef struct mst_run_facts {
    const char *model, *data; /* paths as given */
    mst_sim_opts opts;
    mst_sim_result result;
    mst_energy energy;
    uint64_t seed;
    unsigned threads; /* that took part, whether each had its own samples or not */
} mst_run_facts;

/* One run: all of it. Several: a row each. */
mst_status mst_run_print(const mst_run_facts *runs, size_t n, FILE *f, mst_err *err);
mst_status mst_run_json(const mst_run_facts *runs, size_t n, const char *path, mst_err *err);

/* Of the labelled samples, at entry k of --at; NaN without labels. */
double mst_run_top1(const mst_run_facts *r, size_t k);
/* Steps that a layer has to fire in: T; in count mode its levels, in radix their digits. */
double mst_run_slots(const mst_run_facts *r, size_t layer);
/* spikes / (neurons * slots), after the mask */
double mst_run_rate(const mst_run_facts *r, size_t layer);
/* Operations of the layers that feed it, for each synapse. NaN without synapses. */
double mst_run_input_events(const mst_run_facts *r, size_t layer);
/* Does any layer drop spikes? */
bool mst_run_masked(const mst_run_facts *r);
/* Steps from the input to the output: T; in count and radix mode a window for each of the neurons in sequence. */
double mst_run_latency(const mst_run_facts *r);

/* T and readout that v(0) was tuned for; null: it was not. */
json_t *mst_json_tuning(const mst_tuning *t);

/* --info: what a model is, without running it. */
mst_status mst_info_print(const mst_program *p, const char *model, FILE *f, mst_err *err);
mst_status mst_info_json(const mst_program *p, const char *model, const char *path, mst_err *err);

#endif
