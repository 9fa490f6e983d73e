/* See calib_attrib_words.h. */
#include "tools/calib_attrib_words.h"

#include <math.h>
#include <string.h>

#include "tools/tool_model.h"

#define LEAST_GAIN 0.02  /* of top-1 that other inputs must give the ANN before its inputs are said to be wrong */
#define LEAST_SHARE 0.05 /* of the logit error: causes below are not worth a sentence */
#define CERTAIN 2        /* standard errors */

/* A text that is being put together; NULL once memory is out. */
static const char *join(mst_arena *a, const char *text, const char *more)
{
    return text != NULL && more != NULL ? mst_arena_printf(a, "%s%s", text, more) : NULL;
}

static bool certain(const mst_attrib_effect *e) { return fabs(e->points) >= CERTAIN * e->points_se && e->points != 0; }

const char *mst_effect_text(mst_arena *a, const mst_attrib_effect *e)
{
    if (isnan(e->points))
        return mst_arena_printf(a, "%.3f of the logits' error", e->logit);
    if (isnan(e->points_se))
        return mst_arena_printf(a, "%.2f points", 100 * e->points);
    return mst_arena_printf(a, "%.2f points (standard error %.2f)", 100 * e->points, 100 * e->points_se);
}

/* What it costs, or gains: of points that are not certain, not more than that. */
static const char *cost(mst_arena *a, const mst_attrib_effect *e)
{
    if (isnan(e->points) || (certain(e) && e->points > 0))
        return mst_effect_text(a, e);
    if (certain(e))
        return mst_arena_printf(a, "no points (a gain of %.2f, standard error %.2f) but %.3f of the logits' error",
                                -100 * e->points, 100 * e->points_se, e->logit);
    return mst_arena_printf(a, "no points that are certain (%.2f, standard error %.2f) but %.3f of the logits' error",
                            100 * e->points, 100 * e->points_se, e->logit);
}

const char *mst_part_text(mst_arena *a, const mst_attrib_report *r, const mst_attrib_part *p)
{
    if (p->layer == MST_NONE)
        return mst_arena_printf(a, "block %d", p->block);
    return p->layer == r->n_layers ? "the logits" : mst_arena_printf(a, "'%s'", r->layers[p->layer].name);
}

/* How much it matters: what is certain in points first, then by logits. */
static double weight(const mst_attrib_effect *e)
{
    double points = certain(e) && e->points > 0 ? e->points : 0;
    return 1e3 * points + e->logit;
}

/* ---- where a cause is ------------------------------------------------------------------------- */

/* Of the parts tried in which it is the largest, the one whose loss is the largest: a block, if its share is more. */
static const mst_attrib_part *worst_part(const mst_attrib_report *r, mst_cause cause)
{
    const mst_attrib_part *worst = NULL;
    for (size_t i = 0; i < r->n_parts; i++) {
        const mst_attrib_part *p = &r->parts[i];
        if (p->largest == cause && (worst == NULL || weight(&p->away) > weight(&worst->away)))
            worst = p;
    }
    return worst;
}

/* Where the cause is largest relative to the layer's activations; NULL: nowhere. */
static const mst_attrib_layer *worst_layer(const mst_attrib_report *r, mst_cause cause)
{
    const mst_attrib_layer *worst = NULL;
    for (size_t k = 0; k < r->n_layers; k++)
        if (r->layers[k].size[cause] > 0 && (worst == NULL || r->layers[k].size[cause] > worst->size[cause]))
            worst = &r->layers[k];
    return worst;
}

static void place(const mst_attrib_report *r, mst_cause cause, mst_finding *f)
{
    const mst_attrib_part *p = worst_part(r, cause);
    const mst_attrib_layer *l = worst_layer(r, cause);
    f->block = -1;
    if (p != NULL && p->layer == MST_NONE) {
        f->block = p->block;
    } else if (p != NULL && p->layer < r->n_layers) {
        f->layer = r->layers[p->layer].name;
        f->block = r->layers[p->layer].block;
    } else if (l != NULL) {
        f->layer = l->name;
        f->block = l->block;
    }
}

