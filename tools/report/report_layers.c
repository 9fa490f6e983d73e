/* Layers: where errors come from, how often neurons fire, what masks drop. */
#include <inttypes.h>
#include <math.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/report/svg_chart.h"
#include "tools/tool_mode.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

size_t mst_page_worst(const mst_calib_report *c)
{
    double most = -1;
    size_t worst = 0;
    for (size_t k = 0; k < c->n_layers; k++) {
        double own = 0;
        for (int p = 0; p < MST_PART_COUNT; p++)
            own += p != MST_PART_INHERITED ? c->layers[k].part_abs[p] : 0;
        own = c->layers[k].theta > 0 ? own / c->layers[k].theta : 0;
        if (own > most) {
            most = own;
            worst = k;
        }
    }
    return worst;
}

/* ---- errors ---- */

/* Parts of this mode, in the order of the enum. Returns how many. */
static size_t parts_of(mst_run_mode mode, mst_calib_part *parts, int *colours, const char **names)
{
    static const int colour_of[MST_PART_COUNT] = {1, 2, 0, 3, 5, 4};
    size_t n = 0;
    for (int p = 0; p < MST_PART_COUNT; p++)
        if (mst_calib_has_part(mode, (mst_calib_part)p)) {
            colours[n] = colour_of[p];
            names[n] = mst_calib_part_name((mst_calib_part)p);
            parts[n++] = (mst_calib_part)p;
        }
    return n;
}

