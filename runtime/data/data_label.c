/* What every reader asks of a label. */
#include <inttypes.h>

#include "runtime/data/data_format.h"

mst_status mst_data_check_label(const mst_data *d, const char *path, size_t k, uint64_t offset, int64_t label,
                                mst_err *err)
{
    int64_t top = d->want.classes != 0 ? (int64_t)d->want.classes : INT32_MAX;
    if (label < 0 || label >= top)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset %" PRIu64 ": label of sample %zu: expected 0..%" PRId64
                        ", found %" PRId64,
                        path,
                        offset, k, top - 1, label);
    return MST_OK;
}
