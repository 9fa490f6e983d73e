/* See run_rows.h. */
#include "tools/run_rows.h"

#include <string.h>

#include "mst/alloc.h"
#include "tools/run_predictions.h"
#include "tools/tool_output.h"

#define LEAST ((size_t)1 << 16)
#define MAX_BYTES ((size_t)1 << 28) /* of a sample */

struct mst_rows {
    mst_row_form form;
    mst_predictions *file; /* NULL: of another rank */
    mst_kept kept;
    mst_arena arena;
    uint8_t *one; /* [kept.bytes], and what it says: */
    uint32_t *said;
    float *logits;
    uint8_t *apart; /* [room] */
    size_t n, room; /* bytes */
};

static mst_status take(void *ctx, const uint8_t *bytes, mst_err *err)
{
    mst_rows *r = ctx;
    mst_row row;
    MST_TRY(mst_row_get(bytes, &r->form, r->said, r->logits, &row, err));
    return mst_predictions_add(r->file, &row, err);
}

mst_status mst_rows_open(const mst_rows_opts *o, mst_rows **out, mst_err *err)
{
    mst_rows *r = mst_alloc(NULL, sizeof *r);
    *out = r;
    if (r == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for predictions");
    *r = (mst_rows){.form = {o->at->n, o->classes}};
    r->kept = mst_kept_make(mst_row_bytes(&r->form), take, r);
    if (r->kept.bytes > MAX_BYTES)
        return mst_fail(err, MST_ELIMIT, "--predictions: %zu steps of %zu classes: limit is %zu bytes a sample",
                        o->at->n, o->classes, MAX_BYTES);
    r->one = mst_arena_alloc(&r->arena, r->kept.bytes);
    r->said = mst_arena_array(&r->arena, o->at->n, sizeof *r->said);
    r->logits = mst_arena_array(&r->arena, o->at->n * o->classes, sizeof *r->logits);
    if (r->one == NULL || r->said == NULL || r->logits == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for predictions");
    return o->path != NULL ? mst_predictions_open(o->path, o->at, o->step, o->classes, &r->file, err) : MST_OK;
}

static void forget_apart(mst_rows *r)
{
    mst_free(NULL, r->apart, r->room);
    r->apart = NULL;
    r->n = r->room = 0;
}

void mst_rows_close(mst_rows *r)
{
    if (r == NULL)
        return;
    mst_predictions_close(r->file);
    mst_kept_close(&r->kept);
    forget_apart(r);
    mst_arena_release(&r->arena);
    mst_free(NULL, r, sizeof *r);
}

mst_status mst_rows_end(mst_rows *r, mst_err *err)
{
    return r->file != NULL ? mst_predictions_end(r->file, err) : MST_OK;
}

mst_kept *mst_rows_kept(mst_rows *r) { return &r->kept; }

mst_status mst_rows_add(mst_rows *r, const mst_row *row, mst_err *err)
{
    mst_row_put(row, &r->form, r->one);
    return mst_kept_add(&r->kept, r->one, err);
}

/* ---- from rank to rank ---- */

mst_status mst_rows_apart(mst_rows *r, const mst_row *row, mst_err *err)
{
    if (r->room - r->n < r->kept.bytes) {
        size_t room = 2 * r->room + r->kept.bytes + LEAST;
        uint8_t *more = mst_alloc(NULL, room);
        if (more == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for predictions");
        if (r->n != 0)
            memcpy(more, r->apart, r->n);
        mst_free(NULL, r->apart, r->room);
        r->apart = more;
        r->room = room;
    }
    mst_row_put(row, &r->form, r->apart + r->n);
    r->n += r->kept.bytes;
    return MST_OK;
}

json_t *mst_rows_text(mst_rows *r)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = 2 * r->n + 1;
    char *text = mst_alloc(NULL, size);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < r->n; i++) {
        text[2 * i] = digits[r->apart[i] >> 4];
        text[2 * i + 1] = digits[r->apart[i] & 15];
    }
    json_t *out = json_stringn(text, size - 1);
    mst_free(NULL, text, size);
    forget_apart(r);
    return out;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                                 : -1;
}

mst_status mst_rows_take(mst_rows *r, const json_t *text, uint64_t n, mst_err *err)
{
    const char *from = json_string_value(text);
    if (from == NULL || json_string_length(text) != 2 * n * r->kept.bytes)
        return mst_fail(err, MST_EFORMAT, "a rank of another version");
    for (; n != 0; n--) {
        for (size_t i = 0; i < r->kept.bytes; i++, from += 2) {
            int high = hex(from[0]), low = hex(from[1]);
            if (high < 0 || low < 0)
                return mst_fail(err, MST_EFORMAT, "a rank of another version");
            r->one[i] = (uint8_t)(high << 4 | low);
        }
        MST_TRY(mst_kept_add(&r->kept, r->one, err));
    }
    return MST_OK;
}
