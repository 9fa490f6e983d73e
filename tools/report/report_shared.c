/* What the parts of a report share: see report_page.h. */
#include <inttypes.h>

#include "tools/report/report_page.h"
#include "tools/tool_mode.h"
#include "tools/tool_names.h"

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

const char **mst_page_layer_names(const mst_run_about *a, mst_arena *arena)
{
    const char **names = mst_arena_array(arena, a->n_layers + 1, sizeof *names);
    for (size_t k = 0; names != NULL && k < a->n_layers; k++)
        names[k] = a->layers[k].name;
    return names != NULL ? mst_short_names(names, a->n_layers, arena) : NULL;
}
