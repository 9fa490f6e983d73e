/* Arrays out of an .npz, NumPy's zip of .npy files. Knows nothing of samples. */
#ifndef MST_NPZ_FILE_H
#define MST_NPZ_FILE_H

#include <stdbool.h>

#include "runtime/data/npy_array.h"

typedef struct mst_npz {
    const char *path; /* lent */
    void *zip;
    uint64_t size; /* of the file */
} mst_npz;

bool mst_npz_sniff(const uint8_t *head, size_t n); /* a zip's first bytes */

/* Is it a zip with a member of that name? */
bool mst_npz_has(const char *path, const char *name);

/* EIO, EFORMAT: no zip. */
mst_status mst_npz_open(mst_npz *z, const char *path, mst_err *err);
void mst_npz_close(mst_npz *z); /* zero-initialised allowed */

/* The first of these names (NULL ends them) that the zip has, unpacked into a temporary file without a
 * name; *found false where it has none. a is to be closed where it was found, whatever this returns.
 * ECORRUPT, ELIMIT, EUNSUPPORTED, EIO, ENOMEM. */
mst_status mst_npz_array(mst_npz *z, const char *const *names, bool *found, mst_npy_array *a, mst_err *err);

#endif
