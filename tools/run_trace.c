/* A row is a sample's number (4 bytes), then what each layer has fired and sent since it began (8 and 8), step by step.
 */
#include "tools/run_trace.h"

#include <inttypes.h>
#include <stdio.h>

#include "mst/alloc.h"
#include "runtime/core/bytes.h"
#include "runtime/core/checked.h"
#include "tools/tool_paths.h"

#define MAX_BYTES ((size_t)1 << 29) /* of a sample */
#define HEAD 4
#define LAYER 16

struct mst_trace {
    const mst_program *p;
    const char *path; /* lent */
    uint32_t steps;
    size_t n_layers;
    FILE *f;
    mst_kept kept;
    mst_arena arena;
};

struct mst_trace_worker {
    const mst_session *s;
    size_t n_layers;
    uint8_t *row; /* [kept.bytes] */
};

/* A CSV field: always quoted, quotes doubled, control characters out. */
static void print_field(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc((unsigned char)*text < 0x20 ? '?' : *text, f);
    }
    fputc('"', f);
}

static mst_status take(void *ctx, const uint8_t *row, mst_err *err)
{
    const mst_trace *t = ctx;
    size_t step_bytes = LAYER * t->n_layers;
    const uint8_t *at = row + HEAD;
    for (uint32_t i = 0; i < t->steps; i++) {
        for (size_t k = 0; k < t->n_layers; k++, at += LAYER) {
            uint64_t fired = mst_get_u64(at) - (i != 0 ? mst_get_u64(at - step_bytes) : 0);
            uint64_t spikes = mst_get_u64(at + 8) - (i != 0 ? mst_get_u64(at + 8 - step_bytes) : 0);
            fprintf(t->f, "%" PRIu32 ",%" PRIu32 ",%zu,", mst_get_u32(row), i + 1, k);
            print_field(t->f, mst_program_layer(t->p, k)->name);
            fprintf(t->f, ",%" PRIu64 ",%" PRIu64 "\n", fired, spikes);
        }
    }
    return !ferror(t->f) ? MST_OK : mst_cannot_write(t->path, err);
}

mst_status mst_trace_open(const mst_program *p, const char *path, uint32_t steps, mst_trace **out, mst_err *err)
{
    mst_trace *t = mst_alloc(NULL, sizeof *t);
    size_t n = mst_program_layers(p), rows, bytes;
    *out = t;
    if (t == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    *t = (mst_trace){.p = p, .path = path, .steps = steps, .n_layers = n};
    if (!mst_mul_size(steps, n, &rows) || !mst_mul_size(rows, LAYER, &bytes) || bytes > MAX_BYTES)
        return mst_fail(err, MST_ELIMIT, "--trace: %u steps of %zu layers: limit is %zu bytes a sample", steps, n,
                        MAX_BYTES);
    t->kept = mst_kept_make(HEAD + bytes, take, t);
    MST_TRY(mst_paths_stream(path, &t->f, err));
    fputs("sample,step,layer,name,fired,spikes\n", t->f);
    return MST_OK;
}

mst_status mst_trace_watch(mst_trace *t, const mst_session *s, mst_trace_worker **out, mst_err *err)
{
    mst_trace_worker *w = mst_arena_alloc(&t->arena, sizeof *w);
    *out = w;
    if (w != NULL)
        *w = (mst_trace_worker){.s = s, .n_layers = t->n_layers, .row = mst_arena_alloc(&t->arena, t->kept.bytes)};
    return w != NULL && w->row != NULL
               ? MST_OK
               : mst_fail(err, MST_ENOMEM, "--trace: out of memory for a sample of each thread (--threads)");
}

void mst_trace_see(mst_trace_worker *w, uint32_t t, uint32_t i)
{
    uint8_t *at = w->row + HEAD + (size_t)(t - 1) * w->n_layers * LAYER;
    for (size_t k = 0; k < w->n_layers; k++, at += LAYER) {
        mst_set_u64(at, mst_session_layer_fired(w->s, i, k));
        mst_set_u64(at + 8, mst_session_layer_spikes(w->s, i, k));
    }
}

mst_status mst_trace_add(mst_trace *t, mst_trace_worker *w, uint32_t sample, mst_err *err)
{
    mst_set_u32(w->row, sample);
    return mst_kept_add(&t->kept, w->row, err);
}

mst_kept *mst_trace_kept(mst_trace *t) { return &t->kept; }

void mst_trace_close(mst_trace *t)
{
    if (t == NULL)
        return;
    mst_kept_close(&t->kept);
    mst_arena_release(&t->arena);
    mst_free(NULL, t, sizeof *t);
}
