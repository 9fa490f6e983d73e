/* What the network says of a sample (--predictions), as a row of bytes: in files beside a journal, from rank to rank,
 * and to tell from a hash of all rows that they are those of the run.
 */
#ifndef MST_RUN_ROW_H
#define MST_RUN_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

typedef struct mst_row {
    uint32_t sample;
    int32_t label;        /* -1: not known */
    const uint32_t *said; /* [n_at]: classes */
    const float *logits;  /* [n_at][classes] */
} mst_row;

typedef struct mst_row_form {
    size_t n_at, classes;
} mst_row_form;

size_t mst_row_bytes(const mst_row_form *f);
void mst_row_put(const mst_row *r, const mst_row_form *f, uint8_t *out);
/* Into said and logits, which *r then has. EFORMAT: a class that there is not. */
mst_status mst_row_get(const uint8_t *bytes, const mst_row_form *f, uint32_t *said, float *logits, mst_row *r,
                       mst_err *err);

#endif
