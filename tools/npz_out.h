/* NumPy's .npz, for arrays that grow by rows: they lie in temporary files without names until all are whole, then go
 * into the archive one behind the other, uncompressed, so that memory stays small and pipes will do. Knows nothing of
 * what they hold.
 */
#ifndef MST_NPZ_OUT_H
#define MST_NPZ_OUT_H

#include <stdint.h>
#include <stdio.h>

#include "mst/alloc.h"

#define MST_NPZ_MAX_RANK 8

typedef struct mst_npz_array_out mst_npz_array_out;

/* Zero-initialise. */
typedef struct mst_npz_out {
    mst_arena arena;
    mst_npz_array_out *first, *last;
} mst_npz_out;

/* A new array: name (without .npy) and type ("<f4", "<i8", "<u4", "|u1", "|S20") as NumPy has them, item bytes of one
 * element; rows of rank and dims, any number of which may follow. ENOMEM, EIO. */
mst_status mst_npz_add(mst_npz_out *z, const char *name, const char *type, size_t item, size_t rank,
                       const uint64_t *dims, mst_npz_array_out **out, mst_err *err);
/* n rows more. EIO: no room for temporary files. */
mst_status mst_npz_append(mst_npz_array_out *a, const void *rows, size_t n, mst_err *err);
/* All arrays, in the order in which they were made. path is for messages. EIO. */
mst_status mst_npz_write(const mst_npz_out *z, FILE *to, const char *path, mst_err *err);
void mst_npz_out_free(mst_npz_out *z);

#endif
