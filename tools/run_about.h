/* What a run is, apart from what came of it: the network, the data, how it was run. In plain values, so that results of
 * several runs can be joined and told where there is no model, from their JSON alone.
 */
#ifndef MST_RUN_ABOUT_H
#define MST_RUN_ABOUT_H

#include <jansson.h>

#include "tools/run_energy.h"
#include "tools/run_sim.h"
#include "tools/run_sums.h"
#include "tools/tool_assumed.h"

/* A layer of neurons. */
typedef struct mst_run_layer {
    const char *name, *kind, *site;
    int64_t stage, block; /* -1: outside */
    uint64_t neurons;
    double theta; /* the mean over channels */
    bool theta_per_channel;
    int64_t L;
    uint64_t levels; /* count and radix mode: that it runs with; 0 in the others */
    bool mask;
    double ratio, trained; /* of the mask; trained NaN: not known */
    uint64_t dense_in;
} mst_run_layer;

typedef struct mst_run_about {
    mst_arena arena;
    const char *model, *data, *format; /* as given; of the data */
    const char *network;               /* mst_model_hash */
    const char *picked;                /* a hash of the numbers of the samples, of all shards */
    uint64_t selected;                 /* how many those are */
    bool skip_bad;
    uint64_t shard, shards; /* shard 1..shards of these; 0 and 0: all */
    uint64_t seed;
    const char *mode_name;
    mst_run_mode mode;
    uint64_t steps, readout_from; /* T; 0 in the other modes than step */
    uint64_t levels;              /* of all layers; 0: each layer's own, or of no meaning */
    const char *thinning;         /* count and radix mode with masks; NULL: none */
    const char *trained_on;       /* mst_trained_on_name; NULL: no masks */
    uint64_t depth, window;       /* count and radix mode; 0 in the others */
    uint64_t dense_pass, dense_static;
    uint64_t tuned_steps, tuned_from, tuned_layers; /* what v(0) is tuned for; 0: it is not */
    mst_opt_uints at;
    mst_energy energy;
    mst_assumed assumed;
    uint64_t bytes, parameters; /* of the model */
    double sparsity;            /* of its weights */
    size_t n_names;             /* of classes */
    const char **names;
    size_t n_layers;
    mst_run_layer *layers;
} mst_run_about;

/* Of a run with o, whose program is made; model, data and energy are the caller's to set, and mst_run_about_model to be
 * called where all is to be told. Lent by the program and its graph. ENOMEM. Release in any case. */
mst_status mst_run_about_make(mst_run_about *a, const mst_sim_opts *o, uint64_t seed, mst_err *err);
void mst_run_about_free(mst_run_about *a);

/* network, bytes, parameters, sparsity, of the graph that runs, whose hash is lent. */
void mst_run_about_model(mst_run_about *a, const mst_graph *g, const char *network);

/* Does any layer drop spikes? */
bool mst_run_masked(const mst_run_about *a);
/* Does its ANN drop single levels where masks are drawn, as its training did, not whole activations? */
bool mst_run_drops_levels(const mst_run_about *a);

/* What a run is, with the path of the model and the number of the part; layer k without what it did;
 * as objects. NULL: out of memory. */
json_t *mst_run_about_json(const mst_run_about *a);
json_t *mst_run_about_energy(const mst_run_about *a); /* "energy" of that */
json_t *mst_run_layer_json(const mst_run_layer *l);
/* What must be the same in all parts; and a hash of that, and of the version. ENOMEM. */
json_t *mst_run_about_identity(const mst_run_about *a);
mst_status mst_run_about_hash(const mst_run_about *a, uint64_t *hash, mst_err *err);
/* Back from the JSON of a run. EFORMAT, ENOMEM. */
mst_status mst_run_about_take(mst_run_about *a, const json_t *run, mst_err *err);

/* Time steps that neurons see: T, or 1. */
static inline double mst_run_steps(const mst_run_about *a) { return a->steps != 0 ? (double)a->steps : 1; }

#endif
