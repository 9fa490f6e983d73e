/* ONNX model -> SNN graph: the converter's public API.
 *
 *     mst_onnx_import(path, NULL, &graph, &err);           float graph, QCFS matched
 *     mst_convert(graph, NULL, &report, &err);             policy applied, ready to save
 *     mst_graph_save(graph, "snn.bin", &err);              graph and report are the caller's to release
 */
#ifndef MST_CONVERT_H
#define MST_CONVERT_H

#include "mst/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MST_MAX_RULES 256

/* Random Spike Masking policy (MST paper, Section 3.4), and levels in count and radix mode. Rules are applied in order
 * of specificity: default, then site, then stage, then block range, then node. A rule applies to a neuron if every
 * field that it sets matches. */
typedef struct mst_rule {
    int site;               /* enum mst_site; -1: every mask site, for levels any */
    int stage;              /* -1: any */
    int block_lo, block_hi; /* inclusive, counted over the network; -1: any */
    const char *node;       /* ONNX node name (fnmatch pattern); NULL: any */
    double ratio;           /* of masks: [0,1) */
    int levels;             /* of level_rules: 1..255 */
    int line;               /* in the policy file, for messages */
    unsigned used;          /* out: neurons that it matched */
} mst_rule;

typedef struct mst_policy {
    size_t size;      /* sizeof(mst_policy) or 0; another is EINVAL, for the library writes into it */
    mst_arena arena;  /* strings */
    const char *file; /* for messages; "" when not from a file */
    mst_rule rules[MST_MAX_RULES];
    uint32_t n_rules;
    mst_rule trained[MST_MAX_RULES]; /* ratios the weights were trained with */
    uint32_t n_trained;
    mst_trained_on trained_on; /* what those dropped */
    bool has_seed, has_timesteps, has_shift;
    uint64_t seed;
    uint32_t timesteps;
    double shift; /* overrides v(0)/theta of every neuron */
    bool has_run, has_thinning;
    mst_run_rule run;                    /* how the model is run by default */
    mst_thinning thinning;               /* of masks in count and radix mode */
    int levels;                          /* of every neuron in count and radix mode; 0: each its L */
    mst_rule level_rules[MST_MAX_RULES]; /* of single ones: closer than that */
    uint32_t n_level_rules;
} mst_policy;

/* What became of a pair of QuantizeLinear and DequantizeLinear of a quantized model. */
typedef enum mst_pair_fate {
    MST_PAIR_NEURON,  /* a neuron */
    MST_PAIR_ROUNDS,  /* an analog node that rounds as the model does */
    MST_PAIR_DROPPED, /* left out, because analog ones shall be */
    MST_PAIR_SAME,    /* left out: what comes in is on its levels */
    MST_PAIR_IN_QCFS, /* left out: inside of a QCFS activation, or beside one */
    MST_PAIR_FATES
} mst_pair_fate;
MST_API const char *mst_pair_fate_name(int fate); /* "neuron", "rounds", ...; NULL when unknown */
typedef struct mst_pair {
    const char *name, *type; /* of the QuantizeLinear; "uint8" or "int8" */
    double scale;            /* of the first channel */
    int zero;                /* its zero point */
    int lo, hi;              /* what leaves it are lo..hi times scale */
    mst_pair_fate fate;
    const char *reason; /* one line */
} mst_pair;
/* Which axis of an image [1,C,H,W] or [1,H,W,C] the model's channels are; the graph has the former in any case. */
typedef enum mst_layout {
    MST_LAYOUT_FOUND, /* what reads the input says it, or else its shape (with a warning) */
    MST_LAYOUT_NCHW,
    MST_LAYOUT_NHWC, /* as tf2onnx, Keras and JAX export */
    MST_LAYOUT_COUNT
} mst_layout;
MST_API const char *mst_layout_name(int layout); /* "auto", "nchw", "nhwc"; NULL when unknown */

