/* The SNN graph: what the converter makes, snn.bin stores, the runtime runs.
 *
 * Plain arrays of tensors and nodes; ids are indices. Passes edit them in
 * place. Float mode and spiking mode run the same graph: a NEURON is the QCFS
 * staircase in the one and an integrate-and-fire neuron in the other.
 */
#ifndef MST_GRAPH_H
#define MST_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "mst/alloc.h"
#include "mst/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MST_MAX_RANK 8
#define MST_MAX_IP 16
#define MST_MAX_FP 2
#define MST_MAX_CHANNELS 64 /* input channels with a mean and std of their own */
#define MST_NONE UINT32_MAX

/* limits on what a file may ask for */
#define MST_MAX_TENSORS (1u << 20)
#define MST_MAX_NODES (1u << 20)
#define MST_MAX_ELEMENTS (1u << 30)  /* of one tensor */
#define MST_MAX_I8_INPUTS (1u << 24) /* of one output with I8 weights: their sum fits into 32 bits */
#define MST_MAX_TIMESTEPS 65536u
#define MST_MAX_SIDE 65535u  /* pixels that an image is resized or cropped to */
#define MST_MAX_FRAMES 4096u /* of an event recording */

enum {
    MST_F_MOVE = 1,
    MST_F_UNIT = 2,
    MST_F_LINEAR = 4,
    MST_F_SYNAPSE = 8,
    MST_F_STATE = 16,
    MST_F_PURE = 32,
    MST_F_SPIKE = 64,
    MST_F_BY_FN = 128
};

typedef enum mst_op {
#define MST_OP_BEGIN(id, name, min, max, flags) MST_OP_##id,
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END
    MST_OP_COUNT
} mst_op;

/* MST_CONV_STRIDE and the like: where in node.ip a parameter starts */
#define MST_OP_BEGIN(id, name, min, max, flags) enum {
#define MST_IP(id, field, n) MST_##id##_##field, MST_##id##_##field##_END = MST_##id##_##field + (n)-1,
#define MST_FP(id, field)
#define MST_OP_END(id) \
    MST_##id##_IP_COUNT \
    } \
    ;
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END

/* MST_CLIP_LO and the like: where in node.fp */
#define MST_OP_BEGIN(id, name, min, max, flags) enum {
#define MST_IP(id, field, n)
#define MST_FP(id, field) MST_##id##_##field,
#define MST_OP_END(id) \
    MST_##id##_FP_COUNT \
    } \
    ;
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END

/* What ops.def says of one operator. */
typedef struct mst_op_info {
    const char *name;
    uint32_t min_in, max_in, flags, n_ip, n_fp;
    const char *ip_names[MST_MAX_IP]; /* "STRIDE", one entry a parameter slot; NULL: part of the one before */
    const char *fp_names[MST_MAX_FP];
} mst_op_info;
MST_API const mst_op_info *mst_op_get(mst_op op); /* static; NULL for an unknown op */

typedef enum mst_binary_fn {
    MST_BIN_ADD,
    MST_BIN_SUB,
    MST_BIN_MUL,
    MST_BIN_DIV,
    MST_BIN_MIN,
    MST_BIN_MAX,
    MST_BIN_POW,
    MST_BIN_COUNT
} mst_binary_fn;
typedef enum mst_reduce_fn { MST_RED_MEAN,
                             MST_RED_SUM,
                             MST_RED_MAX,
                             MST_RED_COUNT } mst_reduce_fn;
typedef enum mst_unary_fn {
    MST_UN_FLOOR,
    MST_UN_CEIL,
    MST_UN_ROUND,
    MST_UN_ABS,
    MST_UN_NEG,
    MST_UN_SQRT,
    MST_UN_RECIPROCAL,
    MST_UN_EXP,
    MST_UN_LOG,
    MST_UN_TANH,
    MST_UN_SIGMOID,
    MST_UN_ERF,
    MST_UN_GELU,
    MST_UN_GELU_TANH,
    MST_UN_SILU,
    MST_UN_SOFTPLUS,
    MST_UN_SIGN,
    MST_UN_COUNT
} mst_unary_fn;
MST_API const char *mst_binary_name(int fn); /* "add"; NULL when unknown */
MST_API const char *mst_reduce_name(int fn);
MST_API const char *mst_unary_name(int fn);

