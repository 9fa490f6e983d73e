/* The paragraph of an attribution: what was lost, findings, layers, what to do. See calib_attrib_rules.h. */
#include <string.h>

#include "tools/calib_attrib_rules.h"

#define NAMED 3 /* layers */

const char *mst_words_join(mst_arena *a, const char *text, const char *more)
{
    return text != NULL && more != NULL ? mst_arena_printf(a, "%s%s", text, more) : NULL;
}

const char *mst_effect_text(mst_arena *a, const mst_attrib_effect *e)
{
    if (isnan(e->points))
        return mst_arena_printf(a, "%.3f of the logits' error", e->logit);
    if (isnan(e->points_se))
        return mst_arena_printf(a, "%.2f points", 100 * e->points);
    return mst_arena_printf(a, "%.2f points (standard error %.2f)", 100 * e->points, 100 * e->points_se);
}

const char *mst_cost_text(mst_arena *a, const mst_attrib_effect *e)
{
    if (fabs(e->logit) < 5e-4 && !(fabs(e->points) > 0))
        return "nothing in this run";
    if (isnan(e->points) || mst_certain_loss(e))
        return mst_effect_text(a, e);
    if (mst_certain(e))
        return mst_arena_printf(a, "no points (a gain of %.2f, standard error %.2f) but %.3f of the logits' error",
                                -100 * e->points, 100 * e->points_se, e->logit);
    return mst_arena_printf(a, "no points that are certain (%.2f, standard error %.2f) but %.3f of the logits' error",
                            100 * e->points, 100 * e->points_se, e->logit);
}

/* Bytes that the names of all layers of a block begin with, up to a slash: where exporters write what they stand in. */
static size_t common_start(const mst_attrib_report *r, int block, const char **name)
{
    size_t n = 0;
    *name = NULL;
    for (size_t k = 0; k < r->n_layers; k++) {
        const char *x = r->layers[k].name;
        if (r->layers[k].block != block)
            continue;
        if (*name == NULL) {
            *name = x;
            n = strlen(x);
        }
        size_t same = 0;
        while (same < n && x[same] == (*name)[same])
            same++;
        n = same;
    }
    while (n > 0 && (*name)[n - 1] != '/')
        n--;
    while (n > 0 && (*name)[n - 1] == '/')
        n--;
    return n;
}

const char *mst_block_text(mst_arena *a, const mst_attrib_report *r, int block)
{
    const char *name;
    size_t n = common_start(r, block, &name);
    return n != 0 ? mst_arena_printf(a, "block %d ('%.*s')", block, (int)n, name)
                  : mst_arena_printf(a, "block %d", block);
}

const char *mst_part_text(mst_arena *a, const mst_attrib_report *r, const mst_attrib_part *p)
{
    if (p->layer == MST_NONE)
        return mst_block_text(a, r, p->block);
    return p->layer == r->n_layers ? "the logits" : mst_arena_printf(a, "'%s'", r->layers[p->layer].name);
}

/* ---- sentences ---------------------------------------------------------------------------------- */

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
                            mst_certain(&r->loss) ? "" : ", which cannot be told apart from none", r->loss.logit);
}

/* Is the own error of a layer one of those that cost? */
static bool costs(const mst_attrib_report *r, const mst_attrib_part *p)
{
    return mst_matters(r, &p->away) && !(mst_certain(&p->away) && p->away.points < 0);
}

/* The layer whose own error costs most, of those that cost less than `last` (NULL: of all); NULL: none. */
static const mst_attrib_part *next_layer(const mst_attrib_report *r, const mst_attrib_part *last)
{
    const mst_attrib_part *best = NULL;
    for (size_t i = 0; i < r->layers_tried; i++) {
        const mst_attrib_part *p = &r->parts[i];
        double w = mst_effect_weight(&p->away);
        if (costs(r, p) && (last == NULL || w < mst_effect_weight(&last->away)) &&
            (best == NULL || w > mst_effect_weight(&best->away)))
            best = p;
    }
    return best;
}

static const char *layers_text(mst_arena *a, const mst_attrib_report *r, const mst_attrib_part *worst)
{
    const char *text = " The layers whose own error costs most: ";
    const mst_attrib_part *p = worst;
    for (int n = 0; n < NAMED && p != NULL; n++, p = next_layer(r, p)) {
        const char *name = mst_part_text(a, r, p), *loses = mst_cost_text(a, &p->away);
        if (name == NULL || loses == NULL)
            return NULL;
        text = mst_words_join(a, text,
                              mst_arena_printf(a, "%s%s (%s, mostly %s)", n != 0 ? "; " : "", name, loses,
                                               mst_cause_name((int)p->largest)));
    }
    return worst != NULL ? mst_words_join(a, text, ".") : "";
}

/* What causes do together that they do not do alone. */
static const char *rest_text(mst_arena *a, const mst_attrib_report *r)
{
    if (r->n_causes < 2)
        return "";
    bool points = mst_certain(&r->loss);
    double all = points ? 100 * r->loss.points : r->loss.logit;
    double away = points ? 100 * r->rest_away.points : r->rest_away.logit;
    if (fabs(away) <= MST_LEAST_SHARE * fabs(all) || (!points && r->loss.logit <= MST_LEAST_LOGIT))
        return "";
    const char *why = away < 0 ? ", each of them enough to do damage that the others did" : "";
    return mst_arena_printf(a, " Taken away one by one, causes add up to %.3g of %.3g %s: they act together%s.",
                            all - away, all, points ? "points" : "(error of the logits)", why);
}

static const char *advice_text(mst_arena *a, const mst_attrib_report *r, const mst_words *w)
{
    const char *text = "", *last = NULL; /* causes of one kind have one piece of advice */
    for (size_t i = 0; i < w->n; i++) {
        const char *advice = w->findings[i].advice;
        if (advice == NULL || (last != NULL && strcmp(advice, last) == 0))
            continue;
        text = mst_words_join(a, text, mst_arena_printf(a, "%s%s", last == NULL ? " What to do: " : " ", advice));
        last = advice;
    }
    if (last != NULL)
        return text;
    return mst_certain_loss(&r->loss)
               ? " No cause is certain to be worth something by itself: more samples (-n) may tell."
               : " Nothing in it is worth doing something about.";
}

const char *mst_words_summary(mst_words *w, const mst_attrib_report *r)
{
    mst_arena *a = &w->arena;
    const char *text = loss_text(a, r);
    w->worst = w->doubtful ? NULL : next_layer(r, NULL);
    for (size_t i = 0; i < w->n; i++)
        text = mst_words_join(a, text, mst_arena_printf(a, " %s", w->findings[i].text));
    if (!w->doubtful)
        text = mst_words_join(a, mst_words_join(a, text, rest_text(a, r)), layers_text(a, r, w->worst));
    return mst_words_join(a, text, advice_text(a, r, w));
}
