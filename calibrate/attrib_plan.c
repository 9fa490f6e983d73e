/* Which what-if runs a sample gets, and which of them are held against each other. */
#include "calibrate/attrib.h"

#include <math.h>
#include <string.h>

/* The causes that count mode at the ANN's levels has. */
#define COUNTED (ATTRIB_BIT(MST_CAUSE_NETWORK) | ATTRIB_BIT(MST_CAUSE_WEIGHTS) | ATTRIB_BIT(MST_CAUSE_MASKS))

static bool inside(const mst_attrib *a, uint32_t part, size_t k)
{
    if (part == MST_NONE)
        return false;
    return part <= a->n_layers ? k == part : a->block_of[k] >= 0 && a->n_layers + 1 + (size_t)a->block_of[k] == part;
}

uint32_t mst_attrib_on(const mst_attrib *a, const attrib_pass *p, size_t k)
{
    return inside(a, p->part, k) ? p->own : p->all;
}

/* Its number: of one that is there, if it does the same. */
static uint32_t add_pass(mst_attrib *a, attrib_pass p)
{
    for (uint32_t i = 0; i < a->n_passes; i++) {
        const attrib_pass *q = &a->passes[i];
        if (q->all == p.all && q->part == p.part && q->own == p.own && q->standard == p.standard)
            return i;
    }
    a->passes[a->n_passes] = p;
    return (uint32_t)a->n_passes++;
}

static uint32_t everywhere(mst_attrib *a, uint32_t causes)
{
    causes &= a->causes;
    return add_pass(a, (attrib_pass){.all = causes, .part = MST_NONE, .own = causes});
}

static void add_row(mst_attrib *a, uint32_t from, uint32_t to)
{
    a->rows[a->n_rows++] = (attrib_row){.from = from, .to = to};
}

/* A cause's share: what it adds to those before it in the order of mst_cause, and in the opposite one. */
static void add_share(mst_attrib *a, int cause)
{
    uint32_t before = a->causes & (ATTRIB_BIT(cause) - 1), behind = a->causes & ~before & ~ATTRIB_BIT(cause);
    a->rows[a->n_rows++] = (attrib_row){.from = everywhere(a, before),
                                        .to = everywhere(a, before | ATTRIB_BIT(cause)),
                                        .two = true,
                                        .from2 = everywhere(a, behind),
                                        .to2 = everywhere(a, behind | ATTRIB_BIT(cause))};
}

static void add_causes(mst_attrib *a)
{
    for (int c = 0; c < MST_CAUSE_COUNT; c++) {
        if ((a->causes & ATTRIB_BIT(c)) == 0)
            continue;
        add_row(a, everywhere(a, a->causes & ~ATTRIB_BIT(c)), ATTRIB_SNN);
        add_row(a, ATTRIB_ANN, everywhere(a, ATTRIB_BIT(c)));
        add_share(a, c);
    }
}

static void add_part(mst_attrib *a, uint32_t part)
{
    add_row(a, add_pass(a, (attrib_pass){.all = a->causes, .part = part, .own = 0}), ATTRIB_SNN);
    add_row(a, ATTRIB_ANN, add_pass(a, (attrib_pass){.all = 0, .part = part, .own = a->causes}));
}

static mst_status make_room(mst_attrib *a, size_t passes, mst_err *err)
{
    mst_arena *m = &a->arena;
    a->n_passes = a->n_rows = 0;
    a->passes = mst_arena_array(m, passes, sizeof *a->passes);
    a->rows = mst_arena_array(m, passes, sizeof *a->rows);
    a->right = mst_arena_array(m, passes, sizeof *a->right);
    a->error_sq = mst_arena_array(m, passes, sizeof *a->error_sq);
    a->gained = mst_arena_array(m, passes, sizeof *a->gained);
    a->changed = mst_arena_array(m, passes, sizeof *a->changed);
    bool room = a->passes != NULL && a->rows != NULL && a->right != NULL && a->error_sq != NULL && a->gained != NULL &&
                a->changed != NULL;
    return room ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for %zu what-if runs", passes);
}

