/* See report_versus.h. */
#include "tools/report/report_versus.h"

#include <math.h>

#include "tools/tool_output.h"

mst_status mst_versus_add(mst_versus *p, uint32_t sample, int label, uint32_t ann, const uint32_t *said, size_t n_at,
                          mst_err *err)
{
    bool known = label >= 0, ann_right = known && ann == (uint32_t)label;
    uint32_t last = said[n_at - 1];
    p->n_at = n_at;
    p->samples++;
    p->labelled += known;
    p->ann_right += ann_right;
    for (size_t k = 0; k < n_at; k++) {
        bool right = known && said[k] == (uint32_t)label;
        p->at[k].right += right;
        p->at[k].lost += ann_right && !right;
        p->at[k].gained += right && !ann_right;
        p->at[k].agree += said[k] == ann;
    }
    if (last != ann && p->n_flips++ < MST_FLIPS_LISTED)
        p->flips[p->n_flips - 1] = (mst_flip){sample, label, ann, last};
    MST_TRY(mst_confusion_add(&p->both, ann, last, 1, err));
    if (!known)
        return MST_OK;
    MST_TRY(mst_confusion_add(&p->ann, (uint32_t)label, ann, 1, err));
    return mst_confusion_add(&p->snn, (uint32_t)label, last, 1, err);
}

void mst_versus_free(mst_versus *p)
{
    mst_confusion_free(&p->ann);
    mst_confusion_free(&p->both);
    mst_confusion_free(&p->snn);
    *p = (mst_versus){0};
}

static double share(uint64_t n, uint64_t of) { return of != 0 ? (double)n / (double)of : (double)NAN; }

double mst_versus_ann_top1(const mst_versus *p) { return share(p->ann_right, p->labelled); }
double mst_versus_agreement(const mst_versus *p, size_t k) { return share(p->at[k].agree, p->samples); }

double mst_versus_loss(const mst_versus *p, size_t k)
{
    return p->labelled != 0 ? ((double)p->at[k].lost - (double)p->at[k].gained) / (double)p->labelled : (double)NAN;
}

/* Each sample loses 1, 0 or -1: the standard error of their mean. */
double mst_versus_loss_se(const mst_versus *p, size_t k)
{
    double n = (double)p->labelled, loss = mst_versus_loss(p, k);
    if (p->labelled < 2)
        return (double)NAN;
    double square = (double)(p->at[k].lost + p->at[k].gained) / n;
    return sqrt(fmax(square - loss * loss, 0) / (n - 1));
}

double mst_share_se(double share_of, uint64_t n)
{
    return n > 1 ? sqrt(fmax(share_of * (1 - share_of), 0) / (double)(n - 1)) : (double)NAN;
}

static json_t *json_flips(const mst_versus *p)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < p->n_flips && i < MST_FLIPS_LISTED; i++) {
        const mst_flip *x = &p->flips[i];
        mst_json_append(&list, json_pack("{s:I, s:o, s:I, s:I}", "sample", (json_int_t)x->sample, "label",
                                         x->label >= 0 ? json_integer(x->label) : json_null(), "ann",
                                         (json_int_t)x->ann, "snn", (json_int_t)x->snn));
    }
    return list;
}

json_t *mst_versus_json(const mst_versus *p)
{
    size_t last = p->n_at - 1;
    json_t *out = json_object();
    mst_json_set(&out, "ann_top1_percent", mst_json_real(100 * mst_versus_ann_top1(p)));
    mst_json_set(&out, "loss_percent", mst_json_real(100 * mst_versus_loss(p, last)));
    mst_json_set(&out, "loss_se_percent", mst_json_real(100 * mst_versus_loss_se(p, last)));
    mst_json_set(&out, "agreement_percent", mst_json_real(100 * mst_versus_agreement(p, last)));
    mst_json_set(&out, "ann_confusion", mst_confusion_json(&p->ann));
    mst_json_set(&out, "pairs", mst_confusion_json(&p->both));
    mst_json_set(&out, "flipped", mst_json_whole(p->n_flips));
    mst_json_set(&out, "flips", json_flips(p));
    return out;
}
