/* See calib_attrib_words.h. */
#include <string.h>

#include "tools/calib_attrib_rules.h"
#include "tools/tool_model.h"
#include "tools/tool_names.h"

#define LEAST_GAIN 0.02  /* of top-1 that other inputs must give the ANN before its inputs are said to be wrong */
#define LEAST_SAMPLES 20 /* before an ANN can be said to be at chance */

/* ---- where a cause is ------------------------------------------------------------------------- */

/* Of the parts tried in which it is the largest, the one whose loss is the largest: a block, if its share is more. */
static const mst_attrib_part *worst_part(const mst_attrib_report *r, mst_cause cause)
{
    const mst_attrib_part *worst = NULL;
    for (size_t i = 0; i < r->n_parts; i++) {
        const mst_attrib_part *p = &r->parts[i];
        if (p->largest == cause && (worst == NULL || mst_effect_weight(&p->away) > mst_effect_weight(&worst->away)))
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
static const char *where(mst_arena *a, const mst_attrib_report *r, const mst_finding *f)
{
    if (f->layer != NULL)
        return mst_arena_printf(a, ", most of it in layer '%s'", f->layer);
    return f->block >= 0 ? mst_words_join(a, ", most of it in ", mst_block_text(a, r, f->block)) : "";
}

static const mst_attrib_layer *layer_named(const mst_attrib_report *r, const mst_finding *f)
{
    for (size_t k = 0; k < r->n_layers; k++)
        if (f->layer != NULL ? r->layers[k].name == f->layer : f->block >= 0 && r->layers[k].block == f->block)
            return &r->layers[k];
    return NULL;
}

/* ---- the rules ---------------------------------------------------------------------------------- */

/* Is taking it away worth something for certain? Without labels, is it much of what is off? */
static bool worth_doing(const mst_attrib_report *r, const mst_attrib_effect *e)
{
    return isnan(e->points) ? mst_matters(r, e) : mst_certain_loss(e);
}

/* The values that --mean and --std would have to have for inputs of mean 0 and deviation 1. */
static const char *normalization(mst_arena *a, const mst_words_of *of)
{
    const mst_attrib_report *r = of->report;
    const char *mean = "", *std = "";
    for (uint32_t c = 0; c < r->channels; c++) {
        double m = (double)mst_graph_mean(of->snn, c), s = (double)mst_graph_std(of->snn, c);
        const char *comma = c != 0 ? "," : "";
        mean = mst_words_join(a, mean, mst_arena_printf(a, "%s%.3g", comma, m + s * r->mean[c]));
        std = mst_words_join(a, std, mst_arena_printf(a, "%s%.3g", comma, s * r->deviation[c]));
    }
    return mean != NULL && std != NULL ? mst_arena_printf(a, "--mean %s --std %s", mean, std) : NULL;
}

/* Arrays of float32 go in as they are: what the network gets is what they have. */
static const char *array_advice(mst_arena *a, const mst_words_of *of, const char *otherwise)
{
    const mst_attrib_report *r = of->report;
    const char *mean = "", *std = "";
    for (uint32_t c = 0; c < r->channels; c++) {
        mean = mst_words_join(a, mean, mst_arena_printf(a, "%s%.3g", c != 0 ? "," : "", r->mean[c]));
        std = mst_words_join(a, std, mst_arena_printf(a, "%s%.3g", c != 0 ? "," : "", r->deviation[c]));
    }
    return mean != NULL && std != NULL
               ? mst_arena_printf(a,
                                  "Normalize the arrays as the training did: mean and std of the model do nothing to "
                                  "float32; by these samples subtract %s and divide by %s before (where they are "
                                  "bytes: %s for mstconv).",
                                  mean, std, otherwise)
               : NULL;
}

static mst_finding *add(mst_words *w, const char *kind, const mst_attrib_effect *effect)
{
    mst_finding *f = &w->findings[w->n++];
    *f = (mst_finding){.kind = kind, .block = -1, .effect = *effect};
    return f;
}

static bool complete(const mst_finding *f) { return f->text != NULL && f->advice != NULL; }

static bool find_input(const mst_words_of *of, mst_words *w)
{
    mst_arena *a = &w->arena;
    const mst_attrib_effect *gain = &of->report->standard;
    if (!(mst_certain_loss(gain) && gain->points >= LEAST_GAIN))
        return true;
    mst_finding *f = add(w, "input", gain);
    f->text = mst_arena_printf(a,
                               "The ANN itself gains %s when its inputs are given mean 0 and deviation 1: their "
                               "statistics (mean %.2g, deviation %.2g) are not those of the training.",
                               mst_effect_text(a, gain), of->report->mean[0], of->report->deviation[0]);
    const char *n = normalization(a, of);
    if (n != NULL)
        f->advice = of->arrays ? array_advice(a, of, n)
                               : mst_arena_printf(a,
                                                  "Convert with the mean and std of the training (by these samples "
                                                  "about %s).",
                                                  n);
    w->doubtful = true;
    return complete(f);
}

static bool trained_with_masks(const mst_attrib_report *r)
{
    for (size_t k = 0; k < r->n_layers; k++)
        if (r->layers[k].trained > 0)
            return true;
    return false;
}

/* The weights are made for masks that the ANN lacks. */
static bool find_ann_masks(const mst_words_of *of, mst_words *w)
{
    if (!of->lacks_masks || !trained_with_masks(of->report))
        return true;
    mst_finding *f = add(w, "ann-masks", &of->report->loss);
    f->text = "The ANN has none of the masks that the weights were trained with: it is not the network that was "
              "trained, and what is lost or gained against it says nothing of the conversion.";
    f->advice = "Compare with --ann-masks trained.";
    w->doubtful = true;
    return true;
}

/* Whatever the conversion does, it cannot be what is wrong. */
static bool find_chance(const mst_words_of *of, mst_words *w)
{
    const mst_attrib_report *r = of->report;
    const mst_tensor *y = &of->snn->tensors[of->snn->output];
    uint32_t classes = y->rank != 0 ? y->dims[y->rank - 1] : 0;
    if (w->doubtful || r->labelled < LEAST_SAMPLES || classes < 2)
        return true;
    double chance = 1 / (double)classes, se = sqrt(chance * (1 - chance) / (double)r->labelled);
    if (r->ann_top1 > chance + MST_CERTAIN * se)
        return true;
    mst_finding *f = add(w, "ann", &r->loss);
    f->text = mst_arena_printf(&w->arena,
                               "The ANN itself gets %.2f %% of %zu samples right, and chance is %.2f %%: whatever is "
                               "wrong, it is not the conversion.",
                               100 * r->ann_top1, r->labelled, 100 * chance);
    f->advice = "Look at what both get: labels in the order of the network's classes (mstconv --classes), the order of "
                "channels, mean and std, masks of the training; mstrun --show draws a sample as the network gets it.";
    w->doubtful = true;
    return complete(f);
}

/* The first layer that is another one: those with another theta before those with another L, and these before all. */
static const mst_attrib_layer *other_layer(const mst_attrib_report *r, size_t *n)
{
    const mst_attrib_layer *first = NULL, *theta = NULL, *levels = NULL;
    *n = 0;
    for (size_t k = 0; k <= r->n_layers; k++) {
        const mst_attrib_layer *l = &r->layers[k];
        *n += l->differs;
        if (l->differs && first == NULL)
            first = l;
        if (l->theta_ratio != 1 && theta == NULL)
            theta = l;
        if (l->snn_levels != l->levels && levels == NULL)
            levels = l;
    }
    return theta != NULL ? theta : levels != NULL ? levels
                                                  : first;
}

static const char *how_it_differs(mst_arena *a, const mst_attrib_report *r, const mst_attrib_layer *l)
{
    if (l != NULL && l->theta_ratio != 1)
        return mst_arena_printf(a, "its threshold is %.3g times the ANN's", l->theta_ratio);
    if (l != NULL && l->snn_levels != l->levels)
        return mst_arena_printf(a, "its L is %d, the ANN's %d%s", l->snn_levels, l->levels,
                                r->mode == MST_RUN_SPIKING ? " (time steps do not use it, --mode count does)" : "");
    return "what it is computed with (weights, BatchNorm) is not what the ANN has";
}

static void say_network(const mst_words_of *of, mst_words *w, mst_finding *f)
{
    mst_arena *a = &w->arena;
    size_t n;
    const mst_attrib_layer *l = other_layer(of->report, &n);
    bool logits = l != NULL && l->name[0] == '\0';
    f->layer = l != NULL && !logits ? l->name : NULL;
    f->block = l != NULL ? l->block : -1;
    const char *what = how_it_differs(a, of->report, l);
    const char *more = n > 1 ? mst_arena_printf(a, " (%zu layers differ)", n) : "";
    f->text = what != NULL && more != NULL
                  ? mst_arena_printf(a, "The .bin is another network than the ANN: %s%s%s, %s%s. That costs %s.",
                                     logits ? "the logits" : "layer '", logits ? "" : f->layer, logits ? "" : "'", what,
                                     more, mst_cost_text(a, &f->effect))
                  : NULL;
    f->advice = mst_arena_printf(a,
                                 "Convert again from %s, the file that it is compared with; mstconv --stop-after finds "
                                 "the pass that changed it.",
                                 of->onnx);
}

static void say_weights(const mst_words_of *of, mst_words *w, mst_finding *f)
{
    f->text = mst_arena_printf(&w->arena, "The weights' type, %s, costs %s%s.", mst_model_weights(of->snn),
                               mst_cost_text(&w->arena, &f->effect), where(&w->arena, of->report, f));
    bool int8 = strcmp(mst_model_weights(of->snn), "int8") == 0;
    f->advice = mst_arena_printf(&w->arena, "mstconv --weights %s.", int8 ? "f16" : "f32");
}

static void say_quantization(const mst_words_of *of, mst_words *w, mst_finding *f)
{
    mst_arena *a = &w->arena;
    const mst_attrib_layer *l = layer_named(of->report, f);
    int run = l != NULL ? l->run_levels : 0, levels = l != NULL ? l->levels : 0;
    bool step = of->report->mode == MST_RUN_SPIKING;
    f->text = mst_arena_printf(a, "Quantization (%s%d levels, the ANN has L = %d) costs %s%s.",
                               step ? "T gives " : "", run, levels, mst_cost_text(a, &f->effect),
                               where(a, of->report, f));
    f->advice = step ? mst_arena_printf(a, "Take T = %d or more, or retrain with L = %d.", levels, run)
                     : mst_arena_printf(a, "Run it with --levels %d, or retrain with L = %d.", levels, run);
}

/* " In block 2 it is 0.9, trained with 0.75.", of what was given another ratio than in the training, whatever that
 * costs; "" where all are as trained, or `told` is of it already. */
static const char *other_ratio(mst_arena *a, const mst_attrib_report *r, const mst_attrib_layer *told)
{
    const mst_attrib_layer *l = NULL;
    for (size_t k = 0; k < r->n_layers; k++) {
        const mst_attrib_layer *x = &r->layers[k];
        double off = x->trained >= 0 ? fabs(x->ratio - x->trained) : 0;
        if (off > 1e-6 && (l == NULL || off > fabs(l->ratio - l->trained)))
            l = x;
    }
    if (l == NULL || (told != NULL && told->trained >= 0 && fabs(told->ratio - told->trained) > 1e-6))
        return "";
    const char *where = l->block >= 0 ? mst_arena_printf(a, "In block %d", l->block)
                                      : mst_arena_printf(a, "Of layer '%s'", l->name);
    return where == NULL ? NULL
                         : mst_arena_printf(a, " %s it is %.3g, trained with %.3g.", where, l->ratio, l->trained);
}

static void say_masks(const mst_words_of *of, mst_words *w, mst_finding *f)
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
    const char *as = trained < 0 ? "not known to be trained with" : mst_arena_printf(a, "trained with %.3g", trained);
    const char *other = other_ratio(a, of->report, l);
    f->text = as != NULL && other != NULL
                  ? mst_arena_printf(a, "Masks cost %s%s (ratio %.3g, %s).%s", mst_cost_text(a, &f->effect),
                                     where(a, of->report, f), ratio, as, other)
                  : NULL;
    f->advice = trained >= 0 && fabs(ratio - trained) > 1e-6
                    ? mst_arena_printf(a, "The ratio of the training, %.3g, or fine-tune with %.3g.", trained, ratio)
                : trained < 0
                    ? mst_arena_printf(a, "A lower ratio there (policy), or fine-tune with %.3g.", ratio)
                : of->report->mode == MST_RUN_SPIKING
                    ? "--mode count thins counts, which scatters less; else a lower ratio there and fine-tuning."
                    : "More levels (--levels) scatter less; else a lower ratio there and fine-tuning.";
}

/* All that comes of time goes together: unevenness, clipping, products and islands of single steps. */
static void say_time(const mst_words_of *of, mst_words *w, mst_finding *f)
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
    f->text = mst_arena_printf(a, "%s %s%s.", what[cause], mst_cost_text(a, &f->effect), where(a, of->report, f));
    const mst_attrib_report *r = of->report;
    const char *late = r->readout_from > 1 ? "" : ", --readout-from auto",
               *tune = of->snn->tuning.timesteps == r->steps ? "" : ", mstcalib --tune";
    bool promised = worth_doing(r, &r->counted);
    f->advice = !promised && !worth_doing(r, &f->effect)
                    ? NULL
                    : mst_arena_printf(a, "%s%s%sore steps than T = %u%s%s.",
                                       promised ? "--mode count takes what comes of time away: worth " : "",
                                       promised ? mst_effect_text(a, &r->counted) : "",
                                       promised ? " at the ANN's levels. To stay with steps: m" : "M", r->steps,
                                       late, tune);
    f->effect = r->counted;
}

