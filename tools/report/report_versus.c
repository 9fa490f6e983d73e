/* See report_versus.h. */
#include "tools/report/report_versus.h"

#include <math.h>
#include <stddef.h>

#include "tools/tool_fields.h"
#include "tools/tool_output.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define OF(type, key) \
    { \
#key, MST_FIELD_WHOLE, offsetof(type, key) \
    }

static const mst_field at_fields[] = {OF(mst_versus_at, right), OF(mst_versus_at, lost), OF(mst_versus_at, gained),
                                      OF(mst_versus_at, agree)};
static const mst_field all_fields[] = {OF(mst_versus, samples), OF(mst_versus, labelled), OF(mst_versus, ann_right)};

void mst_versus_begin(mst_versus *p, size_t n_at) { p->n_at = n_at; }

mst_status mst_versus_add(mst_versus *p, uint32_t sample, int label, uint32_t ann, const uint32_t *said, mst_err *err)
{
    bool known = label >= 0, ann_right = known && ann == (uint32_t)label;
    size_t n_at = p->n_at;
    uint32_t last = said[n_at - 1];
    MST_TRY(mst_confusion_room(&p->both, err));
    MST_TRY(mst_confusion_room(&p->ann, err));
    MST_TRY(mst_confusion_room(&p->snn, err));
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
    size_t last = p->n_at - 1; /* of nothing that was run, too: mst_versus_begin */
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

/* ---- parts of a run ---- */

json_t *mst_versus_counts_json(const mst_versus *p)
{
    json_t *out = json_object(), *at = json_array();
    for (size_t k = 0; k < p->n_at; k++) {
        json_t *one = json_object();
        mst_fields_set(&one, at_fields, LENGTH(at_fields), &p->at[k]);
        mst_json_append(&at, one);
    }
    mst_fields_set(&out, all_fields, LENGTH(all_fields), p);
    mst_json_set(&out, "at", at);
    return out;
}

static mst_status take_counts(mst_versus *p, const json_t *counts, mst_err *err)
{
    mst_versus all = {0};
    const json_t *at = json_object_get(counts, "at");
    MST_TRY(mst_fields_take(counts, all_fields, LENGTH(all_fields), NULL, &all, err));
    if (json_array_size(at) != p->n_at || all.labelled > all.samples || all.ann_right > all.labelled)
        return mst_fail(err, MST_EFORMAT, "its sums are not whole");
    p->samples += all.samples;
    p->labelled += all.labelled;
    p->ann_right += all.ann_right;
    for (size_t k = 0; k < p->n_at; k++) {
        mst_versus_at one = {0};
        MST_TRY(mst_fields_take(json_array_get(at, k), at_fields, LENGTH(at_fields), NULL, &one, err));
        if (one.lost > all.ann_right || one.right > all.labelled || one.agree > all.samples ||
            all.ann_right - one.lost + one.gained != one.right)
            return mst_fail(err, MST_EFORMAT, "its sums are not whole");
        p->at[k].right += one.right;
        p->at[k].lost += one.lost;
        p->at[k].gained += one.gained;
        p->at[k].agree += one.agree;
    }
    return MST_OK;
}

static bool take_class(const json_t *v, size_t classes, uint32_t *to)
{
    uint64_t n;
    bool ok = mst_json_take_whole(v, &n) && n < classes;
    *to = ok ? (uint32_t)n : 0;
    return ok;
}

static mst_status take_flips(mst_versus *p, const json_t *versus, size_t classes, mst_err *err)
{
    uint64_t flipped, sample;
    uint32_t label = 0;
    const json_t *list = json_object_get(versus, "flips");
    size_t n = json_array_size(list);
    if (!mst_json_take_whole(json_object_get(versus, "flipped"), &flipped) ||
        n != (flipped < MST_FLIPS_LISTED ? flipped : MST_FLIPS_LISTED))
        return mst_fail(err, MST_EFORMAT, "'flipped' and 'flips' do not go together");
    for (size_t i = 0; i < n; i++) {
        mst_flip x = {.label = -1};
        const json_t *one = json_array_get(list, i), *said = json_object_get(one, "label");
        if (!mst_json_take_whole(json_object_get(one, "sample"), &sample) || sample > UINT32_MAX ||
            (!json_is_null(said) && !take_class(said, classes, &label)) ||
            !take_class(json_object_get(one, "ann"), classes, &x.ann) ||
            !take_class(json_object_get(one, "snn"), classes, &x.snn))
            return mst_fail(err, MST_EFORMAT, "'flips' is not of samples and classes");
        x.sample = (uint32_t)sample;
        x.label = json_is_null(said) ? -1 : (int)label;
        if (p->n_flips + i < MST_FLIPS_LISTED)
            p->flips[p->n_flips + i] = x;
    }
    p->n_flips += flipped;
    return MST_OK;
}

mst_status mst_versus_take(mst_versus *p, const json_t *versus, const json_t *snn, const json_t *counts, size_t classes,
                           mst_err *err)
{
    MST_TRY(take_counts(p, counts, err));
    MST_TRY(take_flips(p, versus, classes, err));
    MST_TRY(mst_confusion_take(&p->ann, json_object_get(versus, "ann_confusion"), classes, err));
    MST_TRY(mst_confusion_take(&p->both, json_object_get(versus, "pairs"), classes, err));
    return mst_confusion_take(&p->snn, snn, classes, err);
}
