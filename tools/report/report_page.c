/* The order of a report, its footer, and what its parts share. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"

mst_figures mst_page_figures(const mst_page *r)
{
    return mst_figures_of(&r->run->about, &r->run->sums.all, r->run->sums.samples, mst_run_steps(&r->run->about));
}

const char *mst_page_class(const mst_page *r, uint32_t class, char *out, size_t n)
{
    const mst_run_about *a = &r->run->about;
    if (class < a->n_names && a->names[class] != NULL && a->names[class][0] != '\0')
        return a->names[class];
    snprintf(out, n, "%u", class);
    return out;
}

const char *mst_page_mode(const mst_run_about *a, char *out, size_t n)
{
    if (a->mode == MST_RUN_SPIKING)
        snprintf(out, n, "T = %" PRIu64, a->steps);
    else if (a->levels != 0)
        snprintf(out, n, "%s, %" PRIu64 " levels", a->mode_name, a->levels);
    else
        snprintf(out, n, "mode %s", a->mode_name);
    return out;
}

/* ---- names of layers ---- */

/* Bytes of the last "/part" that all names end with; 0: there is none. */
static size_t common_end(const mst_run_about *a)
{
    const char *first = a->n_layers > 1 ? strrchr(a->layers[0].name, '/') : NULL;
    if (first == NULL || first == a->layers[0].name)
        return 0;
    for (size_t k = 1; k < a->n_layers; k++) {
        const char *end = strrchr(a->layers[k].name, '/');
        if (end == NULL || end == a->layers[k].name || strcmp(end, first) != 0)
            return 0;
    }
    return strlen(first);
}

/* "/blocks/blocks.0/q_if/Floor" to "blocks.0/q_if": exporters repeat what a module stands in. */
static void shorten(const char *name, size_t drop, char *out)
{
    size_t n = strlen(name) - drop, used = 0;
    for (size_t i = 0; i < n;) {
        size_t part = 0;
        while (i + part < n && name[i + part] != '/')
            part++;
        size_t next = i + part + 1;
        bool repeated =
            part != 0 && next + part < n && memcmp(name + i, name + next, part) == 0 && name[next + part] == '.';
        if (part != 0 && !repeated) {
            if (used != 0)
                out[used++] = '/';
            memcpy(out + used, name + i, part);
            used += part;
        }
        i = next;
    }
    out[used] = '\0';
}

const char **mst_page_layer_names(const mst_run_about *a, mst_arena *arena)
{
    size_t drop = common_end(a);
    const char **names = mst_arena_array(arena, a->n_layers + 1, sizeof *names);
    for (size_t k = 0; names != NULL && k < a->n_layers; k++) {
        char *out = mst_arena_alloc(arena, strlen(a->layers[k].name) + 1);
        if (out == NULL)
            return NULL;
        shorten(a->layers[k].name, drop, out);
        names[k] = out[0] != '\0' ? out : a->layers[k].name;
    }
    return names;
}

/* ---- the whole ---- */

static const char *base_name(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* All that may differ between two runs of the same. */
static mst_status footer(const mst_page *r, FILE *f, mst_err *err)
{
    json_t *p = mst_json_provenance();
    if (p == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a report");
    mst_html(f, "</main>\n<footer id=\"provenance\">\n<p>Made by %s %s on %s", r->tool,
             json_string_value(json_object_get(p, "version")), json_string_value(json_object_get(p, "date")));
    if (r->run->isa != NULL)
        mst_html(f, ", %u threads, kernels %s", r->run->threads, r->run->isa);
    mst_html(f, ", in %.1f s. Results depend on none of these.</p>\n<p><code>", mst_json_elapsed());
    const json_t *words = json_object_get(p, "command");
    for (size_t i = 0; i < json_array_size(words); i++)
        mst_html(f, "%s%s", i != 0 ? " " : "", json_string_value(json_array_get(words, i)));
    fputs("</code></p>\n</footer>\n", f);
    json_decref(p);
    return MST_OK;
}

static mst_status write_parts(const mst_page *r, FILE *f, mst_err *err)
{
    mst_page_words(r, f);
    mst_page_accuracy(r, f);
    if (r->run->about.mode != MST_RUN_ANN)
        mst_page_energy(r, f);
    MST_TRY(mst_page_layers(r, f, err));
    mst_page_values(r, f);
    MST_TRY(mst_page_classes(r, f, err));
    MST_TRY(mst_page_flips(r, f, err));
    mst_page_masks(r, f);
    return footer(r, f, err);
}

mst_status mst_page_write(const mst_page *r, const char *path, mst_err *err)
{
    FILE *f;
    char kind[400], mode[80];
    const mst_run_about *a = &r->run->about;
    MST_TRY(mst_paths_stream(path, &f, err));
    snprintf(kind, sizeof kind, "%s on %.200s, %s", r->calib != NULL ? "Conversion error" : "Run", a->data,
             mst_page_mode(a, mode, sizeof mode));
    mst_html_begin(f, r->tool, base_name(a->model), kind);
    MST_TRY(write_parts(r, f, err));
    mst_html_end(f);
    return ferror(f) ? mst_fail(err, MST_EIO, "%s: cannot write: %s", mst_output_name(path), strerror(errno))
                     : MST_OK;
}
