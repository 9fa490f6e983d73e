/* See calib_networks.h. */
#include "tools/calib_networks.h"

#include <stdio.h>
#include <string.h>

#include "mst/convert.h"
#include "tools/calib_masks.h"
#include "tools/calib_relus.h"
#include "tools/calib_weights.h"
#include "tools/conv_metadata.h"
#include "tools/conv_pairs.h"
#include "tools/tool_mode.h"
#include "tools/tool_paths.h"
#include "tools/tool_term.h"

/* First lines of all: is the .bin of this .onnx, with the masks it was trained with, and tuned for this? */
static void warn(const mst_networks *n, const mst_networks_said *said, const mst_run_opts *run)
{
    char differs[600], onnx[65], bin[65];
    mst_hash_text(n->ann_graph->meta.source_sha256, onnx);
    mst_hash_text(n->snn_graph->meta.source_sha256, bin);
    if (strcmp(onnx, bin) != 0)
        mst_term_warn("mstcalib", "the .bin was not made from this .onnx: sha256 %.16s.. in the .bin, "
                                  "%.16s.. of the .onnx\n",
                      bin[0] != '\0' ? bin : "not known", onnx);
    mst_model_warn_analog("mstcalib", n->snn_graph);
    if (mst_masks_differ(n->snn_graph, differs, sizeof differs))
        mst_term_warn("mstcalib", "masks differ from those the weights were trained with: %s\n",
                      differs);
    if (mst_masks_misfit(n->snn_graph, run->mode, differs, sizeof differs))
        fprintf(stderr, "mstcalib: note: %s\n", differs);
    if (said->steps != 0 && mst_tuning_differs(n->snn_graph, run, said->steps, differs, sizeof differs))
        fprintf(stderr, "mstcalib: note: %s\n", differs);
}

/* As it is; where that fails, with its symbolic dimensions bound to those that the .bin was made with. Its ReLUs are
 * then what the .bin made of them; *relus: how many. */
static mst_status import(const char *path, const mst_graph *snn, const char *qdq, mst_metadata *says, mst_graph **out,
                         size_t *relus, mst_err *err)
{
    const mst_tensor *x = &snn->tensors[snn->input];
    mst_import_opts plain = {.size = sizeof plain,
                             .also_read = mst_paths_also,
                             .allow_analog = true,
                             .drop_analog_pairs = mst_qdq_drops(qdq),
                             .metadata = says != NULL ? mst_metadata_note : NULL,
                             .metadata_ctx = says};
    mst_import_opts bound = plain;
    const bool last = snn->meta.channels_last;
    plain.layout = bound.layout = last ? MST_LAYOUT_NHWC : MST_LAYOUT_NCHW;
    bound.input_rank = x->rank - 1;
    for (uint32_t d = 1; d < x->rank; d++)
        bound.input_dims[last ? (d + 1) % 3 : d - 1] = x->dims[d];
    mst_status st = mst_onnx_import(path, &plain, out, err);
    if (st != MST_OK && x->rank > 1 && mst_onnx_import(path, &bound, out, NULL) == MST_OK)
        st = MST_OK;
    return st == MST_OK ? mst_relus_give(*out, snn, relus, err) : st;
}

mst_status mst_ann_masks_check(const char *name, mst_err *err)
{
    static const char *const names[] = {"none", "mean", "trained"};
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return MST_OK;
    return name == NULL ? MST_OK
                        : mst_fail(err, MST_EINVAL, "--ann-masks: expected none, mean or trained, found '%s'", name);
}

/* Which masks the ANN gets: where nobody says, those of the training. */
static const char *which_masks(const mst_networks *n, const mst_networks_said *said)
{
    bool trained = said->ann_masks == NULL || strcmp(said->ann_masks, "trained") == 0;
    return !trained ? said->ann_masks : mst_masks_trained(n->snn_graph) ? "trained"
                                                                        : "none";
}

static mst_status give_masks(const mst_networks *n, mst_graph *ann, mst_err *err)
{
    return strcmp(n->ann_masks, "none") == 0
               ? MST_OK
               : mst_masks_give(ann, n->snn_graph, strcmp(n->ann_masks, "trained") == 0, err);
}

