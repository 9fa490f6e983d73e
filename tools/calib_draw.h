/* Samples drawn at random, and those of them that are held out. Knows nothing of what they are for. */
#ifndef MST_CALIB_DRAW_H
#define MST_CALIB_DRAW_H

#include "mst/data.h"
#include "tools/tool_pick.h"

/* The samples of DATA that the options leave but for --limit, and those of a second DATA. */
typedef struct mst_calib_data {
    mst_data *data, *judge;    /* judge NULL: there is no second */
    mst_pick from, judge_from; /* of these */
} mst_calib_data;

/* args: MODEL.onnx MODEL.bin DATA [DATA]. Warns where the values of samples do not fit. Close in any case. */
mst_status mst_calib_data_open(mst_calib_data *d, const char *const *args, size_t n_args, const mst_graph *g,
                               const mst_pick_opts *pick, mst_err *err);
void mst_calib_data_close(mst_calib_data *d);

typedef struct mst_draw_job {
    const mst_pick *from;  /* samples of DATA to draw from */
    const mst_pick *judge; /* those of a second DATA, which are held out; NULL: a share of the first is */
    size_t n;              /* drawn from each, at most */
    size_t n_judge;        /* of the second, at most */
    double holdout;        /* that share */
    uint64_t seed;
    const char *what; /* before errors: "tuning" */
} mst_draw_job;

typedef struct mst_drawn {
    mst_arena arena;
    uint32_t *fit;  /* [n_fit] numbers of samples of DATA, in an order drawn by the seed: the first few stand for all */
    uint32_t *held; /* [n_held] of the second DATA where there is one, in its order */
    size_t n_fit, n_held;
} mst_drawn;

/* Each set is as likely. EINVAL where not one is left to fit, and two held out; ENOMEM. Release in any case. */
mst_status mst_draw_samples(const mst_draw_job *job, mst_drawn *out, mst_err *err);
void mst_drawn_free(mst_drawn *d);

#endif
