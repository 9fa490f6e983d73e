/* How good a pass was: figures of samples held out, with standard errors. Pure arithmetic. */
#include <math.h>

#include "calibrate/tune_state.h"

static double share(double part, double whole) { return whole > 0 ? part / whole : NAN; }

/* Sums of squares of the errors and of the ANN's logits. */
static double error_of(const tune_held *h, size_t n, double *ann)
{
    double sum = 0;
    *ann = 0;
    for (size_t i = 0; i < n; i++) {
        sum += h[i].error_sq;
        *ann += h[i].ann_sq;
    }
    return sqrt(share(sum, *ann));
}

bool mst_tune_better(const tune_held *tuned, const tune_held *untuned, size_t n)
{
    size_t now = 0, before = 0;
    double ann;
    for (size_t i = 0; i < n; i++) {
        now += tuned[i].right;
        before += untuned[i].right;
    }
    return now >= before && error_of(tuned, n, &ann) < error_of(untuned, n, &ann);
}

/* What sample i adds to sqrt(sum error / sum ann), about its value e (delta method). */
static double influence(const tune_held *h, double e)
{
    return e > 0 ? (h->error_sq - e * e * h->ann_sq) / (2 * e) : 0;
}

/* Of tuned against untuned; untuned NULL: of tuned alone. */
static mst_tune_figures figures(const tune_held *tuned, const tune_held *untuned, size_t n)
{
    double ann, e = error_of(tuned, n, &ann), before = untuned != NULL ? error_of(untuned, n, &ann) : 0;
    double labelled = 0, right = 0, right_sq = 0, sq = 0, mean = 0;
    for (size_t i = 0; i < n; i++) {
        double x = influence(&tuned[i], e) - (untuned != NULL ? influence(&untuned[i], before) : 0);
        double hit = (double)tuned[i].right - (untuned != NULL ? (double)untuned[i].right : 0);
        sq += x * x;
        labelled += tuned[i].labelled;
        right += hit;
        right_sq += hit * hit;
    }
    mean = share(right, labelled);
    return (mst_tune_figures){
        .top1 = mean,
        .top1_se = sqrt(share(fmax(right_sq - mean * right, 0), labelled * (labelled - 1))),
        .logit_rel_l2 = e - before,
        .logit_rel_l2_se = sqrt(sq * (double)n / (double)(n - 1)) / ann,
    };
}

void mst_tune_report_make(const mst_tune *t, mst_tune_report *out)
{
    size_t n = t->opts.held, ann_right = 0;
    *out = (mst_tune_report){.fit = t->opts.fit, .held = n, .passes = t->pass, .pass = t->taken};
    for (size_t i = 0; i < n; i++) {
        out->labelled += t->untuned[i].labelled;
        ann_right += t->untuned[i].ann_right;
    }
    out->ann_top1 = share((double)ann_right, (double)out->labelled);
    out->untuned = figures(t->untuned, NULL, n);
    out->tuned = figures(t->kept, NULL, n);
    out->change = figures(t->kept, t->untuned, n);
    out->better = mst_tune_better(t->kept, t->untuned, n);
}