/* Where a neuron sits. Some are the mask sites of the MST paper (Section 3.4); the others name a neuron in
 * tables. */
typedef enum mst_site {
    MST_SITE_OTHER,
    MST_SITE_Q,
    MST_SITE_K,
    MST_SITE_V,
    MST_SITE_ATTN,
    MST_SITE_AV,
    MST_SITE_PROJ,
    MST_SITE_MLP_FC1,
    MST_SITE_MLP_FC2,
    MST_SITE_CONV,
    MST_SITE_COUNT
} mst_site;
MST_API const char *mst_site_name(int site); /* "mlp_fc1"; NULL when unknown */
MST_API bool mst_is_mask_site(int site);

/* F64 lives in the converter only, so that folding rounds once, at the end. F16 (IEEE binary16, as
 * uint16_t) and I8 (-127..127, times a scale per output) are weights of LINEAR and CONV only. */
typedef enum mst_dtype { MST_F32,
                         MST_I32,
                         MST_F64,
                         MST_F16,
                         MST_I8,
                         MST_DTYPE_COUNT } mst_dtype;
MST_API const char *mst_dtype_name(mst_dtype t); /* "f16"; NULL when unknown */
MST_API size_t mst_dtype_size(mst_dtype t);

typedef struct mst_tensor {
    const char *name; /* the ONNX name where there is one; "" otherwise */
    mst_dtype dtype;
    uint32_t rank; /* 0: a scalar */
    uint32_t dims[MST_MAX_RANK];
    const void *data; /* constants: row-major values; NULL: computed (or the graph's input) */
} mst_tensor;

typedef enum mst_node_mode { MST_MODE_STEP = 0 /* products and softmax see one step's spikes */ } mst_node_mode;

typedef struct mst_node {
    mst_op op;
    mst_node_mode mode;
    const char *name; /* ONNX node name */
    uint32_t n_in;
    uint32_t *in; /* tensor ids; an absent optional input is MST_NONE */
    uint32_t out; /* tensor id */
    int32_t ip[MST_MAX_IP];
    float fp[MST_MAX_FP];
} mst_node;

typedef enum mst_interpolation {
    MST_BICUBIC,
    MST_BILINEAR,
    MST_NEAREST,
    MST_INTERPOLATION_COUNT
} mst_interpolation; /* as Pillow's Image.resize: reducing, the filters widen (antialiasing) */
typedef enum mst_split { MST_SPLIT_NUMBER,
                         MST_SPLIT_TIME,
                         MST_SPLIT_COUNT } mst_split;
typedef enum mst_present { MST_PRESENT_CHANNELS,
                           MST_PRESENT_STEPS,
                           MST_PRESENT_COUNT } mst_present;
MST_API const char *mst_interpolation_name(int how); /* "bicubic"; NULL when unknown */
MST_API const char *mst_split_name(int how);
MST_API const char *mst_present_name(int how);

/* How a model is run when the user does not say: step by step, each layer's spikes counted over a window, or
 * the binary digits of those counts (docs/EXECUTION.md, "Count and radix"). */
typedef enum mst_run_rule { MST_RULE_STEP,
                            MST_RULE_COUNT,
                            MST_RULE_RADIX,
                            MST_N_RULES } mst_run_rule;
/* What a MASK leaves of the n spikes of a neuron in count and radix mode. */
typedef enum mst_thinning {
    MST_THIN_BINOMIAL,   /* each spike survives by itself: the paper's masks */
    MST_THIN_SYSTEMATIC, /* the same mean, less scatter: not the paper's */
    MST_N_THINNINGS
} mst_thinning;
/* What the masks of the training dropped: whole activations (the paper's ANN), single ones of the levels that an
 * activation has, or spikes of simulated time steps. */
