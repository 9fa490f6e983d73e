/* Samples read ahead: one thread reads them in order into a bounded queue, so that
 * reading does not wait for compute nor compute for reading. Knows nothing of models.
 */
#ifndef MST_TOOL_FEED_H
#define MST_TOOL_FEED_H

#include "mst/data.h"

typedef struct mst_feed mst_feed;

/* Start reading samples at[0..n-1] of data, which outlive the feed, for that many workers. The queue
 * holds at most two samples a worker. ENOMEM. */
mst_status mst_feed_create(const mst_data *data, const uint32_t *at, size_t n, unsigned workers, mst_feed **out,
                           mst_err *err);
void mst_feed_destroy(mst_feed *f); /* reading stops behind the sample under way; NULL allowed */

/* Sample at[i], as mst_data_get: from any thread, each i once; who asks for i must not keep a smaller one
 * from being asked for. One that fails does not keep others from being read. */
mst_status mst_feed_get(mst_feed *f, size_t i, float *x, int *label, mst_err *err);

#endif
