/* What became of a network as a whole. Severity belongs to the outcome, not to the operator. */
#ifndef MST_VERDICT_H
#define MST_VERDICT_H

#include "mst/convert.h"

/* EUNSUPPORTED, with the ways out, where nothing spikes, or one input stage only. r: the report of g. */
mst_status mst_check_spikes(mst_graph *g, const mst_report *r, mst_err *err);

/* Tells opts->warn of masks whose survivors are scaled up: dropout that was left in training mode. */
void mst_warn_dropout(const mst_graph *g, const mst_import_opts *opts);

/* ties.c: tells opts->warn of Rounds that read other quantizers, where many values are right between two levels and
 * float32 does not have them exactly. ENOMEM. */
mst_status mst_warn_ties(const mst_graph *g, const mst_import_opts *opts, mst_err *err);

#endif