typedef enum mst_trained_on {
    MST_TRAINED_ON_UNKNOWN,
    MST_TRAINED_ON_ACTIVATIONS,
    MST_TRAINED_ON_LEVELS,
    MST_TRAINED_ON_STEPS,
    MST_N_TRAINED_ON
} mst_trained_on;
MST_API const char *mst_run_rule_name(int rule);   /* "step", "count", "radix"; NULL when unknown */
MST_API const char *mst_thinning_name(int rule);   /* "binomial" */
MST_API const char *mst_trained_on_name(int what); /* "unknown", "activations", ... */
#define MST_MAX_RUN_LEVELS 255                     /* of a neuron in count and radix mode */

/* Of mst_prepare.resize: both sides in pixels, whatever shape that makes of the image. */
#define MST_RESIZE_BOTH(height, width) ((uint32_t)(width) << 16 | (uint32_t)(height))
#define MST_RESIZE_HEIGHT(resize) ((resize)&0xffffu)
#define MST_RESIZE_WIDTH(resize) ((resize) >> 16) /* 0: of the shorter side */

/* How a sample of another size becomes the model's input. Images: resized, then cropped about the
 * center (torchvision's Resize and CenterCrop), where they differ from the input's size. Event
 * recordings: cut into frames of two polarities (MST paper, Section 4.2). */
typedef struct mst_prepare {
    uint32_t resize;                  /* pixels of the shorter side, or MST_RESIZE_BOTH; 0: no resizing */
    uint32_t crop_height, crop_width; /* 0: the input's size after a resize, no crop without one */
    uint32_t frames;                  /* of a recording; 0: the model is not for events */
    mst_interpolation interpolation;
    mst_split split;     /* frames of equal numbers of events, or of equal time */
    mst_present present; /* all frames as channels at every step, or one after another */
} mst_prepare;

/* What a user needs to run the model, beside the graph. */
typedef struct mst_meta {
    uint32_t timesteps;                                  /* T to run when the user gives none */
    uint64_t seed;                                       /* Philox key of the masks */
    uint32_t n_norm;                                     /* 0: input enters as it is; else channels in mean/std */
    float mean[MST_MAX_CHANNELS], std[MST_MAX_CHANNELS]; /* (x/255 - mean)/std */
    mst_prepare prepare;                                 /* what comes before that */
    bool channels_last;                                  /* the ONNX model takes [1,H,W,C]; the graph [1,C,H,W] */
    mst_run_rule run;                                    /* by default */
    mst_thinning thinning;
    mst_trained_on trained_on; /* what MASK drops in the ANN as it was trained (MST_RUN_ANN) */
    uint8_t source_sha256[32]; /* of the .onnx file; all zero: not known */
    const char *source_name;   /* its file name without the folder; "" when not known */
    const char *producer;      /* tool and version that wrote this */
    uint32_t n_classes;        /* 0: names not known */
    const char **class_names;
} mst_meta;

/* v(0) of a NEURON in step mode, found on samples (mst/tune.h): v(0)/theta, in place of its SHIFT, for each position
 * along some axes of its output, in row-major order. */
typedef struct mst_tuned {
    uint32_t node;
    uint32_t axes;      /* bit i for axis i; 0: the same for all */
    uint32_t n;         /* product of those dimensions */
    const float *first; /* [n] */
} mst_tuned;

/* Only step mode reads it. */
typedef struct mst_tuning {
    uint32_t timesteps;    /* T that it was found for; 0: the graph is not tuned */
    uint32_t readout_from; /* the step from which on logits were averaged, 1..T */
    uint32_t n_layers;
    const mst_tuned *layers; /* by node, ascending; lent, or in the graph's arena */
} mst_tuning;

