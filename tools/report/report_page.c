/* The order of a report, and its footer. */
#include <string.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/tool_mode.h"
#include "tools/tool_output.h"

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
    mst_page_attribution(r, f);
    if (r->run->about.mode != MST_RUN_ANN)
        mst_page_energy(r, f);
    mst_page_exit(r, f);
    mst_page_modes(r, f);
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
    return ferror(f) ? mst_cannot_write(path, err) : MST_OK;
}
