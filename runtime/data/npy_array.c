/* Values behind an .npy header. */
#include "runtime/data/npy_array.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"

static mst_status set_name(mst_npy_array *a, const char *name, mst_err *err)
{
    a->name_bytes = strlen(name) + 1;
    if ((a->name = mst_alloc(NULL, a->name_bytes)) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    memcpy(a->name, name, a->name_bytes);
    return MST_OK;
}

static mst_status read_header(mst_npy_array *a, uint64_t size, mst_err *err)
{
    uint8_t head[MST_NPY_MAX_HEADER];
    size_t n = size < sizeof head ? (size_t)size : sizeof head;
    mst_npy_header *h = &a->header;
    MST_TRY(mst_npy_array_bytes(a, 0, head, n, err));
    MST_TRY(mst_npy_parse(head, n, a->name, h, err));
    uint64_t bytes = h->item_size;
    for (uint32_t i = 0; i < h->rank; i++)
        if (__builtin_mul_overflow(bytes, h->dims[i], &bytes))
            return mst_fail(err, MST_ELIMIT, "%s: offset 10: shape: too large", a->name);
    if (size - h->size != bytes)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %zu: values: the header expects %" PRIu64 " bytes, found %" PRIu64,
                        a->name, h->size, bytes, size - h->size);
    return h->fortran && h->rank > 1 ? mst_npy_array_to_c(a, err) : MST_OK;
}

mst_status mst_npy_array_open(mst_npy_array *a, const char *path, mst_err *err)
{
    uint64_t size;
    *a = (mst_npy_array){.fd = -1};
    MST_TRY(mst_data_file_size(path, &size, err));
    MST_TRY(set_name(a, path, err));
    a->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (a->fd < 0)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    return read_header(a, size, err);
}

mst_status mst_npy_array_take(mst_npy_array *a, const char *name, int fd, uint64_t n, mst_err *err)
{
    *a = (mst_npy_array){.fd = fd};
    MST_TRY(set_name(a, name, err));
    return read_header(a, n, err);
}