/* " (most of it in ..)". */
static const char *where(mst_arena *a, const mst_finding *f)
{
    if (f->layer != NULL)
        return mst_arena_printf(a, ", most of it in layer '%s'", f->layer);
    return f->block >= 0 ? mst_arena_printf(a, ", most of it in block %d", f->block) : "";
}

static const mst_attrib_layer *layer_named(const mst_attrib_report *r, const mst_finding *f)
{
    for (size_t k = 0; k < r->n_layers; k++)
        if (f->layer != NULL ? r->layers[k].name == f->layer : f->block >= 0 && r->layers[k].block == f->block)
            return &r->layers[k];
    return NULL;
}

typedef struct words_of {
    const mst_attrib_report *report;
    const mst_graph *snn;
    const char *onnx;
} words_of;

/* ---- the rules ---------------------------------------------------------------------------------- */

/* The values that --mean and --std would have to have for inputs of mean 0 and deviation 1. */
static const char *normalization(mst_arena *a, const words_of *of)
{
    const mst_attrib_report *r = of->report;
    const char *mean = "", *std = "";
    for (uint32_t c = 0; c < r->channels; c++) {
        double m = (double)mst_graph_mean(of->snn, c), s = (double)mst_graph_std(of->snn, c);
        const char *comma = c != 0 ? "," : "";
        mean = join(a, mean, mst_arena_printf(a, "%s%.3g", comma, m + s * r->mean[c]));
        std = join(a, std, mst_arena_printf(a, "%s%.3g", comma, s * r->deviation[c]));
    }
    return mean != NULL && std != NULL ? mst_arena_printf(a, "--mean %s --std %s", mean, std) : NULL;
}

static void find_input(const words_of *of, mst_words *w)
{
    const mst_attrib_effect *gain = &of->report->standard;
    if (!(certain(gain) && gain->points >= LEAST_GAIN))
        return;
    mst_finding *f = &w->findings[w->n++];
    *f = (mst_finding){.kind = "input", .block = -1, .effect = *gain};
    f->text = mst_arena_printf(&w->arena,
                               "The ANN itself gains %s when its inputs are given mean 0 and deviation 1: their "
                               "statistics (mean %.2g, deviation %.2g) are not those of the training.",
                               mst_effect_text(&w->arena, gain), of->report->mean[0], of->report->deviation[0]);
    const char *n = normalization(&w->arena, of);
    if (n != NULL)
        f->advice = mst_arena_printf(&w->arena,
                                     "Convert with the mean and std of the training (by these samples about %s); for "
                                     "arrays, normalize them before.",
                                     n);
}

/* The first layer that is another one, those with another theta before all. */
static const mst_attrib_layer *other_layer(const mst_attrib_report *r, size_t *n)
{
    const mst_attrib_layer *first = NULL, *theta = NULL;
    *n = 0;
    for (size_t k = 0; k <= r->n_layers; k++) {
        const mst_attrib_layer *l = &r->layers[k];
        *n += l->differs;
        if (l->differs && first == NULL)
            first = l;
        if (l->theta_ratio != 1 && theta == NULL)
            theta = l;
    }
    return theta != NULL ? theta : first;
}

static void say_network(const words_of *of, mst_words *w, mst_finding *f)
{
    mst_arena *a = &w->arena;
    size_t n;
    const mst_attrib_layer *l = other_layer(of->report, &n);
    bool logits = l != NULL && l->name[0] == '\0';
    f->layer = l != NULL && !logits ? l->name : NULL;
    f->block = l != NULL ? l->block : -1;
    const char *what = l != NULL && l->theta_ratio != 1
                           ? mst_arena_printf(a, "its threshold is %.3g times the ANN's", l->theta_ratio)
                           : "what it is computed with (weights, BatchNorm) is not what the ANN has";
    const char *more = n > 1 ? mst_arena_printf(a, " (%zu layers differ)", n) : "";
    f->text = what != NULL && more != NULL
                  ? mst_arena_printf(a, "The .bin is another network than the ANN: %s%s%s, %s%s. That costs %s.",
                                     logits ? "the logits" : "layer '", logits ? "" : f->layer, logits ? "" : "'", what,
                                     more, cost(a, &f->effect))
                  : NULL;
    f->advice = mst_arena_printf(a,
                                 "Convert again from %s, the file that it is compared with; mstconv --stop-after finds "
                                 "the pass that changed it.",
                                 of->onnx);
}

