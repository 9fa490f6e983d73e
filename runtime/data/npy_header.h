/* The header of an .npy file: a magic, a version, and a Python dictionary
 * with descr, fortran_order and shape. Knows nothing of samples or labels.
 */
#ifndef MST_NPY_HEADER_H
#define MST_NPY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"
#include "runtime/data/npy_type.h"

#define MST_NPY_MAX_HEADER 4096u /* numpy writes 128 bytes for plain arrays */
#define MST_NPY_MAX_RANK 8u
#define MST_NPY_MAX_FIELDS 16u

typedef struct mst_npy_field {
    char name[32];
    mst_npy_type type;
    uint32_t offset; /* in the record */
} mst_npy_field;

typedef struct mst_npy_header {
    char descr[16];    /* "<f4"; "records" */
    mst_npy_type type; /* of a value, where it is no record */
    uint32_t n_fields; /* of a record; 0: a plain array */
    mst_npy_field fields[MST_NPY_MAX_FIELDS];
    uint32_t item_size; /* bytes of one value or record */
    bool fortran;       /* the first index runs fastest */
    uint32_t rank;
    uint64_t dims[MST_NPY_MAX_RANK];
    size_t size; /* of the header: where the values begin */
} mst_npy_header;

/* Parse the first n bytes of path. EFORMAT, EVERSION, EUNSUPPORTED for other types, ELIMIT, ECORRUPT. */
mst_status mst_npy_parse(const uint8_t *bytes, size_t n, const char *path, mst_npy_header *h, mst_err *err);

/* "(1000, 3, 32, 32)" */
void mst_npy_shape_text(const mst_npy_header *h, char *out, size_t n);

#endif
