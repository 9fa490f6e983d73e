/* What an attribution found, from its sums. Pure arithmetic. */
#include <math.h>

#include "calibrate/attrib.h"

static double logit_of(const mst_attrib *a, uint32_t pass)
{
    return a->ann_sq > 0 ? sqrt(a->error_sq[pass] / a->ann_sq) : NAN;
}

static mst_attrib_effect effect(const mst_attrib *a, size_t row)
{
    const attrib_row *r = &a->rows[row];
    double n = (double)a->labelled, of = r->two ? 2 : 1, logit = logit_of(a, r->to) - logit_of(a, r->from);
    double mean = (double)a->gained[row] / n / of, sq = (double)a->changed[row] / n / (of * of);
    if (r->two)
        logit = (logit + logit_of(a, r->to2) - logit_of(a, r->from2)) / 2;
    return (mst_attrib_effect){.points = n > 0 ? mean : NAN,
                               .points_se = n > 1 ? sqrt(fmax(sq - mean * mean, 0) / (n - 1)) : NAN,
                               .logit = logit};
}

static void take_off(mst_attrib_effect *rest, const mst_attrib_effect *x)
{
    rest->points -= x->points;
    rest->logit -= x->logit;
}

static void fill_layer(const mst_attrib *a, size_t k, mst_attrib_layer *out)
{
    const attrib_own *own = &a->own[k];
    const attrib_layer *l = &a->layers[k];
    *out = (mst_attrib_layer){.name = "", .stage = -1, .block = -1, .theta_ratio = 1, .trained = -1};
    if (k < a->n_layers) {
        const mst_layer *snn = mst_program_layer(a->snn, k);
        out->name = snn->name;
        out->site = snn->site;
        out->stage = snn->stage;
        out->block = snn->block;
        out->levels = (int)l->ann.levels;
        out->snn_levels = (int)l->snn.levels;
        out->run_levels = (int)l->run_levels;
        out->ratio = snn->ratio;
        out->trained = snn->trained;
    }
    out->theta_ratio = l->theta_ratio;
    out->differs = l->differs;
    out->own_rel_l2 = own->ann_sq > 0 ? sqrt(own->error_sq / own->ann_sq) : NAN;
    for (int c = 0; c < MST_CAUSE_COUNT; c++)
        out->size[c] = own->ann_abs > 0 ? own->part_abs[c] / own->ann_abs : NAN;
    out->harm = a->harm[k];
}

/* Of layers of one block, or one layer: the cause with the largest own error in it. */
static mst_cause largest_in(const mst_attrib *a, uint32_t layer, int block)
{
    double most = -1, sum;
    int largest = 0;
    for (int c = 0; c < MST_CAUSE_COUNT; c++) {
        sum = 0;
        for (size_t k = 0; k <= a->n_layers; k++)
            if (layer != MST_NONE ? k == layer : a->block_of[k] == block)
                sum += a->own[k].ann_abs > 0 ? a->own[k].part_abs[c] / a->own[k].ann_abs : a->own[k].part_abs[c];
        if (sum > most) {
            most = sum;
            largest = c;
        }
    }
    return (mst_cause)largest;
}

static size_t layers_in(const mst_attrib *a, int block)
{
    size_t n = 0;
    for (size_t k = 0; k < a->n_layers; k++)
        n += a->block_of[k] == block;
    return n;
}

/* Rows of causes, from *row on. */
static void fill_causes(const mst_attrib *a, size_t *row, mst_attrib_report *out)
{
    out->rest_away = out->rest_alone = out->loss;
    for (int c = 0; c < MST_CAUSE_COUNT; c++) {
        if ((a->causes & ATTRIB_BIT(c)) == 0)
            continue;
        mst_attrib_cause *x = &out->causes[out->n_causes++];
        *x = (mst_attrib_cause){(mst_cause)c, effect(a, *row), effect(a, *row + 1), effect(a, *row + 2)};
        *row += 3;
        take_off(&out->rest_away, &x->away);
        take_off(&out->rest_alone, &x->alone);
    }
    out->rest_away.points_se = out->rest_alone.points_se = NAN;
}

static void fill_parts(const mst_attrib *a, size_t *row, mst_attrib_report *out)
{
    out->layers_rest = out->loss;
    out->layers_tried = a->n_tried;
    for (size_t i = 0; i < a->n_tried + a->n_blocks; i++, *row += 2) {
        bool layer = i < a->n_tried;
        uint32_t k = layer ? a->tried[i] : MST_NONE;
        int block = layer ? a->block_of[k] : a->blocks[i - a->n_tried];
        mst_attrib_part *x = &out->parts[out->n_parts++];
        *x = (mst_attrib_part){.layer = k,
                               .block = block,
                               .n_layers = layer ? 1 : layers_in(a, block),
                               .largest = largest_in(a, k, block),
                               .away = effect(a, *row),
                               .alone = effect(a, *row + 1)};
        if (layer)
            take_off(&out->layers_rest, &x->away);
    }
    out->layers_rest.points_se = NAN;
}

mst_status mst_attrib_report_make(const mst_attrib *a, mst_attrib_report *out, mst_err *err)
{
    *out = (mst_attrib_report){.mode = a->mode,
                               .steps = a->steps,
                               .readout_from = a->readout_from,
                               .samples = a->samples,
                               .labelled = a->labelled};
    if (!a->chosen || a->samples == 0)
        return mst_fail(err, MST_EINVAL, "attribution: no samples");
    out->causes = mst_arena_array(&out->arena, MST_CAUSE_COUNT, sizeof *out->causes);
    out->parts = mst_arena_array(&out->arena, a->n_tried + a->n_blocks + 1, sizeof *out->parts);
    out->layers = mst_arena_array(&out->arena, a->n_layers + 1, sizeof *out->layers);
    out->mean = mst_arena_copy(&out->arena, a->mean, a->channels * sizeof *out->mean);
    out->deviation = mst_arena_copy(&out->arena, a->deviation, a->channels * sizeof *out->deviation);
    if (out->causes == NULL || out->parts == NULL || out->layers == NULL || out->mean == NULL || out->deviation == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a report of %zu layers", a->n_layers);
    size_t row = 0;
    double n = (double)a->labelled;
    out->ann_top1 = n > 0 ? (double)a->right[ATTRIB_ANN] / n : NAN;
    out->snn_top1 = n > 0 ? (double)a->right[ATTRIB_SNN] / n : NAN;
    out->loss = effect(a, row++);
    fill_causes(a, &row, out);
    fill_parts(a, &row, out);
    out->counted = effect(a, row++);
    out->standard = effect(a, row);
    out->n_layers = a->n_layers;
    for (size_t k = 0; k <= a->n_layers; k++)
        fill_layer(a, k, &out->layers[k]);
    out->channels = a->channels;
    return MST_OK;
}

void mst_attrib_report_free(mst_attrib_report *r)
{
    mst_arena_release(&r->arena);
    *r = (mst_attrib_report){0};
}
