/* The report in words: what a reader is to take away, said from the numbers by rules (docs/REPORT.md), and what these
 * rest on.
 */
#include <inttypes.h>
#include <math.h>

#include "tools/report/html.h"
#include "tools/report/report_page.h"
#include "tools/tool_mode.h"

#define SURE 2.0 /* standard errors beyond which a loss is told apart from none */
#define SHOWN 5  /* samples that could not be used */

static size_t last(const mst_page *r) { return r->run->sums.n_at - 1; }

/* "" or ", a loss of ..": the paired difference, and whether it says anything. */
static void loss_words(const mst_page *r, FILE *f)
{
    double loss = 100 * mst_versus_loss(r->versus, last(r)), se = 100 * mst_versus_loss_se(r->versus, last(r));
    if (loss == 0) {
        mst_html(f, "none is lost");
    } else {
        mst_html(f, "%s %.2f points", loss > 0 ? "a loss of" : "a gain of", fabs(loss));
        if (isfinite(se))
            mst_html(f, " (standard error %.2f)", se);
    }
    if (loss != 0 && isfinite(se) && fabs(loss) < SURE * se)
        mst_html(f, ", which so few samples do not tell apart from none");
}

static void accuracy_words(const mst_page *r, FILE *f)
{
    const mst_run_sums *s = &r->run->sums;
    char mode[80];
    bool ann = r->run->about.mode == MST_RUN_ANN;
    if (s->labelled == 0) {
        mst_html(f, "The samples have no labels: how many are right is not known. ");
        if (r->versus != NULL)
            mst_html(f, "For %.2f %% of %" PRIu64 " samples the spiking network says the class that its ANN says. ",
                     100 * mst_versus_agreement(r->versus, last(r)), s->samples);
        return;
    }
    mst_html(f, "The %s gets <strong>%.2f %%</strong> of %" PRIu64 " samples right (%s)",
             ann ? "ANN" : "spiking network", 100 * mst_run_top1(r->run, last(r)), s->labelled,
             mst_page_mode(&r->run->about, mode, sizeof mode));
    if (r->versus != NULL) {
        mst_html(f, ", its ANN %.2f %%: ", 100 * mst_versus_ann_top1(r->versus));
        loss_words(r, f);
        mst_html(f, ". Both say the same class for %.2f %%", 100 * mst_versus_agreement(r->versus, last(r)));
    }
    mst_html(f, ". ");
}

static void cost_words(const mst_page *r, FILE *f)
{
    const mst_run_about *a = &r->run->about;
    mst_figures x = mst_page_figures(r);
    char spikes[32], sops[32], macs[32];
    if (a->mode == MST_RUN_ANN)
        return;
    mst_html(f,
             "For one sample its neurons fire %s spikes, which cause %s additions beside %s multiply-adds of analog "
             "inputs",
             mst_html_si(x.spikes, spikes, sizeof spikes), mst_html_si(x.sops, sops, sizeof sops),
             mst_html_si(x.macs, macs, sizeof macs));
    double ratio = mst_energy_ratio(&x, &x.ann, false), all = mst_energy_ratio(&x, &x.ann, true);
    if (isfinite(ratio))
        mst_html(
            f,
            ": <strong>%.3g times</strong> the ANN's energy of operations (%s), %.3g times with memory and neurons",
            ratio, a->energy.set.name, all);
    if (x.bits != 0 && x.fires)
        mst_html(f, "; of an ANN of %u bits %.3g and %.3g times", x.bits, mst_energy_ratio(&x, &x.bit_ann, false),
                 mst_energy_ratio(&x, &x.bit_ann, true));
    mst_html(f, ". ");
    if (mst_mode_counts(a->mode))
        mst_html(f,
                 "A sample takes %.0f steps from input to output, a window of %" PRIu64 " for each of %" PRIu64
                 " layers in sequence. ",
                 mst_run_latency(a), a->window, a->depth);
    if (mst_run_silent(r->run) != 0)
        mst_html(f, "%zu of %zu layers never fire. ", mst_run_silent(r->run), r->run->sums.n_layers);
}

