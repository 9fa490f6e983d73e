/* An .npy array whose values are read from a file when they are asked for. Knows
 * nothing of samples or labels.
 */
#ifndef MST_NPY_ARRAY_H
#define MST_NPY_ARRAY_H

#include "runtime/data/npy_header.h"

typedef struct mst_npy_array {
    mst_npy_header header;
    char *name; /* for messages: the path, or "set.npz: x.npy" */
    size_t name_bytes;
    int fd; /* owned; -1: none */
} mst_npy_array;

/* Open a file, parse its header, and check that the values fill the rest of it exactly; values in Fortran's order are
 * put into C's. The array is to be closed whatever this returns. EIO and what mst_npy_parse gives. */
mst_status mst_npy_array_open(mst_npy_array *a, const char *path, mst_err *err);
/* The same of an open file of n bytes, which a takes. */
mst_status mst_npy_array_take(mst_npy_array *a, const char *name, int fd, uint64_t n, mst_err *err);
void mst_npy_array_close(mst_npy_array *a);

/* n bytes from byte offset of the file on, or of the values (below). */
mst_status mst_npy_array_bytes(const mst_npy_array *a, uint64_t offset, void *out, size_t n, mst_err *err);
/* n bytes of the values from byte offset on. Thread safe. ECORRUPT: the file has shrunk meanwhile. */
mst_status mst_npy_array_read(const mst_npy_array *a, uint64_t offset, void *out, size_t n, mst_err *err);

/* Of an array that is open: put its values into C's order, in a file without a name. ELIMIT where that takes long. */
mst_status mst_npy_array_to_c(mst_npy_array *a, mst_err *err);

/* The command that makes an array of that type (NULL: in C order) of the one of that name, in out, or a word for it. */
const char *mst_npy_conversion(const char *name, const char *type, char *out, size_t n);

#endif
