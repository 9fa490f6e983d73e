/* Labels of the samples of an array, out of a file of their own. Private to runtime/data. */
#ifndef MST_LABEL_FILE_H
#define MST_LABEL_FILE_H

#include "runtime/data/data_format.h"
#include "runtime/data/npy_array.h"

/* Labels of n samples from a file, whatever it is: IDX (.gz too), .npy of integers or bools [n] or [n,1], a text of
 * n labels, one a line, or of n lines "index label" in any order, counted from 0 or from 1 (label_lines.h). They are
 * checked against d's classes. *labels [n] is to be freed by mst_free_array whatever this returns. */
mst_status mst_label_file_read(const mst_data *d, const char *path, size_t n, int32_t **labels, mst_err *err);

/* The same of an array that is open. */
mst_status mst_label_array_read(const mst_data *d, const mst_npy_array *y, size_t n, int32_t **labels, mst_err *err);

#endif
