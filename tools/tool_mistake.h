/* Files given for others: recognized by how they begin, and answered with the command that works. */
#ifndef MST_TOOL_MISTAKE_H
#define MST_TOOL_MISTAKE_H

#include "mst/status.h"

typedef enum mst_file_kind {
    MST_FILE_UNKNOWN, /* or not there */
    MST_FILE_MODEL,   /* snn.bin */
    MST_FILE_ONNX,
    MST_FILE_CHECKPOINT, /* PyTorch's, or another pickle */
    MST_FILE_SAFETENSORS,
    MST_FILE_HDF5,
    MST_FILE_DATA /* arrays, images, recordings */
} mst_file_kind;

mst_file_kind mst_file_kind_of(const char *path);

/* Are the arguments in their places? kinds [n]: MODEL or ONNX, DATA for anything else. EINVAL with the command to try
 * where one is certainly another; usage: "mstrun MODEL.bin DATA". */
mst_status mst_mistake_check(const char *usage, const char *const *args, const mst_file_kind *kinds, size_t n,
                             mst_err *err);

#endif