static void say_readout(const mst_words_of *of, mst_words *w, mst_finding *f)
{
    f->text = mst_arena_printf(&w->arena, "Reading the logits from step %u on costs %s.", of->report->readout_from,
                               mst_cost_text(&w->arena, &f->effect));
    f->advice = "Without --readout-from all steps count.";
}

typedef void (*rule)(const mst_words_of *of, mst_words *w, mst_finding *f);
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

/* What taking it away is worth; its share, where that is nothing because other causes then do more. */
static const mst_attrib_effect *value_of(const mst_attrib_report *r, const mst_attrib_cause *c)
{
    return mst_matters(r, &c->away) ? &c->away : &c->share;
}

/* The one to speak of next; NULL: none. */
static const mst_attrib_cause *next_cause(const mst_attrib_report *r, const mst_words *w, const bool *said)
{
    const mst_attrib_cause *worst = NULL;
    for (size_t i = 0; i < r->n_causes; i++) {
        const mst_attrib_cause *c = &r->causes[i];
        bool network = c->cause == MST_CAUSE_NETWORK; /* that it is another one is a fact, whatever it costs */
        if (said[c->cause] || (!network && (w->doubtful || !mst_matters(r, value_of(r, c)))))
            continue;
        if (worst == NULL || network ||
            (worst->cause != MST_CAUSE_NETWORK &&
             mst_effect_weight(value_of(r, c)) > mst_effect_weight(value_of(r, worst))))
            worst = c;
    }
    return worst;
}

