/* What mstrun and mstcalib do with a loaded model before they run it: its
 * input as a data set sees it, mask ratios from the command line, layer kinds.
 */
#ifndef MST_TOOL_MODEL_H
#define MST_TOOL_MODEL_H

#include "mst/session.h"
#include "mst/data.h"
#include "tools/tool_opts.h"
#include "tools/tool_outcome.h"
#include "tools/tool_parallel.h"
#include "tools/tool_prepare.h"

/* --mask SITE=RATIO (SITE may be "all") and --no-mask. */
typedef struct mst_mask_choice {
    bool none;          /* --no-mask */
    mst_opt_list masks; /* --mask, in order */
} mst_mask_choice;

/* Options that mstrun and mstcalib share. */
typedef struct mst_common_opts {
    mst_opt_uint threads, seed;
    mst_pick_opts pick;
    bool skip_bad;
    mst_mask_choice masks;
    mst_prepare_opts prepare;
    const char *isa, *json;
    bool map, quiet;
} mst_common_opts;

#define MST_COMMON_OPTIONS(c) \
    MST_PICK_OPTIONS((c).pick), \
        MST_OUTCOME_OPTIONS((c).skip_bad), \
        {"threads", 0, MST_OPT_UINT, &(c).threads, "N", \
         "threads; results do not depend on it (default: all processors)", 1, MST_MAX_THREADS}, \
        {"seed", 0, MST_OPT_UINT, &(c).seed, "S", \
         "seed of the masks (default: the model file's)", 0, UINT64_MAX}, \
        {"mask", 0, MST_OPT_LIST, &(c).masks.masks, "SITE=R", \
         "another mask ratio; SITE is one of {sites}, or all", 0, 0}, \
        {"no-mask", 0, MST_OPT_FLAG, &(c).masks.none, NULL, "run without masks", 0, 0}, \
        MST_PREPARE_OPTIONS((c).prepare), \
        {"isa", 0, MST_OPT_STRING, &(c).isa, "NAME", \
         "kernels: {isa} (default: the best here)", 0, 0}, \
        {"json", 0, MST_OPT_MAYBE, &(c).json, "FILE|-", \
         "write results as JSON; - is stdout, text then goes to stderr", MST_PATH_JSON, 0}, \
        MST_OUTPUT_OPTIONS, \
        {"map", 0, MST_OPT_FLAG, &(c).map, NULL, \
         "map MODEL.bin instead of reading it, for less memory: it must not change while it is used", 0, 0}, \
    { \
        "quiet", 'q', MST_OPT_FLAG, &(c).quiet, NULL, \
            "no progress bar and no text; warnings and --json stay", 0, 0 \
    }

/* Both texts and their order; nothing of a model. EINVAL is a usage error. */
mst_status mst_masks_check(const mst_mask_choice *m, mst_err *err);
/* Set the ratios in the graph. EINVAL where a site has no mask in this model. */
mst_status mst_masks_apply(const mst_mask_choice *m, mst_graph *g, mst_err *err);
/* mst_graph_read, or mst_graph_load with --map, then the masks and the preprocessing. */
mst_status mst_model_load(const char *path, const mst_common_opts *c, mst_graph **out, mst_err *err);
/* With --map: is the file what it was when it was loaded, so that the results are its own? ECORRUPT. */
mst_status mst_model_unchanged(mst_err *err);
/* mst_masks_check and mst_prepare_check. */
mst_status mst_common_check(const mst_common_opts *c, mst_err *err);
/* Write g as snn.bin to path, an output of tool_paths.h; how many bytes that were goes into *bytes. */
mst_status mst_model_write(const mst_graph *g, const char *path, uint64_t *bytes, mst_err *err);
/* A hash of g's bytes as mst_model_write writes them: weights, masks, preprocessing. ENOMEM. */
mst_status mst_model_hash(const mst_graph *g, uint64_t *hash, mst_err *err);
/* One line in text, if ratios differ from those the weights were trained with; false if none does. */
bool mst_masks_differ(const mst_graph *g, char *text, size_t n);
/* Does a MASK of g drop anything? */
bool mst_masks_drop(const mst_graph *g);
/* One line in text, if masks draw other spikes in this mode than those of the training did; false otherwise. */
bool mst_masks_misfit(const mst_graph *g, mst_run_mode mode, char *text, size_t n);

/* A warning on stderr where no layer spikes. */
void mst_model_warn_analog(const char *tool, const mst_graph *g);

/* mst_graph_neuron_kind of each layer of the program, [layers], in the arena. NULL: out of memory. */
const char **mst_model_kinds(const mst_program *p, mst_arena *arena);

/* Values of the constants: weights, biases, thresholds, tables; not the scales of int8 weights. */
uint64_t mst_model_parameters(const mst_graph *g);
/* Is it a LINEAR or CONV, whose input 1 is a weight? */
static inline bool mst_has_weight(const mst_node *n) { return n->op == MST_OP_LINEAR || n->op == MST_OP_CONV; }
/* How the weights of LINEAR and CONV are stored: "f32", "f16", "int8", "mixed"; "none" without any. */
const char *mst_model_weights(const mst_graph *g);

/* "1x28x28" of the graph's input, without the batch. */
void mst_model_shape_text(const mst_graph *g, char *out, size_t n);

/* Bytes of the constants as they are stored. */
uint64_t mst_model_bytes(const mst_graph *g);
/* Share of the weights of LINEAR and CONV that are 0; 0 without any. */
double mst_model_sparsity(const mst_graph *g);

/* 64 hexadecimal digits; "" for a hash that is not known (all zero). */
void mst_hash_text(const uint8_t sha256[32], char out[65]);

/* --at or -T lists: ascending, each once. */
void mst_steps_sort(mst_opt_uints *list);
/* 1, 2, 4, .. and t itself. */
void mst_steps_default(mst_opt_uints *list, uint32_t t);

#endif
