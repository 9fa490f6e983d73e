/* Options that say how data becomes a model's input: --mean, --std, --resize, ... What
 * mstconv stores and mstrun and mstcalib override. Knows nothing of readers.
 */
#ifndef MST_TOOL_PREPARE_H
#define MST_TOOL_PREPARE_H

#include "mst/graph.h"
#include "tools/tool_list.h"
#include "tools/tool_opts.h"

typedef struct mst_prepare_opts {
    mst_opt_reals mean, std;
    mst_opt_uint frames;
    const char *resize, *interpolation, *crop, *split, *present;
} mst_prepare_opts;

#define MST_PREPARE_OPTIONS(p) \
    {"mean", 0, MST_OPT_REALS, &(p).mean, "A,B,..", "input is (x/255 - mean)/std, one number a channel", \
     0, 0}, \
        {"std", 0, MST_OPT_REALS, &(p).std, "A,B,..", "goes with --mean", 0, 0}, \
        {"resize", 0, MST_OPT_STRING, &(p).resize, "N|HxW", \
         "images: shorter side to N pixels, or both sides; 0: no resizing", 0, 0}, \
        {"interpolation", 0, MST_OPT_STRING, &(p).interpolation, "NAME", \
         "of --resize: {interpolation} (default: the first)", 0, 0}, \
        {"crop", 0, MST_OPT_STRING, &(p).crop, "HxW", \
         "then the middle HxW, the model's input (the default with --resize)", 0, 0}, \
        {"frames", 0, MST_OPT_UINT, &(p).frames, "N", "event recordings: cut into N frames", 0, MST_MAX_FRAMES}, \
        {"split", 0, MST_OPT_STRING, &(p).split, "HOW", \
         "{split}: frames of an equal number of events (the default), or of equal time", 0, 0}, \
    { \
        "present", 0, MST_OPT_STRING, &(p).present, "HOW", \
            "{present}: frames as channels at every step (the default), or one by one", 0, 0 \
    }

extern const mst_list mst_list_interpolation, mst_list_split, mst_list_present;
/* for mst_tool.lists */
#define MST_PREPARE_LISTS &mst_list_interpolation, &mst_list_split, &mst_list_present

/* The texts; nothing of a model. EINVAL is a usage error. */
mst_status mst_prepare_check(const mst_prepare_opts *p, mst_err *err);
bool mst_prepare_needs_model(const mst_prepare_opts *p); /* any but --frames and --split? */
/* Put what was given, but for the crop and the norm, into *q. */
void mst_prepare_merge(const mst_prepare_opts *p, mst_prepare *q);
/* Put what was given into g's meta. EINVAL where it does not suit g's input. */
mst_status mst_prepare_apply(const mst_prepare_opts *p, mst_graph *g, mst_err *err);

/* Frames that g's input cannot take, in words; "" where it can, or where there are none. */
void mst_prepare_misfit(const mst_graph *g, char *out, size_t n);

/* "resize 256 bicubic, crop 224x224"; "" for none. */
void mst_prepare_text(const mst_graph *g, char *out, size_t n);

#endif
