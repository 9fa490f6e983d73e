/* Bytes of an .npy array that is open. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"
#include "runtime/data/npy_array.h"

/* All of n bytes at an offset of the file, or an error: it may have shrunk since it was opened. */
mst_status mst_npy_array_bytes(const mst_npy_array *a, uint64_t offset, void *out, size_t n, mst_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(a->fd, (uint8_t *)out + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": %s", a->name, offset + done, strerror(errno));
        if (got == 0)
            return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": expected %zu bytes, found %zu", a->name,
                            offset, n, done);
        done += (size_t)got;
    }
    return MST_OK;
}

void mst_npy_array_close(mst_npy_array *a)
{
    if (a->fd >= 0)
        close(a->fd);
    mst_free(NULL, a->name, a->name_bytes);
    *a = (mst_npy_array){.fd = -1};
}

mst_status mst_npy_array_read(const mst_npy_array *a, uint64_t offset, void *out, size_t n, mst_err *err)
{
    return mst_npy_array_bytes(a, a->header.size + offset, out, n, err);
}

const char *mst_npy_conversion(const char *name, const char *type, char *out, size_t n)
{
    uint64_t size; /* "set.npz: x.npy" is no file */
    bool plain = strlen(name) <= 100 && strcspn(name, "'\"\\$`") == strlen(name) &&
                 mst_data_ends_with(name, ".npy") && mst_data_file_size(name, &size, NULL) == MST_OK;
    if (!plain)
        return type != NULL ? "numpy's astype()" : "numpy.ascontiguousarray()";
    if (type != NULL)
        snprintf(out, n, "python3 -c \"import numpy as np; f='%s'; np.save(f, np.load(f).astype('%s'))\"", name,
                 type);
    else
        snprintf(out, n, "python3 -c \"import numpy as np; f='%s'; np.save(f, np.ascontiguousarray(np.load(f)))\"",
                 name);
    return out;
}
