/* A frame in memory into a buffer that grows. */
#include "runtime/data/events/event_unpack.h"

#include <stdbool.h>
#include <string.h>

#include "mst/alloc.h"

#ifdef MST_LZ4
#include <lz4frame.h>
#endif
#ifdef MST_ZSTD
#include <zstd.h>
#endif

#define FIRST_ROOM ((size_t)1 << 16)

void mst_event_unpacked_free(mst_event_unpacked *out)
{
    mst_free(NULL, out->p, out->room);
    *out = (mst_event_unpacked){0};
}

mst_status mst_event_unpacked_room(mst_event_unpacked *out, size_t n, const char *what, mst_err *err)
{
    if (n <= out->room)
        return MST_OK;
    if (n > MST_EVENT_MAX_UNPACKED)
        return mst_fail(err, MST_ELIMIT, "%s: more than %zu bytes", what, MST_EVENT_MAX_UNPACKED);
    uint8_t *grown = mst_alloc(NULL, n);
    if (grown == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %zu bytes", what, n);
    if (out->n != 0)
        memcpy(grown, out->p, out->n);
    mst_free(NULL, out->p, out->room);
    out->p = grown;
    out->room = n;
    return MST_OK;
}

#if defined(MST_LZ4) || defined(MST_ZSTD)
/* Room for more: twice as much as there is. */
static mst_status more_room(mst_event_unpacked *out, const char *what, mst_err *err)
{
    if (out->n < out->room)
        return MST_OK;
    size_t room = out->room == 0 ? FIRST_ROOM : 2 * out->room;
    if (out->room < MST_EVENT_MAX_UNPACKED && room > MST_EVENT_MAX_UNPACKED)
        room = MST_EVENT_MAX_UNPACKED;
    return mst_event_unpacked_room(out, room, what, err);
}

static mst_status damaged(const char *what, const char *name, const char *why, mst_err *err)
{
    return mst_fail(err, MST_ECORRUPT, "%s: expected one sound %s frame, found damage: %s", what, name, why);
}

/* One call of a library: how much of in it took, how much it put out, whether the frame has ended; NULL, or what is
 * wrong. */
typedef const char *(*unpack_step)(void *context, const uint8_t *in, size_t *n, uint8_t *out, size_t *room,
                                   bool *end);

static mst_status run(unpack_step step, void *context, const char *name, const uint8_t *in, size_t n,
                      const char *what, mst_event_unpacked *out, mst_err *err)
{
    bool end = false;
    while (!end) {
        MST_TRY(more_room(out, what, err));
        size_t took = n, put = out->room - out->n;
        const char *wrong = step(context, in, &took, out->p + out->n, &put, &end);
        if (wrong != NULL)
            return damaged(what, name, wrong, err);
        if (!end && took == 0 && put == 0)
            return damaged(what, name, "it is cut off", err);
        in += took;
        n -= took;
        out->n += put;
    }
    return n == 0 ? MST_OK : damaged(what, name, "there are bytes behind it", err);
}
#endif

#ifdef MST_LZ4
static const char *lz4_step(void *context, const uint8_t *in, size_t *n, uint8_t *out, size_t *room, bool *end)
{
    size_t left = LZ4F_decompress(context, out, room, in, n, NULL);
    *end = left == 0;
    return LZ4F_isError(left) ? LZ4F_getErrorName(left) : NULL;
}

static mst_status lz4(const uint8_t *in, size_t n, const char *what, mst_event_unpacked *out, mst_err *err)
{
    LZ4F_dctx *context = NULL;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return mst_fail(err, MST_ENOMEM, "%s: no memory to unpack", what);
    mst_status st = run(lz4_step, context, "LZ4", in, n, what, out, err);
    LZ4F_freeDecompressionContext(context);
    return st;
}
#endif

#ifdef MST_ZSTD
#define WINDOW_BITS 26 /* memory for what a frame refers to: as much as it may become */

static const char *zstd_step(void *context, const uint8_t *in, size_t *n, uint8_t *out, size_t *room, bool *end)
{
    ZSTD_inBuffer from = {in, *n, 0};
    ZSTD_outBuffer to = {out, *room, 0};
    size_t left = ZSTD_decompressStream(context, &to, &from);
    *n = from.pos;
    *room = to.pos;
    *end = left == 0;
    return ZSTD_isError(left) ? ZSTD_getErrorName(left) : NULL;
}

static mst_status zstd(const uint8_t *in, size_t n, const char *what, mst_event_unpacked *out, mst_err *err)
{
    ZSTD_DStream *context = ZSTD_createDStream();
    if (context == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_BITS))) {
        ZSTD_freeDStream(context);
        return mst_fail(err, MST_ENOMEM, "%s: no memory to unpack", what);
    }
    mst_status st = run(zstd_step, context, "zstd", in, n, what, out, err);
    ZSTD_freeDStream(context);
    return st;
}
#endif

mst_status mst_event_unpack(mst_event_packing how, const uint8_t *in, size_t n, const char *what,
                            mst_event_unpacked *out, mst_err *err)
{
    out->n = 0;
    switch (how) {
    case MST_PACKED_NOT:
        MST_TRY(mst_event_unpacked_room(out, n, what, err));
        if (n != 0)
            memcpy(out->p, in, n);
        out->n = n;
        return MST_OK;
#ifdef MST_LZ4
    case MST_PACKED_LZ4: return lz4(in, n, what, out, err);
#endif
#ifdef MST_ZSTD
    case MST_PACKED_ZSTD: return zstd(in, n, what, out, err);
#endif
    default:
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: packed by %s, which this build does not have: make deps, then make", what,
                        how == MST_PACKED_LZ4 ? "LZ4" : "zstd");
    }
}
