/* What a model wants of a data set. Knows no format. */
#ifndef MST_DATA_WANT_H
#define MST_DATA_WANT_H

#include "mst/data.h"

/* Shape, mean and std, preprocessing, classes; mean and std are lent by the graph. EUNSUPPORTED where its input is
 * no image [1,C,H,W]. */
mst_status mst_data_want_of(const mst_graph *g, mst_data_want *want, mst_err *err);

#endif