typedef struct mst_import_opts {
    size_t size;         /* sizeof(mst_import_opts): mst/status.h */
    uint32_t input_rank; /* 0, or binds symbolic input dimensions (without batch), in the model's order */
    uint32_t input_dims[MST_MAX_RANK];
    const mst_allocator *alloc;
    const char *dump_dir;   /* NULL, or a folder: NN-pass.txt and NN-pass.dot after each pass */
    const char *stop_after; /* NULL, or a pass to stop after (for bisection) */
    /* NULL, or is told of each file beside the model that was read for its weights */
    void (*also_read)(void *also_read_ctx, const char *path);
    void *also_read_ctx;
    /* A staircase (floor, ceil, round, sign) that is no QCFS stays an analog island; otherwise it is EUNSUPPORTED */
    bool allow_analog;
    /* Pairs of a quantized model that cannot be neurons (signed values, averages) are left out, not kept as analog
     * rounding */
    bool drop_analog_pairs;
    /* NULL, or is told, one line each, what was converted but is probably not meant */
    void (*warn)(void *warn_ctx, const char *text);
    void *warn_ctx;
    /* NULL, or is told of each pair of a quantized model, in its order, once all passes have run; a failure ends the
     * import. The pair is lent. */
    mst_status (*pair)(void *pair_ctx, const mst_pair *pair, mst_err *err);
    void *pair_ctx;
    size_t layout; /* an mst_layout: of an input of 4 dimensions */
    /* NULL, or is told each entry of the model's metadata (ModelProto.metadata_props), in the file's order; the text
     * is lent for the call */
    void (*metadata)(void *metadata_ctx, const char *key, const char *value);
    void *metadata_ctx;
    /* NULL, or what metadata() found the layout to be: taken where `layout` is MST_LAYOUT_FOUND */
    const mst_layout *layout_said;
} mst_import_opts;

/* Read an ONNX file (opset 9 to 28), fold its constants and shape arithmetic
 * with the batch bound to 1, and lower it to a graph in which each QCFS is a
 * NEURON and BatchNorm is folded. The graph runs in float mode as the ANN
 * does. EUNSUPPORTED names node, operator and what would help. */
MST_API mst_status mst_onnx_import(const char *path, const mst_import_opts *opts, mst_graph **out,
                                   mst_err *err);

/* ---- ReLU networks: thresholds from data ---------------------------------------------
 *
 *     mst_onnx_import(path, NULL, &graph, &err);
 *     mst_relus_find(graph, &arena, &relus, &n, &err);     where activations could be measured (mst/thresholds.h)
 *     mst_relus_convert(graph, thresholds, n, &opts, &err);
 *     mst_convert(graph, ..);
 */

/* A bound of 0 from below that is the activation of a layer: ReLU, ReLU6, clipped ReLU. (Not one whose result
 * multiplies another live value: a gate stays analog; nor one that an exponential function reads, as in Elu.) */
typedef struct mst_relu {
    uint32_t node;       /* of the graph */
    const char *name;    /* lent by the graph */
    uint32_t channels;   /* of the last axis */
    double bound;        /* its upper bound; infinite: none */
    const float *bounds; /* [channels] where each has its own, the largest of which is bound; NULL: they have not */
} mst_relu;
/* The ReLUs of an imported graph in execution order, in the arena; g is not changed. ENOMEM. */
MST_API mst_status mst_relus_find(mst_graph *g, mst_arena *arena, mst_relu **out, size_t *n, mst_err *err);

/* What a ReLU becomes: theta * clip(floor(x*levels/theta + 1/2)/levels, 0, 1), an IF neuron with v(0) = theta/2. */
typedef struct mst_threshold {
    uint32_t node;      /* of mst_relu */
    int levels;         /* L, 1..255 */
    const float *theta; /* [n], each above 0 */
    size_t n;           /* 1, or the channels of mst_relu */
} mst_threshold;
/* Make NEURONs of the ReLUs that thresholds name, then run the passes that follow from it (layout to narrow). Node
 * numbers change. opts: dump_dir and stop_after, NULL: none. EINVAL names what does not fit. */
MST_API mst_status mst_relus_convert(mst_graph *g, const mst_threshold *thresholds, size_t n,
                                     const mst_import_opts *opts, mst_err *err);