static void say_weights(const words_of *of, mst_words *w, mst_finding *f)
{
    f->text = mst_arena_printf(&w->arena, "The weights' type, %s, costs %s%s.", mst_model_weights(of->snn),
                               cost(&w->arena, &f->effect), where(&w->arena, f));
    bool int8 = strcmp(mst_model_weights(of->snn), "int8") == 0;
    f->advice = mst_arena_printf(&w->arena, "mstconv --weights %s.", int8 ? "f16" : "f32");
}

static void say_quantization(const words_of *of, mst_words *w, mst_finding *f)
{
    mst_arena *a = &w->arena;
    const mst_attrib_layer *l = layer_named(of->report, f);
    int run = l != NULL ? l->run_levels : 0, levels = l != NULL ? l->levels : 0;
    bool step = of->report->mode == MST_RUN_SPIKING;
    f->text = mst_arena_printf(a, "Quantization (%s%d levels, the ANN has L = %d) costs %s%s.",
                               step ? "T gives " : "", run, levels, cost(a, &f->effect), where(a, f));
    f->advice = step ? mst_arena_printf(a, "Take T = %d or more, or retrain with L = %d.", levels, run)
                     : mst_arena_printf(a, "Run it with --levels %d, or retrain with L = %d.", levels, run);
}

static void say_masks(const words_of *of, mst_words *w, mst_finding *f)
{
    mst_arena *a = &w->arena;
    const mst_attrib_layer *l = NULL;
    for (size_t k = 0; k < of->report->n_layers; k++) { /* the layer of the place with the highest ratio */
        const mst_attrib_layer *x = &of->report->layers[k];
        bool here = f->layer != NULL ? x->name == f->layer : f->block < 0 || x->block == f->block;
        if (here && x->ratio > 0 && (l == NULL || x->ratio > l->ratio))
            l = x;
    }
    double ratio = l != NULL ? l->ratio : 0, trained = l != NULL ? l->trained : -1;
    f->text = mst_arena_printf(a, "Masks cost %s%s (ratio %.3g, %s).", cost(a, &f->effect), where(a, f), ratio,
                               trained < 0 ? "not known to be trained with"
                                           : mst_arena_printf(a, "trained with %.3g", trained));
    f->advice = fabs(ratio - trained) > 1e-6
                    ? mst_arena_printf(a, "A lower ratio there (policy), or fine-tune with %.3g.", ratio)
                : of->report->mode == MST_RUN_SPIKING
                    ? "--mode count thins counts, which scatters less; else a lower ratio there and fine-tuning."
                    : "More levels (--levels) scatter less; else a lower ratio there and fine-tuning.";
}

