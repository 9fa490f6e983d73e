/* mstrun's files of single samples and its page, where a run is cut: resumed, shared by ranks, put together of parts.
 */
#ifndef MST_RUN_CUT_H
#define MST_RUN_CUT_H

#include "tools/run_sim.h"

typedef struct mst_cut {
    const char *resume;               /* NULL: from the beginning */
    const char *files[MST_SIM_FILES]; /* as mst_sim_opts has them */
    const char *html;                 /* NULL: no page */
    bool info;
} mst_cut;

/* EINVAL: something does not go with --resume, or with several ranks. */
mst_status mst_cut_check(const mst_cut *c, mst_err *err);
/* The same with --merge. */
mst_status mst_cut_check_merge(const mst_cut *c, mst_err *err);
/* An option that is of one number of levels; NULL: none was given. */
const char *mst_cut_of_one_run(const mst_cut *c);
/* Where what goes into the files is kept beside the journal, each compared with what else is written (tool_paths.h).
 * EINVAL: the journal's path is too long. */
mst_status mst_cut_claim(const mst_cut *c, const char *kept[MST_SIM_FILES], mst_err *err);

#endif