/* One line of the report: a neuron layer, or a node that does not spike. */
typedef struct mst_report_row {
    const char *name, *kind; /* kind: "linear+IF", "conv+IF", "attention+IF", "softmax", ... */
    bool spiking;
    bool linear; /* of a row that does not spike: linear in rates, only its values are analog */
    uint32_t node;
    uint64_t neurons; /* outputs, for a node that does not spike */
    double theta_min, theta_max;
    int levels;     /* L */
    int run_levels; /* in count and radix mode */
    mst_site site;
    int stage, block;
    double ratio, trained; /* mask; -1: none / not known */
    const char *reason;    /* why it does not spike */
} mst_report_row;

/* What storing the weights of one LINEAR or CONV in fewer bits changed. */
typedef struct mst_weight_row {
    const char *name;
    uint32_t node;
    uint64_t weights;
    double error; /* |stored - w|_2 / |w|_2; 0 where all are 0 */
} mst_weight_row;

typedef struct mst_report {
    mst_arena arena;
    mst_report_row *rows; /* execution order */
    uint32_t n_rows;
    uint32_t n_neuron_layers;
    uint32_t n_non_spiking; /* nonlinear analog islands */
    uint32_t n_masks;
    uint32_t bn_kept;        /* BatchNorm (affine) nodes that could not be folded */
    uint64_t parameters;     /* float constants, without the scales of int8 weights */
    const char *attention;   /* "spiking", "softmax", "none" */
    mst_dtype weight_type;   /* of LINEAR and CONV: F32, F16, I8 */
    mst_weight_row *weights; /* execution order; none for F32 */
    uint32_t n_weights;
    uint64_t n_narrow, narrow_bytes; /* values of that type, each once; their bytes with scales */
} mst_report;

/* What a max pool of spikes takes in step mode. */
typedef enum mst_max_pool {
    MST_MAX_OF_RATES, /* RATE_POOL: the train with most spikes so far, as the ANN does */
    MST_MAX_OF_STEPS, /* POOL with MAX: a spike whenever one arrives, as code that runs step by step has it */
    MST_MAX_POOLS
} mst_max_pool;
MST_API const char *mst_max_pool_name(int which); /* "rates", "steps"; NULL when unknown */

typedef struct mst_convert_opts {
    size_t size;        /* sizeof(mst_convert_opts): mst/status.h */
    mst_policy *policy; /* NULL: no masks but those in the graph, step mode; rule.used is set */
    const char *dump_dir, *stop_after;
    bool require_spiking; /* a node that does not spike is an error */
    bool allow_analog;    /* a network in which nothing spikes, or one input stage only, is no error */
    mst_dtype weights;    /* F32, F16 or I8: how weights of LINEAR and CONV are stored */
    size_t max_pool;      /* an mst_max_pool */
} mst_convert_opts;

/* Insert masks, set levels and the way of running, store weights in the type asked for, fill the report (released
 * with mst_report_free). opts NULL: all of them 0. EINVAL with file and line where a rule matches nothing;
 * EUNSUPPORTED names the node whose weights the type cannot hold, or that does not spike where all must; or says that
 * nothing spikes, or one input stage only. */
MST_API mst_status mst_convert(mst_graph *g, const mst_convert_opts *opts, mst_report *report,
                               mst_err *err);
MST_API void mst_report_free(mst_report *r);

/* Name of pass k, in the order in which they run, and what it does (about may be NULL); NULL behind the
 * last. */
MST_API const char *mst_pass_at(size_t k, const char **about);

/* What becomes of an ONNX operator. */
typedef struct mst_onnx_op {
    const char *name;    /* behind its domain, if that is not ai.onnx: "com.microsoft.FusedMatMul" */
    bool folded;         /* evaluated where its inputs are constant */
    bool runs;           /* may stand in the graph, itself or written with others, or in a QCFS or a mask */
    bool written;        /* with other operators, where it runs */
    const char *spiking; /* on live data: "yes" (spikes go through it, or it is a synapse), "QCFS" or "mask" (as a part
                          * of one), "" */
    bool analog;         /* it may be an analog island */
    bool cut;            /* behind the logits it is left out */
} mst_onnx_op;
/* Operator k, by name, other domains behind; false behind the last. */
MST_API bool mst_onnx_op_at(size_t k, mst_onnx_op *out);

#ifdef __cplusplus
}
#endif
#endif
