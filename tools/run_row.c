/* Whole numbers and floats of 32 bits, the least byte first. */
#include "tools/run_row.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/core/bytes.h"

#define HEAD 8 /* sample and label */

size_t mst_row_bytes(const mst_row_form *f) { return HEAD + 4 * f->n_at * (1 + f->classes); }

void mst_row_put(const mst_row *r, const mst_row_form *f, uint8_t *out)
{
    uint32_t bits;
    mst_set_u32(out, r->sample);
    mst_set_u32(out + 4, (uint32_t)r->label);
    out += HEAD;
    for (size_t k = 0; k < f->n_at; k++, out += 4)
        mst_set_u32(out, r->said[k]);
    for (size_t k = 0; k < f->n_at * f->classes; k++, out += 4) {
        memcpy(&bits, &r->logits[k], sizeof bits);
        mst_set_u32(out, bits);
    }
}

mst_status mst_row_get(const uint8_t *bytes, const mst_row_form *f, uint32_t *said, float *logits, mst_row *r,
                       mst_err *err)
{
    *r = (mst_row){mst_get_u32(bytes), (int32_t)mst_get_u32(bytes + 4), said, logits};
    bool ok = r->label >= -1;
    bytes += HEAD;
    for (size_t k = 0; k < f->n_at; k++, bytes += 4)
        ok = (said[k] = mst_get_u32(bytes)) < f->classes && ok;
    for (size_t k = 0; k < f->n_at * f->classes; k++, bytes += 4)
        logits[k] = mst_get_f32(bytes);
    return ok ? MST_OK : mst_fail(err, MST_EFORMAT, "a prediction is of a class that there is not");
}
