/* What a simulation found, for people and as JSON. Knows nothing of how it ran. */
#ifndef MST_RUN_REPORT_H
#define MST_RUN_REPORT_H

#include <stdio.h>

#include "tools/run_sim.h"

/* Joules per spike in Eq. 10, P = spikes / 1 ms * alpha. The paper gives no value: alpha only
 * scales the figure, so powers compare between runs that use the same one. */
#define MST_DEFAULT_ALPHA 1e-12
/* pJ of one accumulate and one multiply-accumulate, 45 nm (Horowitz, ISSCC 2014). */
#define MST_DEFAULT_ENERGY_AC 0.9
#define MST_DEFAULT_ENERGY_MAC 4.6

typedef struct mst_energy {
    double alpha;   /* J per spike */
    double ac, mac; /* pJ */
} mst_energy;

typedef struct mst_run_facts {
    const char *model, *data; /* paths as given */
    const mst_sim_opts *opts;
    const mst_sim_result *result;
    mst_energy energy;
    uint64_t seed;
} mst_run_facts;

mst_status mst_run_print(const mst_run_facts *r, FILE *f, mst_err *err);
mst_status mst_run_json(const mst_run_facts *r, const char *path, mst_err *err);

/* --info: what a model is, without running it. */
mst_status mst_info_print(const mst_program *p, const char *model, FILE *f, mst_err *err);
mst_status mst_info_json(const mst_program *p, const char *model, const char *path, mst_err *err);

#endif