/* All that comes of time goes together: unevenness, clipping, products and islands of single steps. */
static void say_time(const words_of *of, mst_words *w, mst_finding *f)
{
    static const char *const what[MST_CAUSE_COUNT] = {
        [MST_CAUSE_PRODUCTS] = "Products of single steps' spikes cost",
        [MST_CAUSE_ISLANDS] = "Functions that see single steps (softmax, LayerNorm, max pooling) cost",
        [MST_CAUSE_CLIPPING] = "Clipping (spikes too many or too few where the current is out of range) costs",
        [MST_CAUSE_UNEVENNESS] = "Unevenness (spikes that come too late or too early) costs"};
    mst_arena *a = &w->arena;
    mst_cause cause = 0;
    for (int c = 0; c < MST_CAUSE_COUNT; c++)
        if (strcmp(f->kind, mst_cause_name(c)) == 0)
            cause = (mst_cause)c;
    f->text = mst_arena_printf(a, "%s %s%s.", what[cause], cost(a, &f->effect), where(a, f));
    const char *late = of->report->readout_from > 1 ? "" : ", --readout-from auto",
               *tune = of->snn->tuning.timesteps == of->report->steps ? "" : ", mstcalib --tune";
    f->effect = of->report->counted;
    f->advice = mst_arena_printf(a,
                                 "--mode count takes what comes of time away: worth %s at the ANN's levels. To stay "
                                 "with steps: more of them than T = %u%s%s.",
                                 mst_effect_text(a, &of->report->counted), of->report->steps, late, tune);
}

static void say_readout(const words_of *of, mst_words *w, mst_finding *f)
{
    f->text = mst_arena_printf(&w->arena, "Reading the logits from step %u on costs %s.", of->report->readout_from,
                               cost(&w->arena, &f->effect));
    f->advice = "Without --readout-from all steps count.";
}

typedef void (*rule)(const words_of *of, mst_words *w, mst_finding *f);
static const rule rules[MST_CAUSE_COUNT] = {
    [MST_CAUSE_NETWORK] = say_network,
    [MST_CAUSE_WEIGHTS] = say_weights,
    [MST_CAUSE_PRODUCTS] = say_time,
    [MST_CAUSE_ISLANDS] = say_time,
    [MST_CAUSE_QUANTIZATION] = say_quantization,
    [MST_CAUSE_CLIPPING] = say_time,
    [MST_CAUSE_UNEVENNESS] = say_time,
    [MST_CAUSE_MASKS] = say_masks,
    [MST_CAUSE_READOUT] = say_readout,
};

static bool matters(const mst_attrib_report *r, const mst_attrib_effect *e)
{
    return (certain(e) && e->points > 0) || e->logit > LEAST_SHARE * r->loss.logit;
}

/* What taking it away is worth; its share, where that is nothing because other causes then do more. */
static const mst_attrib_effect *value_of(const mst_attrib_report *r, const mst_attrib_cause *c)
{
    return matters(r, &c->away) ? &c->away : &c->share;
}

/* Another network is named whatever it costs; other causes where they matter. */
static bool worth_saying(const mst_attrib_report *r, const mst_attrib_cause *c)
{
    return c->cause == MST_CAUSE_NETWORK || matters(r, value_of(r, c));
}

static void find_causes(const words_of *of, mst_words *w)
{
    const mst_attrib_report *r = of->report;
    bool said[MST_CAUSE_COUNT] = {false};
    for (size_t n = 0; n < r->n_causes; n++) {
        const mst_attrib_cause *worst = NULL;
        for (size_t i = 0; i < r->n_causes; i++) {
            const mst_attrib_cause *c = &r->causes[i];
            if (said[c->cause] || !worth_saying(r, c))
                continue;
            if (worst == NULL || c->cause == MST_CAUSE_NETWORK ||
                (worst->cause != MST_CAUSE_NETWORK && weight(value_of(r, c)) > weight(value_of(r, worst))))
                worst = c;
        }
        if (worst == NULL)
            return;
        said[worst->cause] = true;
        mst_finding *f = &w->findings[w->n++];
        *f = (mst_finding){.kind = mst_cause_name(worst->cause), .block = -1, .effect = *value_of(r, worst)};
        place(r, worst->cause, f);
        rules[worst->cause](of, w, f);
    }
}

/* ---- the paragraph -------------------------------------------------------------------------------- */

