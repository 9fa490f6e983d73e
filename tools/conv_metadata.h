/* What an ONNX file says of its own use, in its metadata (docs/ONNX.md): preprocessing, class names, the masks that the
 * weights were trained with, how its input and thresholds are meant. The command line goes before it.
 */
#ifndef MST_CONV_METADATA_H
#define MST_CONV_METADATA_H

#include "mst/convert.h"
#include "tools/tool_prepare.h"

typedef enum mst_metadata_key {
    MST_META_MEAN,
    MST_META_STD,
    MST_META_RESIZE,
    MST_META_INTERPOLATION,
    MST_META_FRAMES,
    MST_META_SPLIT,
    MST_META_PRESENT,
    MST_META_CLASSES,
    MST_META_LAYOUT,
    MST_META_LEVELS,
    MST_META_THETA_UNIT,
    MST_META_POLICY,
    MST_N_META
} mst_metadata_key;

/* Begins as {.file = ..}; released with mst_metadata_free. */
typedef struct mst_metadata {
    const char *file; /* for messages */
    mst_arena arena;
    const char *value[MST_N_META]; /* NULL: not there */
    bool taken[MST_N_META];        /* what became part of the network */
    mst_layout layout;             /* of the input; MST_LAYOUT_FOUND: not said */
    bool quiet;                    /* no warning of keys that are not known */
    bool no_memory;
    mst_policy policy; /* that the weights were trained with; its strings are lent to the policy in use */
} mst_metadata;

void mst_metadata_free(mst_metadata *m);
/* For mst_import_opts; ctx: the mst_metadata. Warns of keys that begin as ours and are not. */
void mst_metadata_note(void *ctx, const char *key, const char *value);

/* Can all be read that says what the input and thresholds are? EFORMAT. */
mst_status mst_metadata_check(const mst_metadata *m, mst_err *err);
/* Warn on stderr where g normalizes its input by another mean and std than those that are said. */
void mst_metadata_warn_norm(const mst_metadata *m, const char *tool, const mst_graph *g);
/* Warn where a neuron of g has another L than those that are said. */
void mst_metadata_warn_levels(const mst_metadata *m, const mst_graph *g);

/* Fill *p where the command line has said nothing; its texts belong to m. EFORMAT, EINVAL. */
mst_status mst_metadata_prepare(mst_metadata *m, mst_prepare_opts *p, mst_err *err);
/* Class names of g, unless it has some. EINVAL. */
mst_status mst_metadata_classes(mst_metadata *m, mst_graph *g, mst_err *err);
/* given: *p was read from a file, and is told only which masks the weights were trained with, if it does not say. Else
 * those masks are its masks, too. Errors as of mst_policy_parse. */
mst_status mst_metadata_policy(mst_metadata *m, bool given, mst_policy *p, mst_err *err);

/* "mean, std, policy": what was taken; "" for nothing. */
void mst_metadata_text(const mst_metadata *m, char *out, size_t n);

#endif