static mst_status error_chart(const mst_page *r, const char **labels, mst_arena *tmp, FILE *f, mst_err *err)
{
    const mst_calib_report *c = r->calib;
    mst_calib_part parts[MST_PART_COUNT];
    int colours[MST_PART_COUNT];
    const char *names[MST_PART_COUNT];
    size_t n = parts_of(c->mode, parts, colours, names);
    double *values = mst_arena_array(tmp, c->n_layers * n + 1, sizeof *values);
    double *marks = mst_arena_array(tmp, c->n_layers + 1, sizeof *marks);
    char desc[512];
    if (values == NULL || marks == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a report");
    for (size_t k = 0; k < c->n_layers; k++) {
        const mst_calib_layer *l = &c->layers[k];
        for (size_t p = 0; p < n; p++)
            values[k * n + p] = l->theta > 0 ? 100 * l->part_abs[parts[p]] / l->theta : 0;
        marks[k] = l->theta > 0 ? 100 * l->mae / l->theta : (double)NAN;
    }
    snprintf(desc, sizeof desc, "A stacked bar for each of %zu layers; the layer that adds most of its own is %.200s",
             c->n_layers, c->layers[mst_page_worst(c)].name);
    mst_svg_bars b = {.n = c->n_layers,
                      .parts = n,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .names = names,
                      .marks = marks,
                      .ref = (double)NAN,
                      .axis = "mean absolute error, % of the threshold",
                      .digits = -1};
    mst_svg_rows(f, &b,
                 &(mst_svg_text){"errors", "Error of each layer, by cause",
                                 "strokes: the error itself; its parts may cancel, so that bars are longer", desc});
    return MST_OK;
}

static void error_table(const mst_page *r, FILE *f)
{
    const mst_calib_report *c = r->calib;
    static const char *const fixed[] = {"layer", ">theta", ">L", ">levels", ">mean |error|",
                                        ">\xc2\xb1", ">relative L2", ">largest", ">bias", ">within theta/2L, %",
                                        ">residual"};
    const char *heads[COUNT(fixed) + MST_PART_COUNT];
    char text[MST_PART_COUNT][24];
    size_t n = 0;
    bool counts = mst_mode_counts(c->mode);
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (i != 3 || counts)
            heads[n++] = fixed[i];
    for (int p = 0; p < MST_PART_COUNT; p++)
        if (mst_calib_has_part(c->mode, (mst_calib_part)p)) {
            snprintf(text[p], sizeof text[p], ">%s", mst_calib_part_name((mst_calib_part)p));
            heads[n++] = text[p];
        }
    mst_html_table t;
    mst_html_table_begin(&t, f, "Error of each layer", n, heads);
    for (size_t k = 0; k < c->n_layers; k++) {
        const mst_calib_layer *l = &c->layers[k];
        mst_html_cell(&t, "%s", l->name);
        mst_html_real(&t, l->theta, 4);
        mst_html_whole(&t, (uint64_t)l->levels);
        if (counts)
            mst_html_whole(&t, (uint64_t)l->run_levels);
        mst_html_real(&t, l->mae, 4);
        mst_html_real(&t, l->mae_se, 4);
        mst_html_real(&t, l->rel_l2, 4);
        mst_html_real(&t, l->max, 4);
        mst_html_real(&t, l->bias, 4);
        mst_html_real(&t, 100 * l->within, 2);
        mst_html_real(&t, l->residual, 4);
        for (int p = 0; p < MST_PART_COUNT; p++)
            if (mst_calib_has_part(c->mode, (mst_calib_part)p))
                mst_html_real(&t, l->part_abs[p], 4);
    }
    mst_html_table_end(&t);
}

/* What the causes are, in a line each. */
static void causes(mst_run_mode mode, FILE *f)
{
    static const char *const says[MST_PART_COUNT] = {
        [MST_PART_CLIPPING] = "the current is beyond what a neuron can fire: below none or above one spike a step",
        [MST_PART_UNEVENNESS] =
            "the current did not arrive evenly, so that spikes were fired too early or not in time",
        [MST_PART_QUANTIZATION] = "the network has other levels than the ANN was trained with (time steps against L)",
        [MST_PART_MASKS] = "spikes that masks drop, beyond what the ANN's own do",
        [MST_PART_INHERITED] =
            "the current differs because earlier layers are off, or because spikes of two factors coincide",
        [MST_PART_WEIGHTS] = "weights are stored with fewer digits"};
    fputs("<dl class=\"facts\">\n", f);
    for (int p = 0; p < MST_PART_COUNT; p++)
        if (mst_calib_has_part(mode, (mst_calib_part)p))
            mst_html(f, "<dt>%s</dt><dd>%s</dd>\n", mst_calib_part_name((mst_calib_part)p), says[p]);
    fputs("</dl>\n", f);
}

/* ---- rates ---- */

static mst_status rate_chart(const mst_page *r, const char **labels, mst_arena *tmp, FILE *f, mst_err *err)
{
    size_t n = r->run->about.n_layers, most = 0;
    static const int colours[] = {0};
    double *values = mst_arena_array(tmp, n + 1, sizeof *values);
    char desc[512], note[96];
    if (values == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a report");
    for (size_t k = 0; k < n; k++) {
        values[k] = 100 * mst_run_rate(r->run, k);
        most = values[k] > values[most] ? k : most;
    }
    snprintf(desc, sizeof desc, "A bar for each of %zu layers; %.200s fires most, %.1f %%", n,
             r->run->about.layers[most].name, values[most]);
    snprintf(note, sizeof note, "spikes behind masks, of all that could be: neurons times %s",
             r->run->about.mode == MST_RUN_SPIKING ? "time steps"
             : r->run->about.mode == MST_RUN_COUNT ? "levels"
                                                   : "digits");
    mst_svg_bars b = {.n = n,
                      .parts = 1,
                      .labels = labels,
                      .values = values,
                      .colours = colours,
                      .ref = (double)NAN,
                      .axis = "firing rate, %",
                      .digits = 1};
    mst_svg_rows(f, &b, &(mst_svg_text){"rates", "How often neurons fire", note, desc});
    return MST_OK;
}

static void rate_table(const mst_page *r, FILE *f)
{
    static const char *const heads[] = {"layer", "what it sums", ">neurons",
                                        ">rate, %", ">spikes per synapse", ">fired",
                                        ">spikes", ">operations into it"};
    mst_html_table t;
    double n = (double)r->run->sums.samples;
    mst_html_table_begin(&t, f, "Firing rates", COUNT(heads), heads);
    for (size_t k = 0; k < r->run->about.n_layers; k++) {
        const mst_run_layer *l = &r->run->about.layers[k];
        const mst_run_layer_sums *s = &r->run->sums.layers[k];
        mst_html_cell(&t, "%s", l->name);
        mst_html_cell(&t, "%s", l->kind);
        mst_html_whole(&t, l->neurons);
        mst_html_real(&t, 100 * mst_run_rate(r->run, k), 2);
        mst_html_real(&t, mst_run_input_events(r->run, k), 3);
        mst_html_real(&t, (double)s->fired / n, 0);
        mst_html_real(&t, (double)s->spikes / n, 0);
        mst_html_real(&t, (double)s->ops / n, 0);
    }
    mst_html_table_end(&t);
}

mst_status mst_page_layers(const mst_page *r, FILE *f, mst_err *err)
{
    mst_arena tmp = {0};
    const char **labels = mst_page_layer_names(&r->run->about, &tmp);
    mst_status st = labels != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for a report");
    if (st == MST_OK && r->run->about.n_layers != 0 && r->run->sums.samples != 0 &&
        r->run->about.mode != MST_RUN_ANN) {
        mst_html_section(f, "layers-section", "Layer by layer");
        fputs("<div class=\"charts\">\n", f);
        if (r->calib != NULL)
            st = error_chart(r, labels, &tmp, f, err);
        if (st == MST_OK)
            st = rate_chart(r, labels, &tmp, f, err);
        fputs("</div>\n", f);
        if (r->calib != NULL) {
            mst_html_details(f, "What the causes are");
            causes(r->calib->mode, f);
            mst_html_details_end(f);
            mst_html_details(f, "The errors of each layer");
            error_table(r, f);
            mst_html_details_end(f);
        }
        mst_html_details(f, "The rates of each layer");
        rate_table(r, f);
        mst_html_details_end(f);
        mst_html_section_end(f);
    }
    mst_arena_release(&tmp);
    return st;
}

/* ---- masks ---- */

void mst_page_masks(const mst_page *r, FILE *f)
{
    static const char *const heads[] = {"layer", "site", ">stage", ">block", ">ratio",
                                        ">trained with", ">fired", ">spikes left", ">dropped, %"};
    const mst_run_about *a = &r->run->about;
    mst_html_table t;
    size_t n = 0;
    double samples = (double)r->run->sums.samples;
    for (size_t k = 0; k < a->n_layers; k++)
        n += a->layers[k].mask;
    if (n == 0 || samples <= 0)
        return;
    mst_html_section(f, "masks-section", "Masks");
    mst_html(f, "<p>%zu of %zu layers have a mask behind them that drops spikes at random: %s.</p>\n", n, a->n_layers,
             a->assumed.masks);
    mst_html_table_begin(&t, f, "Masks", COUNT(heads), heads);
    for (size_t k = 0; k < a->n_layers; k++) {
        const mst_run_layer *l = &a->layers[k];
        const mst_run_layer_sums *s = &r->run->sums.layers[k];
        if (!l->mask)
            continue;
        mst_html_cell(&t, "%s", l->name);
        mst_html_cell(&t, "%s", l->site);
        mst_html_cell(&t, "%lld", (long long)l->stage);
        mst_html_cell(&t, "%lld", (long long)l->block);
        mst_html_real(&t, l->ratio, 2);
        mst_html_real(&t, l->trained, 2);
        mst_html_real(&t, (double)s->fired / samples, 0);
        mst_html_real(&t, (double)s->spikes / samples, 0);
        mst_html_real(&t, s->fired != 0 ? 100 - 100 * (double)s->spikes / (double)s->fired : (double)NAN, 1);
    }
    mst_html_table_end(&t);
    if (a->mode == MST_RUN_RADIX)
        mst_html(
            f,
            "<p class=\"note\">In radix mode a mask may leave more digits than it found (16 becomes 15: one digit, "
            "four).</p>\n");
    mst_html_section_end(f);
}