static const char *loss_text(mst_arena *a, const mst_attrib_report *r)
{
    if (r->labelled == 0)
        return mst_arena_printf(a, "On %zu samples without labels the network's logits are %.3f off (relative L2).",
                                r->samples, r->loss.logit);
    mst_attrib_effect size = r->loss;
    bool gains = size.points < 0;
    size.points = fabs(size.points);
    return mst_arena_printf(a,
                            "The network %s %s %s its ANN (%.2f %% to %.2f %%) on %zu samples%s; its logits are "
                            "%.3f off (relative L2).",
                            gains ? "gains" : "loses", mst_effect_text(a, &size), gains ? "over" : "to",
                            100 * r->ann_top1, 100 * r->snn_top1, r->labelled,
                            certain(&r->loss) ? "" : ", which cannot be told apart from none", r->loss.logit);
}

/* The three layers whose own error costs most: what is taken away is worth most. */
static const char *layers_text(mst_arena *a, const mst_attrib_report *r)
{
    const char *text = "";
    const mst_attrib_part *last = NULL;
    for (int n = 0; n < 3; n++) {
        const mst_attrib_part *best = NULL;
        for (size_t i = 0; i < r->layers_tried; i++) {
            const mst_attrib_part *p = &r->parts[i];
            bool later = last == NULL || weight(&p->away) < weight(&last->away);
            if (later && weight(&p->away) > 0 && (best == NULL || weight(&p->away) > weight(&best->away)))
                best = p;
        }
        if (best == NULL)
            break;
        last = best;
        const char *name = mst_part_text(a, r, best), *loses = cost(a, &best->away);
        if (name == NULL || loses == NULL)
            return NULL;
        const char *one = mst_arena_printf(a, "%s%s (%s, mostly %s)", n != 0 ? "; " : "", name, loses,
                                           mst_cause_name((int)best->largest));
        text = join(a, text, one);
    }
    if (text != NULL && text[0] == '\0')
        return text;
    return text != NULL ? mst_arena_printf(a, " The layers whose own error costs most: %s.", text) : NULL;
}

/* What causes do together that they do not do alone. */
static const char *rest_text(mst_arena *a, const mst_attrib_report *r)
{
    if (r->n_causes < 2)
        return "";
    bool points = certain(&r->loss);
    double all = points ? 100 * r->loss.points : r->loss.logit;
    double away = points ? 100 * r->rest_away.points : r->rest_away.logit;
    if (fabs(away) <= LEAST_SHARE * fabs(all))
        return "";
    const char *why = away < 0 ? ", each of them enough to do damage that the others did" : "";
    return mst_arena_printf(a, " Taken away one by one, causes add up to %.3g of %.3g %s: they act together%s.",
                            all - away, all, points ? "points" : "(error of the logits)", why);
}

static const char *summary(mst_arena *a, const mst_attrib_report *r, const mst_words *w)
{
    const char *text = loss_text(a, r);
    for (size_t i = 0; i < w->n; i++)
        text = join(a, text, mst_arena_printf(a, " %s", w->findings[i].text));
    text = join(a, join(a, text, rest_text(a, r)), layers_text(a, r));
    const char *last = NULL; /* causes of one kind have one piece of advice */
    for (size_t i = 0; i < w->n; i++) {
        const char *advice = w->findings[i].advice;
        if (last == NULL || strcmp(advice, last) != 0)
            text = join(a, text, mst_arena_printf(a, "%s%s", i == 0 ? " What to do: " : " ", advice));
        last = advice;
    }
    return w->n != 0 ? text : join(a, text, " Nothing in it is worth doing something about.");
}

mst_status mst_words_make(const mst_attrib_report *r, const mst_graph *snn, const char *onnx, mst_words *out,
                          mst_err *err)
{
    const words_of of = {r, snn, onnx};
    *out = (mst_words){0};
    find_input(&of, out);
    find_causes(&of, out);
    bool room = true;
    for (size_t i = 0; i < out->n; i++)
        room = room && out->findings[i].text != NULL && out->findings[i].advice != NULL;
    if (room)
        out->summary = summary(&out->arena, r, out);
    return out->summary != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for words");
}

void mst_words_free(mst_words *w)
{
    mst_arena_release(&w->arena);
    *w = (mst_words){0};
}
