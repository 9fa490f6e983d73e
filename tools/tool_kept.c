/* See tool_kept.h. */
#include "tools/tool_kept.h"

#include <string.h>

#include "tools/tool_hash.h"

mst_kept mst_kept_make(size_t bytes, mst_spool_take take, void *ctx)
{
    return (mst_kept){.bytes = bytes, .take = take, .ctx = ctx, .hash = MST_HASH_START};
}

void mst_kept_close(mst_kept *k)
{
    mst_spool_close(k->spool);
    k->spool = NULL;
}

mst_status mst_kept_add(mst_kept *k, const uint8_t *row, mst_err *err)
{
    mst_err other; /* the first failure is the one to tell */
    k->hash = mst_hash(k->hash, row, k->bytes);
    mst_status kept = k->spool != NULL ? mst_spool_add(k->spool, row, err) : MST_OK;
    mst_status filed = k->take(k->ctx, row, kept == MST_OK ? err : &other);
    k->broken = k->broken || filed != MST_OK;
    return kept != MST_OK ? kept : filed;
}

static mst_status add(void *ctx, const uint8_t *row, mst_err *err) { return mst_kept_add(ctx, row, err); }

mst_status mst_kept_resume(mst_kept *k, const char *path, const json_t *kept, uint64_t n, mst_err *err)
{
    char digits[MST_HASH_DIGITS];
    const char *hash = json_string_value(kept);
    mst_spool *spool;
    mst_status st = mst_spool_open(path, k->bytes, n, add, k, &spool, err);
    k->spool = spool; /* what was read from it is not added to it */
    if (st == MST_OK && n != 0 && (hash == NULL || strcmp(mst_hash_digits(k->hash, digits), hash) != 0))
        return mst_fail(err, MST_EFORMAT, "%s: they are not the rows that were written with the journal", path);
    return st;
}

json_t *mst_kept_json(const mst_kept *k)
{
    char digits[MST_HASH_DIGITS];
    return json_string(mst_hash_digits(k->hash, digits));
}

mst_status mst_kept_sync(mst_kept *k, mst_err *err)
{
    return k->spool != NULL ? mst_spool_sync(k->spool, err) : MST_OK;
}