/* Stopped early, against all that is said before. */
static void exit_words(const mst_page *r, FILE *f)
{
    const mst_exit_result *x = r->early;
    if (x == NULL)
        return;
    mst_html(f, "Samples that stop early (margin %g) take %.1f steps on average", x->margin, x->early.latency);
    if (x->early.labelled != 0)
        mst_html(f, ", %.2f %% are right", 100 * mst_exit_share(x->early.right, x->early.labelled));
    if (isfinite(x->saved))
        mst_html(f, ", %.1f %% of that energy %s", 100 * fabs(x->saved), x->saved < 0 ? "is added" : "is saved");
    mst_html(f, ". ");
}

/* The layer that --attribute found: one that adds much may do no harm. */
static void harm_words(const mst_page *r, FILE *f)
{
    const mst_attrib_part *worst = r->words->worst;
    if (worst == NULL || worst->layer >= r->attrib->n_layers) {
        mst_html(f, ". ");
        return;
    }
    mst_html(f, "; the layer whose own error costs most is <code>%s</code> (", r->attrib->layers[worst->layer].name);
    if (r->attrib->labelled != 0)
        mst_html(f, "without it %.2f points are won, standard error %.2f). ", 100 * worst->away.points,
                 100 * worst->away.points_se);
    else
        mst_html(f, "%.3f of the logits' error). ", worst->away.logit);
}

/* The cause that is largest on the whole, over theta, and the layer whose own error is. */
static void error_words(const mst_page *r, FILE *f)
{
    double parts[MST_PART_COUNT] = {0}, all = 0;
    const mst_calib_report *c = r->calib;
    int most = 0;
    if (c == NULL || c->n_layers == 0)
        return;
    for (size_t k = 0; k < c->n_layers; k++)
        for (int p = 0; p < MST_PART_COUNT; p++)
            if (p != MST_PART_INHERITED && c->layers[k].theta > 0)
                parts[p] += c->layers[k].part_abs[p] / c->layers[k].theta;
    for (int p = 0; p < MST_PART_COUNT; p++) {
        all += parts[p];
        most = parts[p] > parts[most] ? p : most;
    }
    size_t worst = mst_page_worst(c);
    if (all <= 0) {
        mst_html(f, "Layer by layer the spiking network computes what the ANN does. ");
        return;
    }
    mst_html(
        f,
        "Of the error that layers add of their own, most is %s (%.0f %% of the sum of its parts over all layers, in "
        "units of their thresholds)",
        mst_calib_part_name((mst_calib_part)most), 100 * parts[most] / all);
    if (r->attrib == NULL)
        mst_html(f, "; the layer that adds most is <code>%s</code>. ", c->layers[worst].name);
    else
        harm_words(r, f);
}

static void key(FILE *f, const char *name, const char *value, const char *below)
{
    mst_html(f, "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n", name, value, below);
}

static void key_figures(const mst_page *r, FILE *f)
{
    const mst_run_sums *s = &r->run->sums;
    mst_figures x = mst_page_figures(r);
    char value[48], below[96], si[32];
    double top1 = mst_run_top1(r->run, last(r)), se = mst_share_se(top1, s->labelled);
    fputs("<dl class=\"key\">\n", f);
    if (s->labelled != 0) {
        snprintf(value, sizeof value, "%.2f %%", 100 * top1);
        if (isfinite(se))
            snprintf(below, sizeof below, "\xc2\xb1 %.2f, %" PRIu64 " samples", 100 * se, s->labelled);
        else
            snprintf(below, sizeof below, "of one sample");
        key(f, "accuracy (top-1)", value, below);
    }
    if (r->versus != NULL && s->labelled != 0) {
        double loss = 100 * mst_versus_loss(r->versus, last(r)), e = 100 * mst_versus_loss_se(r->versus, last(r));
        snprintf(value, sizeof value, "%.2f %%", 100 * mst_versus_ann_top1(r->versus));
        key(f, "its ANN", value, "on the same samples");
        snprintf(value, sizeof value, "%.2f", loss == 0 ? 0 : loss);
        if (isfinite(e))
            snprintf(below, sizeof below, "points, \xc2\xb1 %.2f", e);
        else
            snprintf(below, sizeof below, "points");
        key(f, "loss", value, below);
    }
    if (r->run->about.mode != MST_RUN_ANN) {
        key(f, "spikes", mst_html_si(x.spikes, si, sizeof si), "per sample, after masks");
        double ratio = mst_energy_ratio(&x, &x.ann, false), all = mst_energy_ratio(&x, &x.ann, true);
        if (isfinite(ratio)) {
            snprintf(value, sizeof value, "%.3g\xc3\x97", ratio);
            snprintf(below, sizeof below, "the ANN's; %.3g\xc3\x97 with memory", all);
            key(f, "energy of operations", value, below);
        }
    }
    fputs("</dl>\n", f);
}