mst_status mst_attrib_plan(mst_attrib *a, mst_err *err)
{
    /* each cause has three rows of six passes, each part two */
    size_t parts = a->chosen ? a->n_tried + a->n_blocks : a->n_layers + 1;
    MST_TRY(make_room(a, ATTRIB_KNOWN + 3 + 6 * MST_CAUSE_COUNT + 2 * parts, err));
    everywhere(a, 0);
    a->passes[a->n_passes++] = (attrib_pass){.all = a->causes, .part = MST_NONE, .own = a->causes};
    add_row(a, ATTRIB_ANN, ATTRIB_SNN);
    if (!a->chosen) {
        for (uint32_t k = 0; k <= a->n_layers && a->n_layers + 1 > a->opts.layers && a->opts.layers != 0; k++)
            add_pass(a, (attrib_pass){.all = 0, .part = k, .own = a->causes});
        return MST_OK;
    }
    add_causes(a);
    for (size_t i = 0; i < a->n_tried; i++)
        add_part(a, a->tried[i]);
    for (size_t i = 0; i < a->n_blocks; i++)
        add_part(a, (uint32_t)(a->n_layers + 1 + (size_t)a->blocks[i]));
    add_row(a, everywhere(a, COUNTED), ATTRIB_SNN);
    add_row(a, add_pass(a, (attrib_pass){.part = MST_NONE, .standard = true}), ATTRIB_ANN);
    return MST_OK;
}

/* ---- the choice ------------------------------------------------------------------------- */

/* Harm of all layers: of those that no run was made for, by their own error. What rounds otherwise does no harm. */
static void weigh(mst_attrib *a)
{
    for (size_t k = 0; k <= a->n_layers; k++) {
        const attrib_own *own = &a->own[k];
        bool none = a->layers[k].causes == 0 || own->error_sq <= 0;
        a->harm[k] = none ? 0 : sqrt(own->error_sq / (own->ann_sq > 0 ? own->ann_sq : own->error_sq));
    }
    for (size_t i = ATTRIB_KNOWN; i < a->n_passes; i++)
        a->harm[a->passes[i].part] = sqrt(a->error_sq[i] / a->ann_sq);
}

/* The most harmful first; of equals the first. */
static void choose_layers(mst_attrib *a, bool *taken)
{
    size_t most = a->opts.layers < a->n_layers + 1 ? a->opts.layers : a->n_layers + 1;
    for (a->n_tried = 0; a->n_tried < most; a->n_tried++) {
        size_t best = a->n_layers + 1;
        for (size_t k = 0; k <= a->n_layers; k++)
            if (!taken[k] && a->harm[k] > 0 && (best > a->n_layers || a->harm[k] > a->harm[best]))
                best = k;
        if (best > a->n_layers)
            return;
        taken[best] = true;
        a->tried[a->n_tried] = (uint32_t)best;
    }
}

static double harm_of_block(const mst_attrib *a, int block, size_t *layers)
{
    double sum = 0;
    *layers = 0;
    for (size_t k = 0; k < a->n_layers; k++)
        if (a->block_of[k] == block) {
            sum += a->harm[k];
            ++*layers;
        }
    return sum;
}

static bool listed(const mst_attrib *a, int block)
{
    for (size_t i = 0; i < a->n_blocks; i++)
        if (a->blocks[i] == block)
            return true;
    return false;
}

static void choose_blocks(mst_attrib *a)
{
    for (a->n_blocks = 0; a->n_blocks < a->opts.layers; a->n_blocks++) {
        int best = -1;
        double most = 0;
        for (size_t k = 0; k < a->n_layers; k++) {
            size_t layers;
            double harm = harm_of_block(a, a->block_of[k], &layers);
            if (a->block_of[k] >= 0 && layers > 1 && harm > most && !listed(a, a->block_of[k])) {
                best = a->block_of[k];
                most = harm;
            }
        }
        if (best < 0)
            return;
        a->blocks[a->n_blocks] = best;
    }
}

static void take_statistics(mst_attrib *a)
{
    for (size_t c = 0; c < a->channels; c++) {
        double n = (double)a->x_n, mean = a->x_sum[c] / n, var = a->x_sq[c] / n - mean * mean;
        a->mean[c] = mean;
        a->deviation[c] = var > 0 ? sqrt(var) : 0;
    }
}

mst_status mst_attrib_choose(mst_attrib *a, mst_err *err)
{
    size_t most = a->opts.layers < a->n_layers + 1 ? a->opts.layers : a->n_layers + 1;
    if (a->samples == 0)
        return mst_fail(err, MST_EINVAL, "attribution: expected samples to choose layers by, found none");
    a->tried = mst_arena_array(&a->arena, most + 1, sizeof *a->tried);
    a->blocks = mst_arena_array(&a->arena, most + 1, sizeof *a->blocks);
    bool *taken = mst_arena_array(&a->arena, a->n_layers + 1, sizeof *taken);
    if (a->tried == NULL || a->blocks == NULL || taken == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for %zu layers", a->n_layers);
    weigh(a);
    choose_layers(a, taken);
    choose_blocks(a);
    take_statistics(a);
    a->chosen = true;
    a->samples = a->labelled = 0;
    a->ann_sq = 0;
    memset(a->own, 0, (a->n_layers + 1) * sizeof *a->own);
    return mst_attrib_plan(a, err);
}