static mst_status load_stored(mst_networks *n, const char *path, const mst_networks_said *said, const mst_run_opts *ann,
                              mst_err *err)
{
    const char *type = mst_model_weights(n->snn_graph);
    if (strcmp(type, "f32") == 0 || strcmp(type, "none") == 0)
        return MST_OK;
    size_t relus;
    MST_TRY(import(path, n->snn_graph, said->qdq, NULL, &n->stored_graph, &relus, err));
    MST_TRY(mst_weights_take(n->stored_graph, n->snn_graph, err));
    MST_TRY(give_masks(n, n->stored_graph, err));
    return mst_program_create(n->stored_graph, ann, &n->stored, err);
}

/* As the masks of the training dropped. */
static mst_status draw(mst_networks *n, mst_run_opts ann, mst_err *err)
{
    if (strcmp(n->ann_masks, "trained") != 0 || !mst_masks_drop(n->ann_graph))
        return MST_OK;
    ann.mode = MST_RUN_ANN;
    mst_status st = mst_program_create(n->ann_graph, &ann, &n->drawn, err);
    return st == MST_EUNSUPPORTED ? MST_OK : st; /* more levels than can be thinned */
}

/* *relus: how many were found. */
static mst_status import_ann(mst_networks *n, const char *onnx, const mst_networks_said *said, mst_run_opts *run,
                             size_t *relus, mst_err *err)
{
    mst_metadata says = {.file = onnx, .quiet = true};
    mst_status st = import(onnx, n->snn_graph, said->qdq, &says, &n->ann_graph, relus, err);
    if (st == MST_OK) {
        mst_metadata_warn_norm(&says, "mstcalib", n->snn_graph);
        warn(n, said, run);
    }
    mst_metadata_free(&says);
    MST_TRY(st);
    run->isa = said->common->isa;
    run->frames = mst_graph_frames(n->snn_graph);
    run->seed = said->common->seed.set ? said->common->seed.value : n->snn_graph->meta.seed;
    return MST_OK;
}

mst_status mst_networks_import(mst_networks *n, const char *onnx, const mst_networks_said *said, mst_run_opts *run,
                               mst_err *err)
{
    size_t relus;
    run->schedule = MST_SCHEDULE_BLOCK;
    return import_ann(n, onnx, said, run, &relus, err);
}

mst_status mst_networks_load(mst_networks *n, const char *onnx, const mst_networks_said *said, mst_run_opts *run,
                             mst_err *err)
{
    size_t relus;
    MST_TRY(import_ann(n, onnx, said, run, &relus, err));
    if (relus != 0)
        fprintf(stderr, "mstcalib: %zu ReLUs of the ANN are taken as the quantized activations that the .bin made of "
                        "them\n",
                relus);
    n->ann_masks = which_masks(n, said);
    n->ann_lacks_masks = mst_masks_drop(n->snn_graph) && !mst_masks_drop(n->ann_graph) &&
                         strcmp(n->ann_masks, "none") == 0;
    MST_TRY(give_masks(n, n->ann_graph, err));
    mst_run_opts ann = {.mode = MST_RUN_FLOAT, .isa = run->isa, .frames = run->frames};
    /* currents of neurons can only be seen step by step */
    run->schedule = mst_mode_counts(run->mode) ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK;
    MST_TRY(mst_program_create(n->ann_graph, &ann, &n->ann, err));
    MST_TRY(load_stored(n, onnx, said, &ann, err));
    MST_TRY(draw(n, ann, err));
    return mst_program_create(n->snn_graph, run, &n->snn, err);
}

void mst_networks_free(mst_networks *n)
{
    mst_program_destroy(n->snn);
    mst_program_destroy(n->stored);
    mst_program_destroy(n->drawn);
    mst_program_destroy(n->ann);
    mst_graph_destroy(n->stored_graph); /* before the one that lends it weights */
    mst_graph_destroy(n->snn_graph);
    mst_graph_destroy(n->ann_graph);
    *n = (mst_networks){0};
}