typedef struct mst_graph {
    mst_arena arena; /* owns names, node inputs and constants made by passes */
    mst_tensor *tensors;
    uint32_t n_tensors, cap_tensors;
    mst_node *nodes; /* in an order in which they can run */
    uint32_t n_nodes, cap_nodes;
    uint32_t input;  /* tensor ids; the input is [1,C,H,W] as in the ONNX model */
    uint32_t output; /* logits, [1,classes] */
    mst_meta meta;
    void *backing; /* a snn.bin that constants point into, mapped or read; released with the graph */
    size_t backing_size;
    bool backing_is_file; /* mapped: its pages can be dropped, they come again from the file */
    mst_tuning tuning;
} mst_graph;

/* Create an empty graph; alloc NULL: the C library. mst_graph_destroy takes it
 * (NULL allowed). ENOMEM. */
MST_API mst_status mst_graph_create(const mst_allocator *alloc, mst_graph **out, mst_err *err);
MST_API void mst_graph_destroy(mst_graph *g);

/* Append a tensor (dims copied, data lent or NULL); its id in *id. ENOMEM, ELIMIT. */
MST_API mst_status mst_graph_add_tensor(mst_graph *g, const char *name, mst_dtype dtype, uint32_t rank,
                                        const uint32_t *dims, const void *data, uint32_t *id, mst_err *err);

/* Append a node with n_in inputs that makes tensor out; parameters are zero.
 * The pointer in *node is lent until the next node is added. ENOMEM, ELIMIT. */
MST_API mst_status mst_graph_add_node(mst_graph *g, mst_op op, const char *name, uint32_t n_in,
                                      const uint32_t *in, uint32_t out, mst_node **node, mst_err *err);

/* Check everything a reader or pass could get wrong: arity, ids, order, single
 * producer, shapes of every operator, parameter ranges, constants present,
 * finite theta > 0. EINVAL with the node's name. */
MST_API mst_status mst_graph_validate(const mst_graph *g, mst_err *err);

/* Are the constants of a valid graph numbers? Float constants are finite; but for what a softmax turns into 0: minus
 * infinity that a BINARY adds, or infinity that it subtracts. EINVAL names node, element and value. Reads every
 * constant once for each node that takes it. */
MST_API mst_status mst_graph_check_values(const mst_graph *g, mst_err *err);

MST_API size_t mst_tensor_elements(const mst_tensor *t); /* product of dims (1 for a scalar) */
MST_API bool mst_same_shape(const mst_tensor *a, const mst_tensor *b);
MST_API bool mst_is_const(const mst_graph *g, uint32_t tensor);
/* value i of a constant, of any type; of I8 without its scale */
MST_API double mst_const_at(const mst_tensor *t, size_t i);

/* Is the output of n linear in its data inputs, the others being constant, or linear but for an offset (a bias, a
 * fill)? Then the mean of its outputs over time is its output for the mean of its inputs. By the flags of its
 * operator: what nobody described is not. */
MST_API bool mst_node_is_linear(const mst_graph *g, const mst_node *n);

/* Does n only move values, so that spikes stay spikes? By its operator's flag, but for a PAD that fills with
 * another value than 0. */
MST_API bool mst_node_moves_spikes(const mst_node *n);
/* Each value that it puts out is the largest of some that come in. */
MST_API bool mst_node_picks(const mst_node *n);
/* Of several trains of spikes, gives the one that has spiked most: spikes stay spikes (RATE_POOL). */
MST_API bool mst_node_leads(const mst_node *n);
/* Makes spikes of whatever comes in (SPIKE with STATE): a layer. Drops some of those that come in (SPIKE alone). */
MST_API bool mst_node_fires(const mst_node *n);
MST_API bool mst_node_thins(const mst_node *n);

/* Which node makes each tensor: node indices [n_tensors] in the arena, MST_NONE for the graph's input and
 * constants. NULL: out of memory. */
MST_API uint32_t *mst_graph_producers(const mst_graph *g, mst_arena *arena);

/* What makes the current of a NEURON, for tables: "linear+IF", "conv+IF", "product+IF" (attention),
 * "sum+IF" (residual), ... producer: of mst_graph_producers. A static string. */
