/* Spiking simulation of a data set: accuracy over time, spikes, operations.
 * Knows nothing of printing.
 */
#ifndef MST_RUN_SIM_H
#define MST_RUN_SIM_H

#include "mst/session.h"
#include "mst/data.h"
#include "tools/report/report_versus.h"
#include "tools/tool_opts.h"
#include "tools/run_sums.h"

/* Files of what single samples say. */
typedef enum mst_sim_file { MST_SIM_TRACE,
                            MST_SIM_PREDICTIONS,
                            MST_SIM_RASTER,
                            MST_SIM_FILES } mst_sim_file;

typedef struct mst_sim_opts {
    const mst_program *program;
    const mst_data *data;
    const mst_pick *pick; /* of data */
    bool skip_bad;
    struct mst_journal *journal; /* where to go on from, and to say how far it came; NULL: none */
    unsigned threads;
    mst_run_mode mode; /* of the program, as are levels (0: each layer's own) and thinning */
    uint32_t levels;
    mst_thinning thinning;
    uint32_t steps;                   /* T; 1 in the other modes */
    uint32_t readout_from;            /* of the program: first step of the mean of its logits; 1 in the other modes */
    const mst_opt_uints *at;          /* ascending, the last at most T */
    const char *files[MST_SIM_FILES]; /* CSV; CSV or .npz; .npz ("-": stdout); NULL: none */
    const char *kept[MST_SIM_FILES];  /* where what is in these lies beside the journal, too */
    uint64_t *predicted;              /* takes a hash of the predictions */
    const mst_opt_list *raster_layers;
    const mst_program *ann; /* the network in float mode, run beside it; NULL: it is not */
    mst_versus *versus;     /* takes what both say of each sample; zero-initialised, the caller's to free */
    uint64_t identity;      /* of all this and the run that it is part of: the same on all ranks */
    bool quiet;             /* no progress bar */
} mst_sim_opts;

/* Run; what read, run or write first failed, EIO where the run was stopped: what was done before that is in *r all the
 * same, on rank 0. Release with mst_run_sums_free in any case. */
mst_status mst_sim_run(const mst_sim_opts *o, mst_run_sums *r, mst_err *err);

#endif
