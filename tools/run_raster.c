/* A tap on each session keeps one sample, as bits; samples go to disk in their order, so memory is that of one sample a
 * thread. A row is a sample's number, the counts of all layers (4 bytes each), then their bits.
 */
#include "tools/run_raster.h"

#include <stdio.h>
#include <string.h>

#include "mst/facts.h"
#include "runtime/core/bytes.h"
#include "tools/calib_masks.h"
#include "tools/npz_out.h"
#include "tools/tool_names.h"

#define MAX_BYTES ((size_t)1 << 28) /* of a sample */

typedef struct watched {
    size_t layer, neurons;
    size_t count_at, bits_at; /* in a row: numbers behind the first, bytes behind all numbers */
    mst_npz_array_out *counts, *bits;
} watched;

struct mst_raster {
    const mst_program *p;
    const char *path; /* lent */
    uint32_t steps;
    mst_arena arena;
    size_t n, most, n_counts, n_bits; /* layers; neurons of the largest; of all, numbers and bytes */
    watched *layers;                  /* [n] */
    uint32_t *watched_of;             /* [nodes of the graph] MST_NONE: not watched */
    mst_npz_out npz;
    mst_npz_array_out *sample;
    mst_kept kept;
};

struct mst_raster_worker {
    const mst_raster *r;
    uint32_t *row, *counts; /* a row, and in it [n_counts] */
    uint8_t *bits;          /* in it, too, [n_bits]: whole bytes a step, the first neuron the highest bit */
    float *values;          /* [most] */
};

static size_t row_bytes(const watched *w) { return (w->neurons + 7) / 8; }

/* ---- which layers ---- */

static bool asks_for(const char *name, const mst_layer *l, size_t k)
{
    uint64_t number;
    const char *site = mst_site_name((int)l->site);
    return strcmp(name, "all") == 0 || strcmp(name, l->name) == 0 || (site != NULL && strcmp(name, site) == 0) ||
           (mst_parse_uint(name, &number) && number == k);
}

static mst_status choose(mst_raster *r, const mst_opt_list *names, bool *chosen, mst_err *err)
{
    for (size_t i = 0; i < names->n; i++) {
        bool found = false;
        size_t called = mst_layer_called(r->p, names->values[i]);
        for (size_t k = 0; k < mst_program_layers(r->p); k++)
            if (k == called || asks_for(names->values[i], mst_program_layer(r->p, k), k))
                found = chosen[k] = true;
        if (!found)
            return mst_fail(err, MST_EINVAL,
                            "--raster: expected a layer, its number, a site or all, found '%s' (see mstrun --info)",
                            names->values[i]);
    }
    return MST_OK;
}

/* Where the spikes that leave layer k can be seen: behind its mask, if that drops any. */
static uint32_t node_of(const mst_raster *r, const uint32_t *masks, size_t k)
{
    uint32_t node = mst_program_layer(r->p, k)->node, mask = masks[node];
    return mask != MST_NONE && mst_node_thins(&mst_program_graph(r->p)->nodes[mask]) ? mask : node;
}

