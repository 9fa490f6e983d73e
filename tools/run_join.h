/* mstrun --merge --predictions: what the network said of the samples of all parts, as one run would have written it. */
#ifndef MST_RUN_JOIN_H
#define MST_RUN_JOIN_H

#include <jansson.h>

#include "tools/run_figures.h"

/* To path, an output of tool_paths.h. run: of all parts, whose predictions and predicted are set; parts: where each
 * comes from (run_merge.h), which tells its file and the hash of it. EINVAL: a part has none; EFORMAT: a file is not
 * that of its part; EIO, ENOMEM. */
mst_status mst_predictions_join(mst_run_facts *run, const json_t *parts, const char *path, mst_err *err);

#endif
