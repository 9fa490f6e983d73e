/* mstrun --show: a sample as a picture of what the network sees. Of the network it knows what input and output mean. */
#ifndef MST_RUN_SHOW_H
#define MST_RUN_SHOW_H

#include "mst/data.h"
#include "runtime/data/image.h"
#include "tools/tool_prepare.h"

/* Draw sample i of data: 1 or 3 channels as an image, with the norm
 * of want undone; 2n channels as n event frames side by side, red where brightness rose,
 * blue where it fell, brightest from three times the mean count of the pixels that have any (or at the
 * largest, if less). *label: the sample's (-1: none), shape [C,H,W].
 * EUNSUPPORTED for other channels, ENOMEM and what reading gives. *im is zero-initialised, to be freed in any case. */
mst_status mst_show_draw(const mst_data *data, size_t i, const mst_data_want *want, mst_image *im, uint32_t shape[3],
                         int *label, mst_err *err);
/* The same as a PNG to path ("-": stdout). EIO, too. */
mst_status mst_show_write(const mst_data *data, size_t i, const mst_data_want *want, const char *path,
                          uint32_t shape[3], int *label, mst_err *err);
/* Sample `number` of spec, as g takes it (NULL: as prepare says, or as it is), to path, and a line on what it is unless
 * quiet. What opening gives, too. */
mst_status mst_show_sample(const mst_graph *g, const char *spec, const char *number, const mst_prepare_opts *prepare,
                           const char *path, bool quiet, mst_err *err);

#endif