MST_API const char *mst_graph_neuron_kind(const mst_graph *g, const uint32_t *producer,
                                          const mst_node *neuron);

/* One line a node; and Graphviz. EIO is the caller's to see with ferror(). */
MST_API void mst_graph_print(const mst_graph *g, FILE *f);
MST_API void mst_graph_print_dot(const mst_graph *g, FILE *f);

/* ---- what input and output mean, one value a function (mst/facts.h says why) ---- */

/* The input's shape [1,C,H,W] in dims; returns the rank. */
MST_API uint32_t mst_graph_input_shape(const mst_graph *g, uint32_t dims[MST_MAX_RANK]);

/* An 8-bit value x of channel c enters as (x/255 - mean)/std, each of the three operations rounded to float32;
 * a count of events as (x - mean)/std. 0 and 1 where the model has no mean and std. */
MST_API float mst_graph_mean(const mst_graph *g, uint32_t c);
MST_API float mst_graph_std(const mst_graph *g, uint32_t c);

/* Frames that a sample shows one after another, for mst_run_opts; 1: the input is constant. */
MST_API uint32_t mst_graph_frames(const mst_graph *g);

MST_API size_t mst_graph_classes(const mst_graph *g);                   /* elements of the output */
MST_API const char *mst_graph_class_name(const mst_graph *g, size_t i); /* NULL: not known */
MST_API uint32_t mst_graph_timesteps(const mst_graph *g);               /* T to run by default */
MST_API uint64_t mst_graph_seed(const mst_graph *g);                    /* of the masks */
MST_API mst_run_rule mst_graph_run_rule(const mst_graph *g);            /* how to run it by default */
MST_API mst_thinning mst_graph_thinning(const mst_graph *g);            /* of masks in count and radix mode */
MST_API mst_trained_on mst_graph_trained_on(const mst_graph *g);        /* what the masks of the training dropped */
/* T that v(0) was tuned for (0: it was not), and from which step on logits were averaged. */
MST_API uint32_t mst_graph_tuned_timesteps(const mst_graph *g);
MST_API uint32_t mst_graph_tuned_readout(const mst_graph *g);

/* Levels of a NEURON in count and radix mode where the user does not say: those stored for it, otherwise
 * its L, which may be more than MST_MAX_RUN_LEVELS (then it cannot run so). */
MST_API int mst_node_levels(const mst_node *neuron);

/* What was tuned of a node; NULL: nothing. */
MST_API const mst_tuned *mst_graph_tuned(const mst_graph *g, uint32_t node);

/* ---- snn.bin (byte by byte in docs/FORMAT.md) ------------------------- */

/* Write g to path: a temporary file beside it, fsync, rename. The same graph
 * gives the same bytes. EIO, ELIMIT; EINVAL if g does not validate. */
MST_API mst_status mst_graph_save(const mst_graph *g, const char *path, mst_err *err);

/* Map path and decode it; constants stay in the mapping, so the file must not be changed in place while the graph is
 * used: what is cut off ends in SIGBUS, what is overwritten is computed with (Windows keeps it as it is: saving over it
 * fails). Validated: a graph
 * that loads can be run. EIO, EFORMAT, ECORRUPT, EVERSION, ELIMIT, ENOMEM. */
MST_API mst_status mst_graph_load(const char *path, const mst_allocator *alloc, mst_graph **out,
                                  mst_err *err);

/* The same of a copy in memory: whatever becomes of the file later, the graph is what was checked. Takes the file's
 * size of memory, where a mapping gives back what back ends have packed for themselves. */
MST_API mst_status mst_graph_read(const char *path, const mst_allocator *alloc, mst_graph **out, mst_err *err);

/* The same from memory that stays valid (64-byte aligned) as long as the graph. */
MST_API mst_status mst_graph_load_mem(const void *bytes, size_t n, const mst_allocator *alloc,
                                      mst_graph **out, mst_err *err);

#ifdef __cplusplus
}
#endif
#endif
