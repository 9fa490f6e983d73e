/* Reading fields of one section with bounds. Private to the snn.bin reader. */
#ifndef MST_FORMAT_SNN_CURSOR_H
#define MST_FORMAT_SNN_CURSOR_H

#include "runtime/format/snn.h"

typedef struct snn_cursor {
    const uint8_t *p; /* the section */
    size_t n, at;
    size_t base; /* its offset in the file, for messages */
    uint32_t id;
} snn_cursor;

/* The next n bytes; NULL (and ECORRUPT in *err) where the section ends before. */
static inline const uint8_t *snn_take(snn_cursor *c, size_t n, const char *what, mst_err *err)
{
    if (n > c->n - c->at) {
        mst_fail(err, MST_ECORRUPT, "section %s at offset %zu: %s needs %zu bytes, %zu are left",
                 mst_snn_section_name(c->id), c->base + c->at, what, n, c->n - c->at);
        return NULL;
    }
    c->at += n;
    return c->p + c->at - n;
}

static inline mst_status snn_at_end(const snn_cursor *c, mst_err *err)
{
    if (c->at != c->n)
        return mst_fail(err, MST_EFORMAT, "section %s at offset %zu: %zu bytes after the last record",
                        mst_snn_section_name(c->id), c->base + c->at, c->n - c->at);
    return MST_OK;
}

#endif
