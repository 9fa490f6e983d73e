/* What simulations found, for people and as JSON. Knows nothing of how they ran. */
#ifndef MST_RUN_REPORT_H
#define MST_RUN_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "tools/run_figures.h"

/* One run: all of it. Several: a row each. */
mst_status mst_run_print(const mst_run_facts *runs, size_t n, FILE *f, mst_err *err);
/* parts: where they come from, of runs that were put together, into "provenance" (taken); NULL: they ran here. */
mst_status mst_run_json(const mst_run_facts *runs, size_t n, json_t *parts, const char *path, mst_err *err);

/* "provenance" of that: on what it ran, or the parts; nothing that results depend on. NULL: out of memory. */
json_t *mst_run_json_machine(const mst_run_facts *r, json_t *parts);

/* What was counted until a step, into an object; all of the energy. NULL: out of memory. */
void mst_run_json_counts(json_t **to, mst_run_mode mode, const mst_figures *x);
json_t *mst_run_json_energy(const mst_run_facts *r, const mst_figures *x);

/* T and readout that v(0) was tuned for; null: it was not. */
json_t *mst_json_tuning(const mst_tuning *t);

/* --info: what a model is, without running it. */
mst_status mst_info_print(const mst_program *p, const char *model, FILE *f, mst_err *err);
mst_status mst_info_json(const mst_program *p, const char *model, const char *path, mst_err *err);

#endif
