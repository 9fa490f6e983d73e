/* NumPy's numbers: their names in headers, and one of them from the bytes of a file. Knows nothing of arrays. */
#ifndef MST_NPY_TYPE_H
#define MST_NPY_TYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mst_npy_type {
    char kind;    /* 'f' float, 'i' signed, 'u' unsigned, 'b' bool, 'V' bytes between the fields of a record */
    uint8_t size; /* bytes: of 'f' 2, 4, 8; of 'i' and 'u' 1, 2, 4, 8; of 'b' 1 */
    bool big;     /* the byte of most weight comes first */
} mst_npy_type;

/* "<f4", ">i8", "|b1": false for what is none of these. */
bool mst_npy_type_parse(const char *descr, mst_npy_type *t);

/* A number of such a type, floats without rounding; 64 bits of integer become the double next to them. */
double mst_npy_real(mst_npy_type t, const uint8_t *p);
/* The same as an integer; false where it is none, or does not fit. */
bool mst_npy_integer(mst_npy_type t, const uint8_t *p, int64_t *v);

#endif