static mst_status plan(mst_raster *r, const mst_opt_list *names, mst_arena *tmp, mst_err *err)
{
    const mst_graph *g = mst_program_graph(r->p);
    size_t layers = mst_program_layers(r->p);
    bool *chosen = mst_arena_array(tmp, layers + 1, sizeof *chosen);
    const uint32_t *masks = mst_masks_behind(g, tmp);
    r->watched_of = mst_arena_array(&r->arena, g->n_nodes, sizeof *r->watched_of);
    r->layers = mst_arena_array(&r->arena, layers + 1, sizeof *r->layers);
    if (chosen == NULL || masks == NULL || r->watched_of == NULL || r->layers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a raster of %zu layers", layers);
    MST_TRY(choose(r, names, chosen, err));
    memset(r->watched_of, 0xff, g->n_nodes * sizeof *r->watched_of);
    for (size_t k = 0; k < layers; k++) {
        if (!chosen[k])
            continue;
        watched *w = &r->layers[r->n];
        *w = (watched){.layer = k,
                       .neurons = (size_t)mst_program_layer(r->p, k)->neurons,
                       .count_at = r->n_counts,
                       .bits_at = r->n_bits};
        r->watched_of[node_of(r, masks, k)] = (uint32_t)r->n++;
        r->most = w->neurons > r->most ? w->neurons : r->most;
        r->n_counts += w->neurons;
        r->n_bits += row_bytes(w) * r->steps;
        if (r->n_bits > MAX_BYTES || r->n_counts > MAX_BYTES / sizeof(uint32_t))
            return mst_fail(err, MST_ELIMIT, "--raster: more than %zu bytes a sample: take fewer layers or steps",
                            MAX_BYTES);
    }
    return MST_OK;
}

/* ---- arrays ---- */

static mst_status add_names(mst_raster *r, mst_err *err)
{
    size_t longest = 1;
    char type[32];
    mst_npz_array_out *layer, *name;
    for (size_t i = 0; i < r->n; i++) {
        size_t n = strlen(mst_program_layer(r->p, r->layers[i].layer)->name);
        longest = n > longest ? n : longest;
    }
    snprintf(type, sizeof type, "|S%zu", longest);
    MST_TRY(mst_npz_add(&r->npz, "layer", "<i8", 8, 0, NULL, &layer, err));
    MST_TRY(mst_npz_add(&r->npz, "name", type, longest, 0, NULL, &name, err));
    char *text = mst_arena_alloc(&r->arena, longest + 1);
    if (text == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for names of layers");
    for (size_t i = 0; i < r->n; i++) {
        int64_t number = (int64_t)r->layers[i].layer;
        memset(text, 0, longest);
        memcpy(text, mst_program_layer(r->p, r->layers[i].layer)->name,
               strlen(mst_program_layer(r->p, r->layers[i].layer)->name));
        MST_TRY(mst_npz_append(layer, &number, 1, err));
        MST_TRY(mst_npz_append(name, text, 1, err));
    }
    return MST_OK;
}

static mst_status add_arrays(mst_raster *r, mst_err *err)
{
    const int64_t form = 1;
    mst_npz_array_out *made_by;
    MST_TRY(mst_npz_add(&r->npz, "mstrun", "<i8", 8, 0, NULL, &made_by, err));
    MST_TRY(mst_npz_append(made_by, &form, 1, err));
    MST_TRY(add_names(r, err));
    MST_TRY(mst_npz_add(&r->npz, "sample", "<i8", 8, 0, NULL, &r->sample, err));
    for (size_t i = 0; i < r->n; i++) {
        watched *w = &r->layers[i];
        char name[40];
        uint32_t shape[MST_MAX_RANK];
        uint64_t dims[MST_MAX_RANK];
        uint32_t rank = mst_program_layer_shape(r->p, w->layer, shape);
        for (uint32_t d = 0; d < rank; d++)
            dims[d] = shape[d];
        snprintf(name, sizeof name, "counts_%zu", w->layer);
        MST_TRY(mst_npz_add(&r->npz, name, "<u4", 4, rank, dims, &w->counts, err));
        if (r->steps == 0)
            continue;
        snprintf(name, sizeof name, "raster_%zu", w->layer);
        const uint64_t rows[2] = {r->steps, row_bytes(w)};
        MST_TRY(mst_npz_add(&r->npz, name, "|u1", 1, 2, rows, &w->bits, err));
    }
    return MST_OK;
}

static size_t numbers(const mst_raster *r) { return sizeof(uint32_t) * (1 + r->n_counts); }

static mst_status take(void *ctx, const uint8_t *row, mst_err *err)
{
    const mst_raster *r = ctx;
    int64_t sample = mst_get_u32(row);
    MST_TRY(mst_npz_append(r->sample, &sample, 1, err));
    for (size_t i = 0; i < r->n; i++) {
        const watched *w = &r->layers[i];
        MST_TRY(mst_npz_append(w->counts, row + sizeof(uint32_t) * (1 + w->count_at), 1, err));
        if (r->steps != 0)
            MST_TRY(mst_npz_append(w->bits, row + numbers(r) + w->bits_at, 1, err));
    }
    return MST_OK;
}

mst_status mst_raster_open(const mst_program *p, const mst_opt_list *names, const char *path, uint32_t steps,
                           mst_raster **out, mst_err *err)
{
    mst_arena tmp = {0};
    mst_raster *r = mst_alloc(NULL, sizeof *r);
    *out = r;
    if (r == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    *r = (mst_raster){.p = p, .path = path, .steps = steps};
    mst_status st = plan(r, names, &tmp, err);
    mst_arena_release(&tmp);
    r->kept = mst_kept_make(numbers(r) + r->n_bits, take, r);
    return st == MST_OK ? add_arrays(r, err) : st;
}

void mst_raster_close(mst_raster *r)
{
    if (r == NULL)
        return;
    mst_kept_close(&r->kept);
    mst_npz_out_free(&r->npz);
    mst_arena_release(&r->arena);
    mst_free(NULL, r, sizeof *r);
}

/* ---- samples ---- */

static void see(void *ctx, const mst_session *s, const mst_tap *t)
{
    mst_raster_worker *w = ctx;
    uint32_t i = w->r->watched_of[t->node];
    (void)s;
    if (i == MST_NONE)
        return;
    const watched *l = &w->r->layers[i];
    mst_tap_count(t, w->counts + l->count_at);
    for (uint32_t k = 0; k < t->steps && t->first + k <= w->r->steps; k++) {
        uint8_t *row = w->bits + l->bits_at + (t->first + k - 1) * row_bytes(l);
        mst_tap_values(t, k, w->values);
        for (size_t j = 0; j < l->neurons; j++)
            if (w->values[j] != 0)
                row[j / 8] |= (uint8_t)(0x80 >> j % 8);
    }
}

mst_status mst_raster_watch(mst_raster *r, mst_session *s, mst_raster_worker **out, mst_err *err)
{
    mst_raster_worker *w = mst_arena_alloc(&r->arena, sizeof *w);
    *out = w;
    if (w != NULL)
        *w = (mst_raster_worker){.r = r,
                                 .row = mst_arena_alloc(&r->arena, r->kept.bytes),
                                 .values = mst_arena_array(&r->arena, r->most + 1, sizeof *w->values)};
    if (w == NULL || w->row == NULL || w->values == NULL)
        return mst_fail(err, MST_ENOMEM, "--raster: out of memory for a sample of each thread (--threads)");
    w->counts = w->row + 1;
    w->bits = (uint8_t *)(w->counts + r->n_counts);
    mst_session_tap(s, see, w);
    return MST_OK;
}

void mst_raster_begin(mst_raster_worker *w) { memset(w->row, 0, w->r->kept.bytes); }

mst_status mst_raster_add(mst_raster *r, const mst_raster_worker *w, uint32_t sample, mst_err *err)
{
    *w->row = sample;
    return mst_kept_add(&r->kept, (const uint8_t *)w->row, err);
}

mst_kept *mst_raster_kept(mst_raster *r) { return &r->kept; }

mst_status mst_raster_end(mst_raster *r, mst_err *err)
{
    FILE *f;
    MST_TRY(mst_paths_stream(r->path, &f, err));
    return mst_npz_write(&r->npz, f, r->path, err);
}
