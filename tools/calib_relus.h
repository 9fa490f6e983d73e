/* A network that mstconv --calibrate made: the ReLUs of its ANN as the quantized activations that its neurons are. */
#ifndef MST_CALIB_RELUS_H
#define MST_CALIB_RELUS_H

#include "mst/convert.h"

/* Give the ReLUs of ann, as imported, the thresholds and levels of the neurons of snn that have their names; *n: how
 * many. EINVAL names one that does not fit. */
mst_status mst_relus_give(mst_graph *ann, const mst_graph *snn, size_t *n, mst_err *err);

#endif