static bool find_causes(const mst_words_of *of, mst_words *w)
{
    const mst_attrib_report *r = of->report;
    bool said[MST_CAUSE_COUNT] = {false}, room = true;
    for (const mst_attrib_cause *c; (c = next_cause(r, w, said)) != NULL;) {
        said[c->cause] = true;
        mst_finding *f = add(w, mst_cause_name((int)c->cause), value_of(r, c));
        place(r, c->cause, f);
        rule say = rules[c->cause];
        say(of, w, f);
        room = room && f->text != NULL && (f->advice != NULL || say == say_time);
        if (say != say_time && c->cause != MST_CAUSE_NETWORK && !worth_doing(r, &c->away))
            f->advice = NULL;
    }
    return room;
}

mst_status mst_words_make(const mst_words_of *of, mst_words *out, mst_err *err)
{
    *out = (mst_words){0};
    bool room = find_input(of, out);
    room = find_ann_masks(of, out) && room;
    room = find_chance(of, out) && room;
    room = find_causes(of, out) && room;
    if (room)
        out->summary = mst_words_summary(out, of->report);
    return out->summary != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for words");
}

void mst_words_free(mst_words *w)
{
    mst_arena_release(&w->arena);
    *w = (mst_words){0};
}

mst_status mst_words_brief_make(const mst_words_of *of, mst_words_brief *out, mst_err *err)
{
    const mst_attrib_report *r = of->report;
    mst_words_of brief = *of;
    *out = (mst_words_brief){.report = *r};
    const char **names = mst_arena_array(&out->arena, r->n_layers + 1, sizeof *names);
    mst_attrib_layer *layers = mst_arena_array(&out->arena, r->n_layers + 1, sizeof *layers);
    for (size_t k = 0; names != NULL && k < r->n_layers; k++)
        names[k] = r->layers[k].name;
    names = names != NULL ? mst_short_names(names, r->n_layers, &out->arena) : NULL;
    if (names == NULL || layers == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for words");
    memcpy(layers, r->layers, (r->n_layers + 1) * sizeof *layers);
    for (size_t k = 0; k < r->n_layers; k++)
        layers[k].name = names[k];
    out->report.layers = layers;
    brief.report = &out->report;
    return mst_words_make(&brief, &out->words, err);
}

void mst_words_brief_free(mst_words_brief *b)
{
    mst_words_free(&b->words);
    mst_arena_release(&b->arena);
}
