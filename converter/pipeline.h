/* The pipeline behind the import of a file, for what has a model in memory (the fuzz
 * target). Private to the converter and its tests. */
#ifndef MST_PIPELINE_H
#define MST_PIPELINE_H

#include "converter/onnx/onnx_graph.h"
#include "mst/convert.h"

/* Fold, lower, run the passes: what mst_onnx_import does once ox is loaded. Releases ox.
 * path: for messages and the source's name. */
mst_status mst_pipeline_run(ox_graph *ox, const char *path, const mst_import_opts *opts, mst_graph **out,
                            mst_err *err);

#endif
