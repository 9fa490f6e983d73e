/* The networks that are compared: the ANN of an ONNX file, the spiking network of a model file, and the ANN with the
 * weights as that has them.
 */
#ifndef MST_CALIB_NETWORKS_H
#define MST_CALIB_NETWORKS_H

#include "tools/tool_model.h"

typedef struct mst_networks {
    mst_graph *ann_graph, *snn_graph, *stored_graph; /* stored: the ANN with the weights of the .bin */
    mst_program *ann, *snn, *stored;                 /* stored: NULL for float32 */
    mst_program *drawn;                              /* the ANN with its masks drawn; NULL: not of the training */
    const char *ann_masks;                           /* what the ANN has been given: none, mean, trained */
    bool ann_lacks_masks;                            /* which the spiking network has */
} mst_networks;

/* What options say of them. */
typedef struct mst_networks_said {
    const mst_common_opts *common;
    const char *qdq;       /* pairs of a quantized ANN that cannot be neurons: a rule of mst_list_qdq */
    const char *ann_masks; /* "none": but its own; "mean": those of MODEL.bin, each as its mean; "trained": likewise
                            * those that its weights were trained with; NULL: trained, where the file has such */
    uint32_t steps;        /* that v(0) should be tuned for: a note says so otherwise; 0: no note */
} mst_networks_said;

/* EINVAL: none of the names above. */
mst_status mst_ann_masks_check(const char *name, mst_err *err);

/* snn_graph is loaded: the ANN of that ONNX file, and isa, frames and seed of the run that is to be. Warns on stderr
 * where the files do not belong together, or to that run. What fails is EINVAL, EFORMAT, EIO, ENOMEM, ELIMIT. */
mst_status mst_networks_import(mst_networks *n, const char *onnx, const mst_networks_said *said, mst_run_opts *run,
                               mst_err *err);
/* And programs of all: to be compared layer by layer. */
mst_status mst_networks_load(mst_networks *n, const char *onnx, const mst_networks_said *said, mst_run_opts *run,
                             mst_err *err);
void mst_networks_free(mst_networks *n);

#endif