/* ---- what the figures rest on ---- */

static void fact(FILE *f, const char *name, const char *value)
{
    mst_html(f, "<dt>%s</dt><dd>%s</dd>\n", name, value);
}

static void assumed(const mst_page *r, FILE *f)
{
    const mst_run_about *a = &r->run->about;
    const mst_outcome *o = r->outcome;
    mst_figures x = mst_page_figures(r);
    char text[160];
    fputs("<dl class=\"facts\">\n", f);
    fact(f, "input", a->assumed.normalization);
    fact(f, "samples prepared", a->assumed.prepare != NULL ? a->assumed.prepare : "as they are");
    fact(f, "masks", a->assumed.masks);
    if (r->versus != NULL)
        fact(f, "the ANN", r->ann);
    snprintf(text, sizeof text, "%zu of %zu; %" PRIu64 " samples, %" PRIu64 " with a label%s", o->classes_seen,
             o->classes, r->run->sums.samples, r->run->sums.labelled,
             o->spread ? "; spread, as labels are in order" : "");
    fact(f, "classes seen", text);
    if (a->mode == MST_RUN_SPIKING && a->readout_from > 1) {
        snprintf(text, sizeof text, "mean logits of steps %" PRIu64 " to %" PRIu64, a->readout_from, a->steps);
        fact(f, "readout", text);
    }
    if (a->thinning != NULL)
        fact(f, "thinning of counts", a->thinning);
    if (isfinite(mst_figures_analog(&x))) {
        snprintf(text, sizeof text, "%.1f %% of operations", 100 * mst_figures_analog(&x));
        fact(f, "analog, not spiking", text);
    }
    snprintf(text, sizeof text, "%" PRIu64, a->seed);
    fact(f, "seed of masks", text);
    fputs("</dl>\n", f);
}

static void trouble(const mst_outcome *o, FILE *f)
{
    if (mst_outcome_partial(o))
        mst_html(f, "<p class=\"warn\">Partial: the run ended after %zu of %zu samples.</p>\n", o->done, o->planned);
    if (o->n_passed != 0)
        mst_html(f,
                 "<p class=\"warn\">%zu files were passed over, which no reader knows; one is <code>%s</code>.</p>\n",
                 o->n_passed, o->passed);
    if (o->n_skipped == 0)
        return;
    mst_html(f, "<div class=\"warn\"><p>%zu samples could not be used:</p><ul>\n", o->n_skipped);
    for (size_t i = 0; i < o->n_skipped && i < SHOWN; i++)
        mst_html(f, "<li>sample %u: %s</li>\n", o->skipped[i].sample, o->skipped[i].why);
    fputs("</ul></div>\n", f);
}

void mst_page_words(const mst_page *r, FILE *f)
{
    mst_html_section(f, "summary", "Summary");
    if (r->run->sums.samples == 0) {
        mst_html(f, "<p class=\"lead\">No sample could be used.</p>\n");
    } else {
        fputs("<p class=\"lead\">", f);
        accuracy_words(r, f);
        cost_words(r, f);
        exit_words(r, f);
        error_words(r, f);
        fputs("</p>\n", f);
        key_figures(r, f);
    }
    trouble(r->outcome, f);
    assumed(r, f);
    mst_html_section_end(f);
}
