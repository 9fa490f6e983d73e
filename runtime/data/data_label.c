/* What every reader asks of a label. */
#include <inttypes.h>
#include <string.h>

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

int mst_data_class_of(const mst_data *d, const char *name)
{
    for (size_t k = 0; k < d->want.n_class_names; k++)
        if (strcmp(d->want.class_names[k], name) == 0)
            return (int)k;
    return -1;
}

mst_status mst_data_folder_labels(const mst_data *d, const char *path, const char *const *names, size_t n,
                                  int32_t *labels,
                                  mst_err *err)
{
    size_t known = 0, stranger = 0;
    for (size_t i = 0; i < n; i++) {
        labels[i] = mst_data_class_of(d, names[i]);
        known += labels[i] >= 0;
        stranger = labels[i] < 0 ? i : stranger;
    }
    if (known == n)
        return MST_OK;
    if (known != 0)
        return mst_fail(err, MST_EINVAL,
                        "%s: class folders: %zu of %zu have names of the model's classes, '%s' has not (a label file "
                        "says labels one by one)",
                        path, known, n, names[stranger]);
    if (d->want.classes != 0 && n != d->want.classes)
        return mst_fail(err, MST_EINVAL,
                        "%s: class folders: expected %u as the model has classes, found %zu (labels are their "
                        "places; a label file says them one by one)",
                        path, d->want.classes, n);
    for (size_t i = 0; i < n; i++)
        labels[i] = (int32_t)i; /* places: a folder too few or too many would shift all that follow */
    return MST_OK;
}
