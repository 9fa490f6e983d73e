/* What the parts of a report share: see report_page.h. */
#include <inttypes.h>
#include <string.h>

#include "tools/report/report_page.h"
#include "tools/tool_mode.h"

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
